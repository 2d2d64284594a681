/** @file The exponential moving average of trained weights: kept beside them, saved in checkpoints, bit for bit the same again. */
import type { FlatParameters } from './flat-parameters.ts';

/**
 * $$ \bar\theta \leftarrow d\,\bar\theta + (1 - d)\,\theta $$ in place, in f64 and rounded to f32.
 * @param parameters with a buffer for the average
 * @param decay d, 0 … 1
 */
export function updateAverage({ weights, average }: FlatParameters, decay: number): void {
  for (let i = 0; i < weights.length; i++) average![i] = decay * average![i]! + (1 - decay) * weights[i]!;
}
