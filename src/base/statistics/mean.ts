/** @file The mean of some numbers, summed in their order in f64. */

/** @returns NaN for no numbers */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}
