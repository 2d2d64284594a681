/** @file Log-probabilities of one sequence under a model: what other programs are compared with. */
import type { Model } from '../../src/engine/models/model.ts';
import { logitsOf } from './logits.ts';

/** Nats of each token after the first, the last position's logits, and the token that is likeliest there. */
export async function logProbabilitiesOf(model: Model, ids: readonly number[]) {
  const { data, shape } = await logitsOf(model, ids);
  const width = shape[1]!;
  const rowAt = (t: number) => (data as Float32Array).subarray(t * width, (t + 1) * width);
  const ofNext = ids.slice(1).map((id, t) => rowAt(t)[id]! - logSumExp(rowAt(t)));
  const lastLogits = rowAt(ids.length - 1);
  return { ofNext, lastLogits: [...lastLogits], likeliest: lastLogits.indexOf(largest(lastLogits)) };
}

const largest = (row: Float32Array) => row.reduce((a, b) => Math.max(a, b));

function logSumExp(row: Float32Array): number {
  const most = largest(row);
  return most + Math.log(row.reduce((sum, value) => sum + Math.exp(value - most), 0));
}
