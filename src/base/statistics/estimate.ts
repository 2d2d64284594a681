/** @file A measured number with its interval, and the quantiles that intervals are read from. */
import { DataError } from '../errors.ts';

/** A measured number and its interval; where one user gives all the data, low = high = value: no interval is known. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Users, or texts of one user, that an interval over them needs at least. All of four agree in sign by chance once in eight
 * times, and then a bootstrap over them excludes 0.
 */
export const FEWEST_FOR_INTERVAL = 5;

/** The estimate over so many users; without an interval where they are fewer than {@link FEWEST_FOR_INTERVAL}. */
export function intervalOfEnough({ value, low, high }: Estimate, users: number): Estimate {
  return users < FEWEST_FOR_INTERVAL ? { value, low: value, high: value } : { value, low, high };
}

/** 1 where the whole interval lies above `reference`, −1 where below, 0 where it holds it. */
export function sideOf({ low, high }: Estimate, reference = 0): -1 | 0 | 1 {
  if (low > reference) return 1;
  return high < reference ? -1 : 0;
}

/** The side that an estimate over so many users was shown to lie on; 0 with fewer than {@link FEWEST_FOR_INTERVAL}. */
export function shownSide(estimate: Estimate, users: number, reference = 0): -1 | 0 | 1 {
  return users < FEWEST_FOR_INTERVAL ? 0 : sideOf(estimate, reference);
}

/**
 * The quantile of `values` at `probability` by linear interpolation between order statistics (numpy's default, type 7).
 * @param values any order, at least one, all finite
 * @param probability in [0, 1]
 * @throws {DataError} when there are no values or one is not finite
 */
export function quantile(values: ArrayLike<number>, probability: number): number {
  requireFinite('quantile', values);
  return quantileOfSorted(Float64Array.from(values).sort(), probability);
}

/** {@link quantile} of values that are in ascending order and finite. */
export function quantileOfSorted(sorted: Float64Array, probability: number): number {
  const position = Math.min(Math.max(probability, 0), 1) * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (position - below) * (sorted[above]! - sorted[below]!);
}

/** @throws {DataError} when there are no values or one is not finite; `subject` begins the message */
export function requireFinite(subject: string, values: ArrayLike<number>): void {
  if (values.length === 0) {
    throw new DataError(`${subject}: expected at least one value, got none`, {
      code: 'data/empty',
      hint: 'Give at least one example.',
    });
  }
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) {
      throw new DataError(`${subject}: value ${i}: expected a finite number, got ${values[i]}`, {
        code: 'data/not-finite',
        hint: 'Check the scores that went in: a NaN loss or an empty response gives none.',
      });
    }
  }
}
