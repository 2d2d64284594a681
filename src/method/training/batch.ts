/** @file A microbatch as the training graph takes it: one padded pass or both, over the same response tokens. */
import type { TokenBatch } from '../../engine/models/token-inputs.ts';
import type { TokenEstimate } from './given-effects.ts';

/** One pass of a microbatch: padded tokens, and the flat positions whose logits predict the response tokens. */
export interface PassBatch extends TokenBatch {
  readonly responseRows: BigInt64Array; // [S]
  readonly targets: BigInt64Array; // [S]
  /** The example of each response token. */
  readonly exampleOf: ArrayLike<number>; // [S]
  /** For adapters with dropout: see dropout-noise.ts. */
  readonly noise?: BigInt64Array; // [B · T]
}

/** A microbatch; both passes hold the same examples in the same order, and the same response tokens. */
export interface TrainingBatch {
  readonly withHistory?: PassBatch;
  readonly withoutHistory?: PassBatch;
  /** For each example. */
  readonly hasHistory: readonly boolean[];
  /** For each example, where token weights need effects that the passes do not give. */
  readonly estimates?: readonly TokenEstimate[];
}
