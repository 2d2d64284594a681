/** @file The largest and the smallest of many numbers: `Math.max(...values)` overflows the stack beyond some 100,000. */

/** −∞ for no numbers; NaN where one is. */
export function largest(values: Iterable<number>): number {
  let found = Number.NEGATIVE_INFINITY;
  for (const value of values) found = Math.max(found, value);
  return found;
}

/** ∞ for no numbers; NaN where one is. */
export function smallest(values: Iterable<number>): number {
  let found = Number.POSITIVE_INFINITY;
  for (const value of values) found = Math.min(found, value);
  return found;
}
