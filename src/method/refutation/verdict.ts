/** @file How an interval is judged: wholly where it should be, wholly where it should not, or neither. */

import type { Estimate } from '../../base/statistics/estimate.ts';
import { decimal, digitsOf } from '../explain/number-format.ts';
import type { Judgement, Measured } from './refutation-test.ts';

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
  const range = Number.isFinite(from)
    ? `from ${decimal(from, 1)} to ${decimal(to, 1)}`
    : `below ${decimal(to, 1)}`;
  return ({ kept }) => {
    if (kept === undefined)
      return {
        verdict: 'cannot tell',
        why: 'No user-specific effect was shown of which a share could be taken.',
      };
    const text = `${shareText(kept)} of C is left`;
    if (kept.low >= from && kept.high <= to) return { verdict: 'passes', why: `${text}; expected ${range}.` };
    if (kept.high < from || kept.low > to)
      return {
        verdict: 'fails',
        why: `${text}, which is wholly outside of what is expected, ${range}.`,
      };
    return {
      verdict: 'cannot tell',
      why: `${text}, an interval that reaches out of what is expected, ${range}: score more users.`,
    };
  };
}

/** `0.97 (95% 0.95 to 1.00)`. */
export function shareText(estimate: Estimate): string {
  const digits = digitsOf(estimate);
  const [value, low, high] = [estimate.value, estimate.low, estimate.high].map((n) => decimal(n, digits));
  return `${value} (95% ${low} to ${high})`;
}
