/** @file The noise of dropout for a microbatch: a function of seed, step and example, whoever else is in the microbatch. */
import type { RandomStream } from '../../base/random.ts';
import { oddInteger } from '../../engine/models/noise.ts';
import { type PassBatch, type TrainingBatch, withEachPass } from './batch.ts';

/**
 * The microbatch with the noise of its tokens. A token draws by its distance from the end of its row, so that the same
 * response token has the same mask in all passes: their difference, the effect, is none of dropout's making.
 * @param streamOf the stream of a row's example in this step, new at each call
 */
export function withNoise(batch: TrainingBatch, streamOf: (row: number) => RandomStream): TrainingBatch {
  return withEachPass(batch, (pass) => ({ ...pass, noise: noiseOf(pass, streamOf) }));
}

function noiseOf({ batch, length, attentionMask }: PassBatch, streamOf: (row: number) => RandomStream) {
  const noise = new BigInt64Array(batch * length).fill(1n);
  for (let row = 0; row < batch; row++) {
    const random = streamOf(row);
    for (let at = (row + 1) * length - 1; at >= row * length; at--)
      if (attentionMask[at] === 1) noise[at] = oddInteger(random);
  }
  return noise;
}
