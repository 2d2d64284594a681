/** @file The mean of numbers in f64, whatever they are stored as. */
import { expect, test } from 'vitest';
import { mean } from '../../../src/base/statistics/mean.ts';

test('the sum over the count, in f64 for f32 values too; NaN for nothing', () => {
  expect(mean([1, 2, 6])).toBe(3);
  // In f32 the sum would stay at 2 ** 24.
  expect(mean(Float32Array.of(2 ** 24, 1, 1))).toBe((2 ** 24 + 2) / 3);
  expect(mean([])).toBeNaN();
});
