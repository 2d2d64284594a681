/** @file What a scorer gives: log-probabilities of prompts, effects of pairs. */
import type { ScoredPrompt } from '../prompts/collate.ts';
import type { PromptPair } from '../prompts/pair.ts';

/** Effects of the response tokens of one pair, each f32[S]; natural logarithms (see effects.ts). */
export interface PairEffects {
  readonly logProbWithHistory: Float32Array;
  readonly logProbWithoutHistory: Float32Array;
  readonly probability: Float32Array;
  readonly logRatio: Float32Array;
  readonly divergence: Float32Array;
  /** Where a server scored: what the divergence is at least, by the likeliest tokens; NaN where it does not give them. */
  readonly divergenceAtLeast?: Float32Array;
  /** What each token counts for in the objective's fit, its plain share included; sums to 1. */
  readonly weight: Float32Array;
}

export interface Scorer extends AsyncDisposable {
  /** log p of every response token, nats; in the order given. `onDone` counts prompts. */
  logProbabilities(
    prompts: readonly ScoredPrompt[],
    onDone?: (done: number) => void,
  ): Promise<Float32Array[]>;
  /** Effects of every response token, whether it is fitted or not; in the order given. Exactly 0 for pairs without history. */
  effects(pairs: readonly PromptPair[], onDone?: (done: number) => void): Promise<PairEffects[]>;
}
