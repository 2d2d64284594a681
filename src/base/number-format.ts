/** @file Numbers as people read them: a true minus sign, no negative zero, enough digits for the interval to mean something. */
import type { Estimate } from './statistics/estimate.ts';

/** Fixed decimals with a true minus sign; `−0.00` becomes `0.00`, and what is not finite `–`. */
export function decimal(value: number, digits = 2): string {
  if (!Number.isFinite(value))
    return value === Number.NEGATIVE_INFINITY ? '−∞' : Number.isNaN(value) ? '–' : '∞';
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/** As {@link decimal}, with a plus sign for what is above zero. */
export function signed(value: number, digits = 2): string {
  const text = decimal(value, digits);
  return value > 0 && (!Number.isFinite(value) || Number(text) !== 0) ? `+${text}` : text;
}

/** As few digits as show the width of the interval, 2 to 5; an end that is not zero does not read as zero. */
export function digitsOf({ low, high }: Estimate): number {
  const width = high - low;
  let digits = width > 0 && Number.isFinite(width) ? Math.ceil(-Math.log10(width)) + 1 : 2;
  digits = Math.min(Math.max(digits, 2), 4);
  const vanishes = [low, high].some((end) => end !== 0 && Number(Math.abs(end).toFixed(digits)) === 0);
  return vanishes ? Math.min(digits + 1, 5) : digits;
}

/** `p = 0.012`, or `p < 0.001`: more digits than a resampled p-value has would mislead. */
export function pValueText(pValue: number): string {
  return pValue < 0.001 ? 'p < 0.001' : `p = ${decimal(pValue, 3)}`;
}

/** Whether an interval is known: a single user gives none. */
export const hasInterval = ({ low, high }: Estimate) => low !== high;

/** `0.31 [0.27, 0.35]`; `0.31` where no interval is known, or where it says no more. */
export function estimateText(estimate: Estimate, digits = digitsOf(estimate)): string {
  const [value, low, high] = [estimate.value, estimate.low, estimate.high].map((n) => decimal(n, digits));
  if (!hasInterval(estimate) || (low === value && high === value)) return value!;
  return `${value} [${low}, ${high}]`;
}
