/** @file Extremes of more numbers than a call has arguments. */
import { expect, it } from 'vitest';
import { largest, smallest } from '../../src/base/largest.ts';

// Math.max(...values) throws a RangeError for as many.
it('extremes of a million numbers', () => {
  const values = Array.from({ length: 1_000_000 }, (_, i) => (i * 7919) % 1_000_003);
  expect([largest(values), smallest(values)]).toEqual([1_000_002, 0]);
  expect([largest([]), smallest([])]).toEqual([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
  expect(largest([1, Number.NaN, 2])).toBeNaN();
});
