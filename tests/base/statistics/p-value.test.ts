/** @file P-values against a null distribution and false discovery rates, against scipy and by hand. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../../src/base/errors.ts';
import { randomStream } from '../../../src/base/random.ts';
import { falseDiscoveryRates, holmAdjusted, pValues } from '../../../src/base/statistics/p-value.ts';

const golden = JSON.parse(
  readFileSync(new URL('../../golden/statistics-scipy.json', import.meta.url), 'utf8'),
) as { discovery: { name: string; ps: number[]; rates: number[] }[] };

/** Floating-point products of a few numbers. */
const EXACT = 12;

describe('p-values', () => {
  it('count the observed value among a sampled null, and not among a whole one', () => {
    const nullValues = [1, 2, 3, 4];
    expect([...pValues([5, 4, 0], nullValues, { alternative: 'greater' })]).toEqual([0.2, 0.4, 1]);
    expect([...pValues([4, 0.5], nullValues, { alternative: 'greater', exact: true })]).toEqual([0.25, 1]);
    expect([...pValues([1, 5], nullValues, { alternative: 'less' })]).toEqual([0.4, 1]);
    expect([...pValues([5, 2.5], nullValues)]).toEqual([0.4, 1]);
  });

  it('take a sum in another order for the same number', () => {
    expect(pValues([0.3], [0.1 + 0.2, 1], { alternative: 'less', exact: true })[0]).toBe(0.5);
    expect(pValues([0.1 + 0.2], [0.3, 0], { alternative: 'greater', exact: true })[0]).toBe(0.5);
  });

  it('are uniform where the observed values come from the null', () => {
    const stream = randomStream(3, 'test/p-values');
    const draw = (count: number) => Array.from({ length: count }, () => stream.normal());
    const ps = [...pValues(draw(2000), draw(5000))];
    for (const level of [0.05, 0.2, 0.5]) {
      const share = ps.filter((p) => p <= level).length / ps.length;
      // Three standard errors of a share of 2000.
      expect(Math.abs(share - level)).toBeLessThan(0.035);
    }
  });

  it('let a token survive many tests by a pooled null, which its own two other histories never could', () => {
    const stream = randomStream(4, 'test/pooled');
    const tokens = 300;
    const effects = Array.from({ length: tokens }, (_, t) => (t < 20 ? 6 : 0) + stream.normal());
    const pooled = Array.from({ length: 2 * tokens }, () => stream.normal());
    const alone = effects.map(
      (effect, t) => pValues([effect], pooled.slice(2 * t, 2 * t + 2), { alternative: 'greater' })[0]!,
    );
    const found = (ps: ArrayLike<number>) =>
      [...falseDiscoveryRates(ps)].flatMap((rate, t) => (rate <= 0.1 ? [t] : []));
    expect(found(alone)).toEqual([]);
    const tokensFound = found(pValues(effects, pooled, { alternative: 'greater' }));
    expect(tokensFound.filter((t) => t < 20)).toHaveLength(20);
    expect(tokensFound.filter((t) => t >= 20).length).toBeLessThanOrEqual(6);
  });

  it('refuse nothing to compare with and what is not finite', () => {
    expect(() => pValues([1], [])).toThrow('null distribution: expected at least one value, got none');
    expect(() => pValues([Number.NaN], [1])).toThrow(DataError);
    expect(pValues([], []).length).toBe(0);
  });
});

describe('false discovery rates', () => {
  it.each(golden.discovery)('equal scipy’s: $name', ({ ps, rates }) => {
    const ours = falseDiscoveryRates(ps);
    for (const [i, rate] of rates.entries()) expect(ours[i]).toBeCloseTo(rate, EXACT);
  });

  it('refuse what is no probability', () => {
    expect(() => falseDiscoveryRates([0.5, 1.5])).toThrow(
      'p-value 1: expected a number from 0 to 1, got 1.5',
    );
    expect(() => falseDiscoveryRates([Number.NaN])).toThrow(DataError);
    expect([...falseDiscoveryRates([])]).toEqual([]);
  });
});

describe('Holm’s adjustment', () => {
  it('multiplies by the tests that are left, and never falls', () => {
    // statsmodels.stats.multitest.multipletests(method='holm') gives the same.
    const adjusted = holmAdjusted([0.01, 0.04, 0.03, 0.005]);
    [0.03, 0.06, 0.06, 0.02].forEach((value, i) => {
      expect(adjusted[i]).toBeCloseTo(value, EXACT);
    });
    expect([...holmAdjusted([0.9, 0.8])]).toEqual([1, 1]);
    expect([...holmAdjusted([])]).toEqual([]);
    expect(() => holmAdjusted([2])).toThrow(DataError);
  });
});
