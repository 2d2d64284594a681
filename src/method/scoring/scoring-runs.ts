/** @file What a scorer is made of: runs that score distinct items, and what every engine of such runs holds to. */
import { EngineError } from '../../base/errors.ts';
import type { ScoredPrompt } from '../prompts/collate.ts';
import type { PromptPair } from '../prompts/pair.ts';
import type { PairEffects } from './pair-effects.ts';
import type { ScoredRun } from './score-keeper.ts';

/** Scores of distinct items, run by run; those that are not wanted are left out. */
export interface ScoringRuns extends AsyncDisposable {
  logProbabilities(
    prompts: readonly ScoredPrompt[],
    isWanted: (place: number) => boolean,
  ): AsyncIterable<ScoredRun>;
  effects(pairs: readonly PromptPair[], isWanted: (place: number) => boolean): AsyncIterable<ScoredRun>;
}

/** Places of the items that are to be scored. */
export const wantedPlaces = (count: number, isWanted: (place: number) => boolean): number[] =>
  Array.from({ length: count }, (_, place) => place).filter(isWanted);

/** One prompt: its second pass differs by rounding only, and the effect is 0 by definition. */
export function withoutEffect({ logProbWithHistory, divergenceAtLeast, weight }: PairEffects): PairEffects {
  const zero = new Float32Array(weight.length);
  const logProbWithoutHistory = logProbWithHistory;
  return {
    logProbWithHistory,
    logProbWithoutHistory,
    probability: zero,
    logRatio: zero,
    divergence: zero,
    ...(divergenceAtLeast && { divergenceAtLeast: zero }),
    weight,
  };
}

/** Without this check a NaN would be drawn as "no effect", cached, and later reported as bad data. */
export function notFinite(values: Float32Array, place: () => string): EngineError | undefined {
  const token = values.findIndex((value) => !Number.isFinite(value));
  if (token < 0) return undefined;
  return new EngineError(
    `${place()}, response token ${token + 1}: expected a finite number, got ${values[token]}`,
    {
      code: 'scoring/nan',
      hint: 'Look for numbers that are not finite in the weights of the model and its adapter.',
    },
  );
}
