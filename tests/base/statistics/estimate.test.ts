/** @file Quantiles against numpy's and by hand. */
import { describe, expect, it } from 'vitest';
import { DataError } from '../../../src/base/errors.ts';
import { quantile } from '../../../src/base/statistics/estimate.ts';
import { statisticsGolden } from '../../support/statistics-golden.ts';

/** Floating-point sums of a few numbers. */
const EXACT = 12;

describe('quantile', () => {
  it('interpolates between the two nearest order statistics as numpy does', () => {
    expect(quantile([4, 1, 3, 2], 0)).toBe(1);
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(quantile([4, 1, 3, 2], 0.9)).toBeCloseTo(3.7, EXACT);
    expect(quantile([4, 1, 3, 2], 1)).toBe(4);
    expect(quantile([7], 0.3)).toBe(7);
  });

  it('refuses an empty list and values that are not finite', () => {
    expect(() => quantile([], 0.5)).toThrow(DataError);
    expect(() => quantile([1, Number.NaN], 0.5)).toThrow('value 1: expected a finite number, got NaN');
  });

  it.each(statisticsGolden.quantiles)(
    'agree on the quantiles of $values',
    ({ values, probabilities, quantiles }) => {
      for (const [i, probability] of probabilities.entries()) {
        expect(quantile(values, probability)).toBeCloseTo(quantiles[i]!, EXACT);
      }
    },
  );
});
