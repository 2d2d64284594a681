/** @file The area under the ROC curve against hand-computed cases, brute force and scikit-learn. */
import { describe, expect, it } from 'vitest';
import { DataError } from '../../../src/base/errors.ts';
import { randomStream } from '../../../src/base/random.ts';
import { auc, aucByUser } from '../../../src/base/statistics/auc.ts';
import { statisticsGolden } from '../../support/statistics-golden.ts';

/** Floating-point sums of a few numbers. */
const EXACT = 12;

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

  it('resamples whole users: with two users the ends of the percentile interval are the users drawn twice', () => {
    const two = [
      ...rows.slice(0, 40).map((row) => ({ ...row, user: 'a' })),
      ...rows.slice(40, 140).map((row) => ({ ...row, user: 'b', score: row.score * (row.positive ? 1 : 2) })),
    ];
    const alone = ['a', 'b'].map((user) => bruteForce(two.filter((row) => row.user === user)));
    const { low, high } = aucByUser(two, { method: 'percentile' });
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

describe('the golden statistics of scikit-learn', () => {
  it.each(statisticsGolden.auc)('agree on the AUC of $name', ({ scores, positives, auc: expected }) => {
    expect(auc(scores, positives)).toBeCloseTo(expected, EXACT);
  });

  it('agree on the pooled AUC and its percentile intervals, resample for resample', () => {
    const { rows, value, resamples, intervals } = statisticsGolden.aucByUser;
    for (const { level, low, high } of intervals) {
      const estimate = aucByUser(rows, { resamples, level, method: 'percentile' });
      expect(estimate.value).toBeCloseTo(value, EXACT);
      expect(estimate.low).toBeCloseTo(low, EXACT);
      expect(estimate.high).toBeCloseTo(high, EXACT);
    }
  });
});
