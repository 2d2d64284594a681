/** @file Judgements: an interval wholly where it should be passes, wholly where it should not fails, and any other cannot tell. */
import { describe, expect, it } from 'vitest';
import type { Estimate } from '../../../src/base/statistics/estimate.ts';
import { labelAlignment } from '../../../src/method/refutation/label-alignment.ts';
import { ownHistory } from '../../../src/method/refutation/own-history.ts';
import { randomHalfOfHistory } from '../../../src/method/refutation/random-half.ts';
import { keptWithin } from '../../../src/method/refutation/verdict.ts';
import { wrongTargetScored } from '../../../src/method/refutation/wrong-target.ts';

const between = (low: number, high: number): Estimate => ({ value: (low + high) / 2, low, high });
const effect = between(0.1, 0.3);

describe('a share of C', () => {
  const judge = keptWithin(-0.5, 0.5);
  const verdict = (low: number, high: number) =>
    judge({ effect, kept: between(low, high), strangers: 0.1 }).verdict;

  it('is judged by its whole interval', () => {
    expect(verdict(-0.2, 0.3)).toBe('passes');
    expect(verdict(0.6, 1.2)).toBe('fails');
    expect(verdict(-1, -0.6)).toBe('fails');
    expect(verdict(-0.2, 0.7)).toBe('cannot tell');
    expect(verdict(-3, 3)).toBe('cannot tell');
  });

  it('says what was found and what was expected', () => {
    const kept = between(0.6, 1.2);
    expect(judge({ effect, kept, strangers: 0.1 }).reason).toEqual({
      code: 'share',
      kept,
      from: -0.5,
      to: 0.5,
    });
  });

  it('cannot be taken of nothing', () => {
    expect(judge({ effect, strangers: 0.1 })).toEqual({
      verdict: 'cannot tell',
      reason: { code: 'no-effect' },
    });
  });

  it('may be as far below 0 as it likes for a wrong target, and may not grow with half of the history', () => {
    const kept = (low: number, high: number) => ({ effect, kept: between(low, high), strangers: 0.1 });
    expect(wrongTargetScored.judge(kept(-4, -2)).verdict).toBe('passes');
    expect(wrongTargetScored.judge(kept(0.6, 0.9)).verdict).toBe('fails');
    expect(randomHalfOfHistory.judge(kept(0.5, 0.9)).verdict).toBe('passes');
    expect(randomHalfOfHistory.judge(kept(-0.1, 0.9)).verdict).toBe('cannot tell');
    expect(randomHalfOfHistory.judge(kept(1.1, 1.3)).verdict).toBe('fails');
    expect(randomHalfOfHistory.judge(kept(-0.4, -0.1)).verdict).toBe('fails');
  });
});

describe('the own history', () => {
  const verdict = (low: number, high: number, strangers = 0.2) =>
    ownHistory.judge({ effect: between(low, high), strangers }).verdict;

  it('must be shown to help; it fails where less is left than half of what strangers are apart', () => {
    expect(verdict(0.05, 0.4)).toBe('passes');
    expect(verdict(0.02, 0.08)).toBe('passes');
    expect(verdict(-0.1, 0.09)).toBe('fails');
    expect(verdict(-0.3, -0.1)).toBe('fails');
  });

  it('cannot tell where the interval holds 0 as well as what would matter', () => {
    expect(verdict(-0.1, 0.11)).toBe('cannot tell');
    expect(verdict(-0.1, 0.5)).toBe('cannot tell');
    const open = between(-0.1, 0.2);
    expect(ownHistory.judge({ effect: open, strangers: 0.2 }).reason).toEqual({
      code: 'own-history',
      effect: open,
      wouldMatter: 0.1,
    });
  });

  it('fails where no history changes anything, and is not saved by rounding', () => {
    expect(verdict(0, 0, 0)).toBe('fails');
    expect(verdict(1e-8, 3e-8, 1e-7)).toBe('fails');
  });
});

describe('labels', () => {
  it('must be likelier than their neighbours', () => {
    const verdict = (low: number, high: number) =>
      labelAlignment.judge({ effect: between(low, high), strangers: 0 }).verdict;
    expect(verdict(2, 3)).toBe('passes');
    expect(verdict(-3, -2)).toBe('fails');
    expect(verdict(-1, 1)).toBe('cannot tell');
    expect(verdict(0, 0)).toBe('cannot tell');
  });
});
