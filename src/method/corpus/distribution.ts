/** @file Whole numbers as a distribution in bounded memory: counted by value, told by quantiles and bars. */

/** A distribution in numbers. */
export interface Distribution {
  readonly least: number;
  readonly median: number;
  readonly mean: number;
  /** Nine tenths are at most this. */
  readonly most90: number;
  readonly most: number;
  /** Bars for a picture: from `low` up to `high`, both included. */
  readonly bars: readonly { readonly low: number; readonly high: number; readonly count: number }[];
}

export interface Counter {
  add(value: number): void;
  /** Undefined where nothing was added. */
  result(): Distribution | undefined;
}

export function counter(): Counter {
  const counts = new Map<number, number>();
  return {
    add: (value) => counts.set(value, (counts.get(value) ?? 0) + 1),
    result: () => {
      const sorted = [...counts].sort(([a], [b]) => a - b);
      if (sorted.length === 0) return undefined;
      const total = sorted.reduce((sum, [, count]) => sum + count, 0);
      const at = (share: number) => {
        let seen = 0;
        for (const [value, count] of sorted) {
          seen += count;
          if (seen >= share * total) return value;
        }
        return sorted.at(-1)![0];
      };
      return {
        least: sorted[0]![0],
        median: at(0.5),
        mean: sorted.reduce((sum, [value, count]) => sum + value * count, 0) / total,
        most90: at(0.9),
        most: sorted.at(-1)![0],
        bars: barsOf(sorted),
      };
    },
  };
}

/** Bars of one value each while there are few, else of doubling width: lengths of texts have long tails. */
function barsOf(sorted: readonly (readonly [number, number])[]): Distribution['bars'] {
  const [least, most] = [sorted[0]![0], sorted.at(-1)![0]];
  const bars: { low: number; high: number; count: number }[] = [];
  if (most - least < 20)
    for (let value = least; value <= most; value++) bars.push({ low: value, high: value, count: 0 });
  else {
    if (least === 0) bars.push({ low: 0, high: 0, count: 0 });
    for (let low = 2 ** Math.floor(Math.log2(Math.max(1, least))); low <= most; low *= 2)
      bars.push({ low, high: low * 2 - 1, count: 0 });
  }
  let bar = 0;
  for (const [value, count] of sorted) {
    while (value > bars[bar]!.high) bar += 1;
    bars[bar]!.count += count;
  }
  return bars;
}
