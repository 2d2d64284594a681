/** @file A microbatch as the training graph takes it: its padded passes, over the same response tokens. */
import type { TokenBatch } from '../../engine/models/token-inputs.ts';
import type { PassName } from '../objectives/plan.ts';
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

/** A microbatch; all passes hold the same examples in the same order, and the same response tokens. */
export interface TrainingBatch {
  readonly withHistory?: PassBatch;
  readonly withoutHistory?: PassBatch;
  /** With another user's history; for an example that has none to be compared with, the own prompt again. */
  readonly otherHistory?: PassBatch;
  /** For each example. */
  readonly hasHistory: readonly boolean[];
  /** For each example, where there is a pass with another user's history: whether there is one to be compared with. */
  readonly isCompared?: readonly boolean[];
  /** For each example, where token weights need effects that the passes do not give. */
  readonly estimates?: readonly TokenEstimate[];
}

const passNames = ['withHistory', 'withoutHistory', 'otherHistory'] as const satisfies readonly PassName[];

/** The microbatch with each of its passes changed. */
export function withEachPass(batch: TrainingBatch, change: (pass: PassBatch) => PassBatch): TrainingBatch {
  const changed = passNames.flatMap((name) => {
    const pass = batch[name];
    return pass === undefined ? [] : [[name, change(pass)] as const];
  });
  return { ...batch, ...Object.fromEntries(changed) };
}
