/** @file Statistics against hand-computed cases and brute force. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/base/errors.ts';
import { randomStream } from '../../src/base/random.ts';
import {
  auc,
  aucByUser,
  meanByUser,
  pairedDifferenceByUser,
  quantile,
  type UserScore,
  type UserValue,
} from '../../src/base/statistics.ts';

interface Golden {
  readonly auc: { name: string; scores: number[]; positives: boolean[]; auc: number }[];
  readonly quantiles: { values: number[]; probabilities: number[]; quantiles: number[] }[];
  readonly meanByUser: Bootstrap<UserValue>;
  readonly aucByUser: Bootstrap<UserScore>;
}
interface Bootstrap<Row> {
  readonly rows: Row[];
  readonly value: number;
  readonly resamples: number[][];
  readonly intervals: { level: number; low: number; high: number }[];
}
const golden = JSON.parse(
  readFileSync(new URL('../golden/statistics.json', import.meta.url), 'utf8'),
) as Golden;

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
});

describe('meanByUser', () => {
  it('counts a user with many rows as much as a user with one', () => {
    const rows = [
      { user: 'a', value: 1 },
      { user: 'a', value: 3 },
      { user: 'a', value: 5 },
      { user: 'b', value: 9 },
    ];
    expect(meanByUser(rows).value).toBe(6);
  });

  it('gives the percentiles of the exact bootstrap distribution of two users', () => {
    // Two users draw (a,a), (a,b), (b,a), (b,b): means 0, 1, 1, 2 with odds 1 : 2 : 1.
    const estimate = meanByUser([
      { user: 'a', value: 0 },
      { user: 'b', value: 2 },
    ]);
    expect(estimate).toEqual({ value: 1, low: 0, high: 2 });
    const narrow = meanByUser(
      [
        { user: 'a', value: 0 },
        { user: 'b', value: 2 },
      ],
      { level: 0.4 },
    );
    expect(narrow).toEqual({ value: 1, low: 1, high: 1 });
  });

  it('covers the normal interval of the mean of many users', () => {
    const stream = randomStream(1, 'test');
    const rows = Array.from({ length: 400 }, (_, i) => ({ user: `u${i}`, value: stream.normal() }));
    const { value, low, high } = meanByUser(rows);
    // Standard error 1/√400 = 0.05; the sample's own deviation and 2000 resamples move the ends by a few percent.
    expect(high - value).toBeGreaterThan(0.085);
    expect(high - value).toBeLessThan(0.115);
    expect(value - low).toBeGreaterThan(0.085);
    expect(value - low).toBeLessThan(0.115);
  });

  it('repeats for a seed and changes with it', () => {
    const rows = Array.from({ length: 20 }, (_, i) => ({ user: `u${i}`, value: (i * 7919) % 13 }));
    expect(meanByUser(rows, { seed: 3 })).toEqual(meanByUser(rows, { seed: 3 }));
    expect(meanByUser(rows, { seed: 3 })).not.toEqual(meanByUser(rows, { seed: 4 }));
  });

  it('has no width when there is one user only', () => {
    expect(meanByUser([{ user: 'a', value: 2 }])).toEqual({ value: 2, low: 2, high: 2 });
  });

  it('refuses no rows and NaN', () => {
    expect(() => meanByUser([])).toThrow('expected at least one value');
    expect(() => meanByUser([{ user: 'a', value: Number.NaN }])).toThrow(DataError);
  });
});

describe('pairedDifferenceByUser', () => {
  const system = [
    { example: '1', user: 'a', value: 3 },
    { example: '2', user: 'a', value: 5 },
    { example: '3', user: 'b', value: 100 },
  ];

  it('joins by example and not by order', () => {
    const baseline = [
      { example: '3', user: 'b', value: 98 },
      { example: '2', user: 'a', value: 3 },
      { example: '1', user: 'a', value: 1 },
    ];
    expect(pairedDifferenceByUser(system, baseline)).toEqual({ value: 2, low: 2, high: 2 });
  });

  it('changes its sign when the systems are swapped', () => {
    const baseline = system.map((row, i) => ({ ...row, value: i }));
    const forth = pairedDifferenceByUser(system, baseline);
    const back = pairedDifferenceByUser(baseline, system);
    expect(back.value).toBeCloseTo(-forth.value, EXACT);
    expect(back.low).toBeCloseTo(-forth.high, EXACT);
    expect(back.high).toBeCloseTo(-forth.low, EXACT);
  });

  it('refuses a missing example on either side, a doubled one and two users of one example', () => {
    expect(() => pairedDifferenceByUser(system, system.slice(1))).toThrow(
      'example "1": expected a row of the baseline',
    );
    expect(() => pairedDifferenceByUser(system.slice(1), system)).toThrow(
      'example "1": expected a row of the system',
    );
    expect(() => pairedDifferenceByUser(system, [...system, system[0]!])).toThrow('"1" twice');
    const renamed = system.map((row) => ({ ...row, user: 'z' }));
    expect(() => pairedDifferenceByUser(system, renamed)).toThrow('expected one user, got "a" and "z"');
  });
});

describe('auc', () => {
  it('is 1 for perfect order, 0 for reversed order and a half for equal scores', () => {
    expect(auc([1, 2, 3, 4], [false, false, true, true])).toBe(1);
    expect(auc([4, 3, 2, 1], [false, false, true, true])).toBe(0);
    expect(auc([1, 1, 1, 1], [false, false, true, true])).toBe(0.5);
  });

  it('counts ties half in a case worked by hand', () => {
    // Positives 0.8, 0.5; negatives 0.5, 0.1, 0.9: 0.8 beats two of three, 0.5 beats one and ties one.
    expect(auc([0.8, 0.5, 0.5, 0.1, 0.9], [true, true, false, false, false])).toBeCloseTo(3.5 / 6, EXACT);
  });

  it('refuses one class, unequal lengths and scores that are not finite', () => {
    expect(() => auc([1, 2], [true, true])).toThrow('expected positives and negatives, got 2 and 0');
    expect(() => auc([1, 2], [false, false])).toThrow('got 0 and 2');
    expect(() => auc([1, 2], [true])).toThrow('expected 2 labels');
    expect(() => auc([1, Number.POSITIVE_INFINITY], [true, false])).toThrow(DataError);
  });
});

describe('aucByUser', () => {
  const stream = randomStream(7, 'test/auc');
  const rows = Array.from({ length: 4000 }, (_, i) => {
    const positive = stream.next() < 0.3;
    // Rounded, so that there are ties.
    return {
      user: `u${i % 30}`,
      positive,
      score: Math.round(4 * (stream.normal() + (positive ? 1 : 0))) / 4,
    };
  });
  const bruteForce = (items: typeof rows) => {
    let pairs = 0;
    let won = 0;
    for (const positive of items.filter((row) => row.positive)) {
      for (const negative of items.filter((row) => !row.positive)) {
        pairs += 1;
        won += positive.score > negative.score ? 1 : positive.score === negative.score ? 0.5 : 0;
      }
    }
    return won / pairs;
  };

  it('equals a count over all pairs', () => {
    const some = rows.slice(0, 600);
    expect(aucByUser(some).value).toBeCloseTo(bruteForce(some), EXACT);
    expect(
      auc(
        some.map((row) => row.score),
        some.map((row) => row.positive),
      ),
    ).toBeCloseTo(bruteForce(some), EXACT);
  });

  it('resamples whole users: with two users its ends are the users drawn twice', () => {
    const two = [
      ...rows.slice(0, 40).map((row) => ({ ...row, user: 'a' })),
      ...rows.slice(40, 140).map((row) => ({ ...row, user: 'b', score: row.score * (row.positive ? 1 : 2) })),
    ];
    const alone = ['a', 'b'].map((user) => bruteForce(two.filter((row) => row.user === user)));
    const { low, high } = aucByUser(two);
    expect(low).toBeCloseTo(Math.min(...alone, bruteForce(two)), EXACT);
    expect(high).toBeCloseTo(Math.max(...alone, bruteForce(two)), EXACT);
  });

  it('takes well under a second for thousands of tokens of thirty users', () => {
    const start = performance.now();
    const { value, low, high } = aucByUser(rows);
    expect(performance.now() - start).toBeLessThan(1000);
    expect(low).toBeLessThan(value);
    expect(high).toBeGreaterThan(value);
    // Two normals one standard deviation apart: Φ(1/√2) = 0.760.
    expect(value).toBeGreaterThan(0.74);
    expect(value).toBeLessThan(0.78);
  });

  it('leaves out resamples that hold one class only', () => {
    const lopsided = [
      { user: 'a', score: 2, positive: true },
      { user: 'b', score: 1, positive: false },
    ];
    expect(aucByUser(lopsided)).toEqual({ value: 1, low: 1, high: 1 });
  });
});

describe('the golden statistics of numpy and scikit-learn', () => {
  it.each(golden.auc)('agree on the AUC of $name', ({ scores, positives, auc: expected }) => {
    expect(auc(scores, positives)).toBeCloseTo(expected, EXACT);
  });

  it.each(golden.quantiles)('agree on the quantiles of $values', ({ values, probabilities, quantiles }) => {
    for (const [i, probability] of probabilities.entries()) {
      expect(quantile(values, probability)).toBeCloseTo(quantiles[i]!, EXACT);
    }
  });

  it('agree on means by user and their intervals, resample for resample', () => {
    const { rows, value, resamples, intervals } = golden.meanByUser;
    for (const { level, low, high } of intervals) {
      const estimate = meanByUser(rows, { resamples, level });
      expect(estimate.value).toBeCloseTo(value, EXACT);
      expect(estimate.low).toBeCloseTo(low, EXACT);
      expect(estimate.high).toBeCloseTo(high, EXACT);
    }
  });

  it('agree on the pooled AUC and its intervals, resample for resample', () => {
    const { rows, value, resamples, intervals } = golden.aucByUser;
    for (const { level, low, high } of intervals) {
      const estimate = aucByUser(rows, { resamples, level });
      expect(estimate.value).toBeCloseTo(value, EXACT);
      expect(estimate.low).toBeCloseTo(low, EXACT);
      expect(estimate.high).toBeCloseTo(high, EXACT);
    }
  });
});
