/** @file P-values against values drawn under the null hypothesis, and their adjustment for many tests. */
import { DataError } from '../errors.ts';
import { requireFinite } from './estimate.ts';

/** Which departures from the null hypothesis count; `two-sided` is twice the smaller tail, 1 at most. */
export type Alternative = 'two-sided' | 'greater' | 'less';

export interface PValueOptions {
  /** Default `two-sided`. */
  readonly alternative?: Alternative;
  /**
   * Whether the null values are all there can be, the observed one among them. Otherwise they are a sample, and the
   * observed value is counted as one more of them (+1 in both counts), so that no p-value is 0. Default false.
   */
  readonly exact?: boolean;
}

/** Values nearer than this, relative to the observed one, are the same number summed in another order. */
const TIE = 100 * Number.EPSILON;

/**
 * The p-value of each observed value against one null distribution.
 *
 * Where the null is pooled over tokens, such as other users' histories against each other's, it says how often a token
 * drawn at random would show as much without an effect: one token's k other histories alone cannot give less than 1/(k + 1).
 * @param observed finite
 * @param nullValues at least one, finite, any order
 * @returns in (0, 1], in the order of `observed`; f64[N]
 * @throws {DataError} when there is nothing to compare with, or a value is not finite
 * Cost: O((M + N) log M) for M null values.
 */
export function pValues(
  observed: ArrayLike<number>,
  nullValues: ArrayLike<number>,
  { alternative = 'two-sided', exact = false }: PValueOptions = {},
): Float64Array {
  if (observed.length === 0) return new Float64Array();
  requireFinite('observed', observed);
  requireFinite('null distribution', nullValues);
  const sorted = Float64Array.from(nullValues).sort();
  const added = exact ? 0 : 1;
  const share = (count: number) => (count + added) / (sorted.length + added);
  return Float64Array.from(observed, (value) => {
    const slack = Math.abs(value) * TIE;
    const greater = share(sorted.length - countBelow(sorted, value - slack, false));
    const less = share(countBelow(sorted, value + slack, true));
    if (alternative === 'greater') return greater;
    if (alternative === 'less') return less;
    return Math.min(1, 2 * Math.min(greater, less));
  });
}

/** How many of the ascending values lie below `bound`, or at it where `including`. */
function countBelow(sorted: Float64Array, bound: number, including: boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < bound || (including && sorted[middle] === bound)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * P-values adjusted by Benjamini and Hochberg (1995): the smallest false discovery rate at which each is found. Those at
 * or below a rate q are discoveries of which, in expectation, at most a share q is false, for tests that are independent
 * or positively dependent.
 *
 * $$ q_{(i)} = min_{j ≥ i} p_{(j)} N / j $$
 * @param ps in [0, 1]
 * @returns in [0, 1], in the order of `ps`; f64[N]
 * @throws {DataError} when a p-value is not in [0, 1]
 */
export function falseDiscoveryRates(ps: ArrayLike<number>): Float64Array {
  const n = ps.length;
  requirePValues(ps);
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => ps[a]! - ps[b]!);
  const rates = new Float64Array(n);
  let smallest = 1;
  for (let rank = n; rank >= 1; rank--) {
    const index = order[rank - 1]!;
    smallest = Math.min(smallest, (ps[index]! * n) / rank);
    rates[index] = smallest;
  }
  return rates;
}

/**
 * P-values adjusted by Holm (1979): the chance of one false finding or more among all tests stays below the level, whatever their
 * dependence.
 *
 * $$ a_{(i)} = max_{j ≤ i} min(1, (N − j + 1) p_{(j)}) $$
 * @param ps in [0, 1]
 * @returns in [0, 1], in the order of `ps`; f64[N]
 * @throws {DataError} when a p-value is not in [0, 1]
 */
export function holmAdjusted(ps: ArrayLike<number>): Float64Array {
  requirePValues(ps);
  const n = ps.length;
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => ps[a]! - ps[b]!);
  const adjusted = new Float64Array(n);
  let largest = 0;
  order.forEach((index, rank) => {
    largest = Math.max(largest, Math.min(1, (n - rank) * ps[index]!));
    adjusted[index] = largest;
  });
  return adjusted;
}

function requirePValues(ps: ArrayLike<number>): void {
  for (let i = 0; i < ps.length; i++)
    if (!(ps[i]! >= 0 && ps[i]! <= 1))
      throw new DataError(`p-value ${i}: expected a number from 0 to 1, got ${ps[i]}`, {
        code: 'data/p-value',
        hint: 'Give p-values, not test statistics.',
      });
}
