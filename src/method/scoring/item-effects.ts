/**
 * @file Which items of a history carry its effect: D_i of every item, with an interval over random subsets of the others.
 *
 * s(h) is the mean log-probability of a response token, and D_i what effects/named-effects.ts defines.
 */

import { ConfigError } from '../../base/errors.ts';
import type { ProgressListener } from '../../base/progress.ts';
import { randomStream } from '../../base/random.ts';
import { quantile } from '../../base/statistics/estimate.ts';
import { mean } from '../../base/statistics/mean.ts';
import type { Example, HistoryItem } from '../data/example.ts';
import { itemEffect, totalEffect } from '../effects/named-effects.ts';
import { type PromptSettings, promptPair } from '../prompts/pair.ts';
import { type ItemKind, itemKind, NEAR_ZERO } from './item-kinds.ts';
import type { ScoredModel } from './scored-model.ts';
import { createScorer, type ScorerOptions } from './scorer.ts';

/** The effect of one item, nats a response token. */
export interface ItemEffect {
  readonly item: HistoryItem;
  /** Its place in the example's history, 0 for the oldest. */
  readonly index: number;
  /** D_i = s(h) − s(h without the item). */
  readonly effect: number;
  /** Mean over the subsets of s(S with the item) − s(S), S a random subset of the other items. */
  readonly mean: number;
  /** 95 % of those differences lie between: how far the item's effect depends on which others are there. */
  readonly low: number;
  readonly high: number;
  readonly kind: ItemKind;
  /** For a redundant item: the id of the item that stands in for it. */
  readonly twin?: string;
  /** log p(y_t | h) − log p(y_t | h without the item), f32[S]; its mean is D_i. */
  readonly tokenEffects: Float32Array;
  /** log p(y_t | S with the item) − log p(y_t | S), mean over the subsets, f32[S]; its mean is {@link mean}. */
  readonly tokenMeans: Float32Array;
}

/** The items of one example that fit its prompt, oldest first. */
export interface ExampleItemEffects {
  readonly example: Example;
  readonly items: readonly ItemEffect[];
  /** A = s(h) − s(∅): what the items do together. */
  readonly total: number;
}

/** How effects of items are computed. */
export interface ItemEffectsOptions extends Omit<ScorerOptions, 'objective' | 'objectiveOptions'> {
  readonly prompt: PromptSettings;
  /** Random subsets for each item; all of them where there are no more; 16 by default. */
  readonly subsets?: number;
  /** {@link NEAR_ZERO} by default. */
  readonly nearZero?: number;
  /** Draws the subsets; 0 by default. */
  readonly seed?: number;
  readonly onProgress?: ProgressListener;
}

/**
 * D_i of every item that fits the prompt, for each example in order; no items for an example of which none fits.
 * Direct effects on the tokens as they were written: they need not add up to the total, and say nothing of free generation.
 * @throws {ConfigError} when the number of subsets is not whole or below 1
 * @throws {DataError} when a prompt does not fit even without history
 * Cost: for N items at most 2 + N + N(N − 1)/2 passes (all, none, all but one, all but two), and two for each subset of
 * each item; every distinct one once.
 */
export async function* itemEffects(
  scored: ScoredModel,
  examples: readonly Example[],
  options: ItemEffectsOptions,
): AsyncGenerator<ExampleItemEffects> {
  const { prompt, subsets = 16, nearZero = NEAR_ZERO, seed = 0, onProgress } = options;
  if (!Number.isInteger(subsets) || subsets < 1)
    throw new ConfigError(`subsets: expected a whole number of at least 1, got ${subsets}`, {
      code: 'config/subsets',
      hint: 'Ask for 16 subsets of each item.',
    });
  const { tokenizer } = scored.model;
  // Only prompts with a history are compared here: another user's in place of none is not asked for.
  const settings: PromptSettings =
    prompt.reference === 'placebo' ? { ...prompt, reference: 'removed' } : prompt;
  await using scorer = createScorer(scored, options);
  for (const [done, example] of examples.entries()) {
    const { shown: used, responseIds } = promptPair(example, tokenizer, settings);
    const count = used.length;
    const drawn = used.map((_, i) => subsetsOfOthers(count, i, subsets, seed, `effects/items/${example.id}`));
    const wanted = wantedSubsets(count, drawn);
    const logProbabilities = await scorer.logProbabilities(
      wanted.map((kept) => {
        const history = used.filter((_, i) => kept[i]);
        return {
          promptIds: promptPair(example, tokenizer, settings, { history }).withHistoryIds,
          responseIds,
        };
      }),
    );
    const byKey = new Map(wanted.map((kept, w) => [keyOf(kept), logProbabilities[w]!]));
    const tokens = (kept: Subset) => byKey.get(keyOf(kept))!;
    const score = (kept: Subset) => mean(tokens(kept));
    const all: Subset = used.map(() => true);
    const items = used.map((item, i): ItemEffect => {
      const marginal = (shown: Subset) => itemEffect(score(shown), score(without(shown, i)));
      const effect = marginal(all);
      const differences = drawn[i]!.map(marginal);
      const others = used.flatMap((_, j) => (j === i ? [] : [{ j, effect: marginal(without(all, j)) }]));
      const twin = others.reduce((best, other) => (other.effect > best.effect ? other : best), {
        j: -1,
        effect: Number.NEGATIVE_INFINITY,
      });
      const kind = itemKind(effect, twin.effect, nearZero);
      const [full, rest] = [tokens(all), tokens(without(all, i))];
      return {
        item,
        index: example.history.indexOf(item),
        effect,
        mean: mean(differences),
        low: quantile(differences, 0.025),
        high: quantile(differences, 0.975),
        kind,
        ...(kind === 'redundant' ? { twin: used[twin.j]!.id } : {}),
        tokenEffects: full.map((value, t) => itemEffect(value, rest[t]!)),
        tokenMeans: full.map((_, t) =>
          mean(drawn[i]!.map((kept) => itemEffect(tokens(kept)[t]!, tokens(without(kept, i))[t]!))),
        ),
      };
    });
    yield { example, items, total: totalEffect(score(all), score(used.map(() => false))) };
    onProgress?.({ stage: 'items', done: done + 1, total: examples.length, unit: 'examples' });
  }
}

/** Which of the used items are shown. */
type Subset = readonly boolean[];

const keyOf = (kept: Subset) => kept.map(Number).join('');
const without = (kept: Subset, i: number): Subset => kept.map((shown, j) => shown && j !== i);

/** Subsets that hold item `i` and a random half of the others; all of them where there are no more than asked for. */
function subsetsOfOthers(count: number, i: number, subsets: number, seed: number, name: string): Subset[] {
  const bits = count - 1;
  const withItem = (shown: (j: number) => boolean): Subset =>
    Array.from({ length: count }, (_, j) => j === i || shown(j < i ? j : j - 1));
  if (2 ** bits <= subsets)
    return Array.from({ length: 2 ** bits }, (_, mask) => withItem((j) => ((mask >> j) & 1) === 1));
  const random = randomStream(seed, `${name}/${i}`);
  return Array.from({ length: subsets }, () => {
    const shown = Array.from({ length: bits }, () => random.next() < 0.5);
    return withItem((j) => shown[j]!);
  });
}

/** Every distinct subset that an effect of the example is made of. */
function wantedSubsets(count: number, drawn: readonly (readonly Subset[])[]): Subset[] {
  const all: Subset = new Array<boolean>(count).fill(true);
  const wanted = new Map<string, Subset>();
  const want = (kept: Subset) => wanted.set(keyOf(kept), kept);
  want(all);
  want(all.map(() => false));
  for (let i = 0; i < count; i++) {
    want(without(all, i));
    for (let j = 0; j < i; j++) want(without(without(all, i), j));
    for (const kept of drawn[i]!) {
      want(kept);
      want(without(kept, i));
    }
  }
  return [...wanted.values()];
}
