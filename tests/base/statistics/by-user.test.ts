/** @file Means and differences by user against hand-computed cases and numpy. */
import { describe, expect, it } from 'vitest';
import { DataError } from '../../../src/base/errors.ts';
import { randomStream } from '../../../src/base/random.ts';
import { meanByUser, pairedDifferenceByUser, shareByUser } from '../../../src/base/statistics/by-user.ts';
import { statisticsGolden } from '../../support/statistics-golden.ts';

/** Floating-point sums of a few numbers. */
const EXACT = 12;

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
    const stream = randomStream(2, 'test');
    const rows = Array.from({ length: 20 }, (_, i) => ({ user: `u${i}`, value: stream.normal() }));
    expect(meanByUser(rows, { seed: 3 })).toEqual(meanByUser(rows, { seed: 3 }));
    expect(meanByUser(rows, { seed: 3 })).not.toEqual(meanByUser(rows, { seed: 4 }));
  });

  it('has one interval whatever the order of the rows', () => {
    // Resamples were once drawn by the place of a user in the file.
    const stream = randomStream(3, 'test');
    const rows = Array.from({ length: 60 }, (_, i) => ({
      user: `u${i % 24}`,
      value: Math.round(8 * stream.normal()),
    }));
    const { low, high } = meanByUser(rows);
    const other = meanByUser(stream.shuffle(rows));
    expect(other.low).toBeCloseTo(low, 12);
    expect(other.high).toBeCloseTo(high, 12);
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

describe('shareByUser', () => {
  const whole = [
    { example: '1', user: 'a', value: 2 },
    { example: '2', user: 'a', value: 4 },
    { example: '3', user: 'b', value: 9 },
  ];

  it('is a ratio of means over users, not a mean of ratios', () => {
    const part = whole.map((row, i) => ({ ...row, value: [1, 3, 1][i]! }));
    // (2 + 1) / (3 + 9), joined by example and not by order.
    expect(shareByUser(part.toReversed(), whole).value).toBeCloseTo(0.25, EXACT);
  });

  it('has no width where every user keeps the same share', () => {
    const half = whole.map((row) => ({ ...row, value: row.value / 2 }));
    expect(shareByUser(half, whole)).toEqual({ value: 0.5, low: 0.5, high: 0.5 });
  });

  it('refuses measures of different examples', () => {
    expect(() => shareByUser(whole.slice(1), whole)).toThrow(DataError);
  });
});

describe('the golden statistics of numpy', () => {
  it('agree on means by user and their percentile intervals, resample for resample', () => {
    const { rows, value, resamples, intervals } = statisticsGolden.meanByUser;
    for (const { level, low, high } of intervals) {
      const estimate = meanByUser(rows, { resamples, level, method: 'percentile' });
      expect(estimate.value).toBeCloseTo(value, EXACT);
      expect(estimate.low).toBeCloseTo(low, EXACT);
      expect(estimate.high).toBeCloseTo(high, EXACT);
    }
  });
});
