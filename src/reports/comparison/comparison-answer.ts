/** @file The answer of an evaluation or comparison: whether the system in question uses a user's own history. */
import { decimal } from '../../base/number-format.ts';
import { shownSide } from '../../base/statistics/estimate.ts';
import type { FindingKind } from '../../method/evaluation/findings.ts';
import type { Evaluation } from '../../method/evaluation/results.ts';
import { historyAnswer } from '../text/history-answer.ts';
import { listed } from '../text/lists.ts';

export interface ComparisonAnswer {
  readonly kind: FindingKind;
  readonly sentence: string;
}

/** Which systems were trained, and from which. */
export interface Learning {
  readonly before: string;
  readonly after: readonly string[];
}

/**
 * @param system the one that is asked about; its answer on the first evaluation, and on which others it is the same
 * @param learning what training taught there is said last
 */
export function comparisonAnswer(
  evaluations: readonly Evaluation[],
  system: string,
  learning?: Learning,
): ComparisonAnswer {
  const answers = evaluations.flatMap(({ name, users, historyEffects = [] }) => {
    const effect = historyEffects.find((each) => each.system === system);
    if (effect === undefined) return [];
    const [total, own] = [shownSide(effect.total, users), shownSide(effect.userSpecific, users)];
    const kind: FindingKind = total === 0 && own === 0 ? 'open' : 'shown';
    return [{ name, kind, sentence: historyAnswer(total, own) }];
  });
  const first = answers[0] ?? { name: '', kind: 'open' as const, sentence: historyAnswer(0, 0) };
  const differing = answers.filter(({ sentence }) => sentence !== first.sentence).map(({ name }) => name);
  const scope = differing.length === 0 ? '' : ` This is for ${first.name}; ${listed(differing)} differ.`;
  const learnt = learning === undefined ? '' : learningText(evaluations[0]!, learning);
  return { kind: first.kind, sentence: `${first.sentence}${scope} ${learnt}`.trim() };
}

/**
 * What training did to the likelihood of users' texts with their own histories, in a sentence a system; '' where nothing was shown.
 * @param learning `before` is the system that training began from
 */
export function learningText(
  { systems, differences = [], users }: Evaluation,
  { before, after }: Learning,
): string {
  const nll = (name: string) => systems.find((system) => system.name === name)?.nllWithHistory;
  const moved = (system: string) => {
    const found = differences.find(
      (each) => each.system === system && each.baseline === before && each.measure === 'nllWithHistory',
    );
    return found === undefined ? 0 : shownSide(found.estimate, users);
  };
  const from = nll(before);
  const learnt = after.filter((system) => moved(system) < 0 && nll(system) !== undefined);
  if (from === undefined || learnt.length === 0) return '';
  const to = learnt.map((system) => `${decimal(nll(system)!.value)} (${system})`);
  return `Fine-tuning taught it these users: a token of theirs cost ${decimal(from.value)} nats before, and ${listed(to)} after.`;
}
