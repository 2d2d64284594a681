/** @file How an interval is judged: wholly where it should be, wholly where it should not, or neither; one rule for all tests. */

import type { Estimate } from '../../base/statistics/estimate.ts';
import type { Judgement, Measured, Verdict } from './refutation-test.ts';

/** From the least to the largest number, both included. */
export type Range = readonly [from: number, to: number];

/**
 * Passes where the whole interval lies in what is expected, fails where it lies in what refutes the test, and cannot tell
 * where it reaches beyond both: there it holds numbers that would pass as well as such that would not.
 * @param refuted ranges; where one shares numbers with `expected`, what lies in both passes
 */
export function verdictOf({ low, high }: Estimate, expected: Range, refuted: readonly Range[]): Verdict {
  const liesIn = ([from, to]: Range) => low >= from && high <= to;
  return liesIn(expected) ? 'passes' : refuted.some(liesIn) ? 'fails' : 'cannot tell';
}

/** Nats a token below which a difference is rounding: log-probabilities are f32 sums over thousands of products. */
export const ROUNDING = 1e-5;

/**
 * The share of C by which a control that should not matter may move it, and that may be left where nothing should be.
 * One number for all tests and models: what is more than half gone, or more than half kept, is nobody's rounding.
 */
export const HALF = 0.5;

/**
 * The judgement of a test by the share of C that is left.
 * @param from the least share that is as expected; −∞ where any smaller one is
 * @param to the largest
 */
export function keptWithin(from: number, to: number): (measured: Measured) => Judgement {
  const outside: Range[] = [
    [Number.NEGATIVE_INFINITY, from],
    [to, Number.POSITIVE_INFINITY],
  ];
  return ({ kept }) =>
    kept === undefined
      ? { verdict: 'cannot tell', reason: { code: 'no-effect' } }
      : { verdict: verdictOf(kept, [from, to], outside), reason: { code: 'share', kept, from, to } };
}
