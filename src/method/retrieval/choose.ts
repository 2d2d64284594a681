/** @file Which items of a history a prompt shows: the rules by name, and the items that one of them chooses. */
import { ConfigError, nearestName } from '../../base/errors.ts';
import type { HistoryItem } from '../data/example.ts';
import { bm25 } from './bm25.ts';
import { byEffect } from './by-effect.ts';
import { dense } from './dense.ts';
import { latest } from './latest.ts';
import { random } from './random.ts';
import type { Asker, RetrievalRule } from './rule.ts';

/** Every rule, the default first. */
export const retrievalRules = { latest, bm25, dense, random, effect: byEffect } as const satisfies Record<
  string,
  RetrievalRule
>;

/** The name of a rule. */
export type Retrieval = keyof typeof retrievalRules;

export const retrievalNames = Object.keys(retrievalRules) as readonly Retrieval[];

/** What is used where nothing is said. */
export const DEFAULT_RETRIEVAL: Retrieval = 'latest';

/** So many items of a history, in its own order. */
export type ItemChooser = (history: readonly HistoryItem[], count: number) => readonly HistoryItem[];

/**
 * Chooses for one example, from any user's history. What is chosen of a history holds what fewer items of it are: a larger
 * choice adds items to a smaller one. Nothing of the example's response is known to it.
 * @throws {ConfigError} for a rule that there is none of
 */
export function itemChooser(asker: Asker, name: Retrieval = DEFAULT_RETRIEVAL): ItemChooser {
  const rule = ruleNamed(name);
  const ranks = new Map<readonly HistoryItem[], Uint32Array>();
  return (history, count) => {
    if (count >= history.length) return history;
    if (rule === latest) return history.slice(history.length - Math.max(0, count));
    const rank = ranks.get(history) ?? ranksBy(rule, history, asker);
    ranks.set(history, rank);
    return history.filter((_, place) => rank[place]! < count);
  };
}

/** The rank of each item, 0 for the first to be shown. */
function ranksBy(rule: RetrievalRule, history: readonly HistoryItem[], asker: Asker): Uint32Array {
  const scores = rule.scores(history, asker);
  const order = history.map((_, place) => place).sort((a, b) => scores[b]! - scores[a]! || b - a);
  const ranks = new Uint32Array(history.length);
  order.forEach((place, rank) => {
    ranks[place] = rank;
  });
  return ranks;
}

function ruleNamed(name: string): RetrievalRule {
  if (Object.hasOwn(retrievalRules, name)) return retrievalRules[name as Retrieval];
  const near = nearestName(name, retrievalNames);
  throw new ConfigError(
    `retrieval: expected one of ${retrievalNames.join(', ')}, got ${JSON.stringify(name)}`,
    {
      code: 'retrieval/name',
      hint: near === undefined ? 'Choose one of these names.' : `Did you mean "${near}"?`,
    },
  );
}
