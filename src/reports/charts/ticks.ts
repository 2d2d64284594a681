/** @file Axes of charts: round ticks, and the map from values to pixels. */

/** An axis: where values lie and what is written beside it. */
export interface Axis {
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
  /** Decimals that tell the ticks apart. */
  readonly digits: number;
}

/**
 * An axis over the values with about `count` ticks at multiples of 1, 2 or 5 × 10ᵏ; its ends are ticks.
 * @param values what must fit; not finite ones are passed over, none gives 0 to 1
 */
export function axisOf(values: readonly number[], count = 5): Axis {
  const finite = values.filter(Number.isFinite);
  let low = finite.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  let high = finite.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  if (low > high) [low, high] = [0, 1];
  const size = Math.max(Math.abs(low), Math.abs(high));
  // Narrower than this is one value to a reader, and rounding would eat the ticks.
  if (high - low < 1e-9 * Math.max(size, 1e-3)) {
    const room = size < 1e-9 ? 1 : size * 0.1;
    low -= room;
    high += room;
  }
  const rough = (high - low) / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough * (1 - 1e-9)) ?? 10);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const at = (i: number) => Number((i * step).toFixed(digits));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => at(first + i));
  return { low: at(first), high: at(last), ticks, digits };
}

/** The linear map of an axis onto pixels `from` to `to`, in tenths. */
export function scaleOf(axis: Axis, from: number, to: number): (value: number) => number {
  return (value) =>
    Math.round(10 * (from + ((value - axis.low) / (axis.high - axis.low)) * (to - from))) / 10;
}
