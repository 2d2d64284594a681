/** @file The normal distribution against scipy's. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { normalProbability, normalQuantile } from '../../../src/base/statistics/normal.ts';

const golden = JSON.parse(
  readFileSync(new URL('../../golden/statistics-scipy.json', import.meta.url), 'utf8'),
) as {
  normal: {
    quantiles: { probability: number; z: number }[];
    probabilities: { z: number; probability: number }[];
  };
};

/** A few roundings of numbers up to 1. */
const ROUNDING = 1e-15;

describe('the normal distribution', () => {
  it('has the probabilities of scipy', () => {
    for (const { z, probability } of golden.normal.probabilities)
      expect(Math.abs(normalProbability(z) - probability)).toBeLessThan(ROUNDING);
  });

  it('has the quantiles of scipy, as exactly as a probability near 0 or 1 can be told', () => {
    for (const { z, probability } of golden.normal.quantiles) {
      const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
      expect(Math.abs(normalQuantile(probability) - z)).toBeLessThan(ROUNDING / density);
    }
  });

  it('ends at infinity and is symmetric', () => {
    expect(normalQuantile(0)).toBe(Number.NEGATIVE_INFINITY);
    expect(normalQuantile(1)).toBe(Number.POSITIVE_INFINITY);
    expect(normalQuantile(0.25)).toBe(-normalQuantile(0.75));
    expect(normalProbability(40)).toBe(1);
    expect(normalProbability(-40)).toBe(0);
  });
});
