/** @file Numbers as people read them. */
import { describe, expect, it } from 'vitest';
import { decimal, digitsOf, estimateText, signed } from '../../src/base/number-format.ts';

describe('decimal and signed', () => {
  it('use a true minus sign and no negative zero', () => {
    expect([decimal(-1.234), decimal(-0.001), decimal(0), decimal(Number.NaN)]).toEqual([
      '−1.23',
      '0.00',
      '0.00',
      '–',
    ]);
    expect([signed(1), signed(-1), signed(0), signed(0.001)]).toEqual(['+1.00', '−1.00', '0.00', '0.00']);
    expect([decimal(Number.NEGATIVE_INFINITY), signed(Number.POSITIVE_INFINITY)]).toEqual(['−∞', '+∞']);
  });
});

describe('digitsOf', () => {
  it('gives more digits to narrower intervals, and to ends that would read as zero', () => {
    expect(digitsOf({ value: 3, low: 2.5, high: 3.5 })).toBe(2);
    expect(digitsOf({ value: 0.31, low: 0.27, high: 0.35 })).toBe(3);
    expect(digitsOf({ value: 0.1, low: 0.003, high: 1 })).toBe(3);
    expect(digitsOf({ value: 1, low: 1, high: 1 })).toBe(2);
  });

  it('formats all three numbers of an estimate alike', () => {
    expect(estimateText({ value: 0.3, low: -0.05, high: 1 })).toBe('0.30 [−0.05, 1.00]');
  });
});
