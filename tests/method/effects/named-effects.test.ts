/** @file A, B, C and D_i by hand, of texts, parts and tokens; and that nobody else computes them. */
import { describe, expect, it } from 'vitest';
import {
  itemEffect,
  namedEffects,
  namedEffectsOfText,
  namedEffectsOfTokens,
} from '../../../src/method/effects/named-effects.ts';

// Every number is a sum of powers of two, so that f32 holds it.
const scores = {
  own: Float32Array.of(-1, -2, -0.5),
  none: Float32Array.of(-3, -2.5, -0.5),
  others: [Float32Array.of(-2, -2.5, -1), Float32Array.of(-3, -2, -0.5)],
};

describe('named effects', () => {
  it('are A = own − none, B = mean of others − none, C = A − B', () => {
    expect(namedEffects({ own: -1, none: -4, others: [-2, -3] })).toEqual({
      total: 3,
      generic: 1.5,
      userSpecific: 1.5,
    });
  });

  it('of tokens have those of the text as their means', () => {
    const tokens = namedEffectsOfTokens(scores);
    expect(tokens).toEqual([
      { total: 2, generic: 0.5, userSpecific: 1.5 },
      { total: 0.5, generic: 0.25, userSpecific: 0.25 },
      { total: 0, generic: -0.25, userSpecific: 0.25 },
    ]);
    const text = namedEffectsOfText(scores);
    for (const name of ['total', 'generic', 'userSpecific'] as const)
      expect(text[name]).toBeCloseTo(tokens.reduce((sum, token) => sum + token[name], 0) / 3, 12);
  });

  it('of a part are those of its tokens alone', () => {
    expect(namedEffectsOfText(scores, { from: 1, to: 2 })).toEqual({
      total: 0.5,
      generic: 0.25,
      userSpecific: 0.25,
    });
  });

  it('leave B and C unknown, not 0, where there are no others', () => {
    expect(namedEffects({ own: -1, none: -4, others: [] })).toEqual({
      total: 3,
      generic: Number.NaN,
      userSpecific: Number.NaN,
    });
  });

  it('of an item is what the text loses without it', () => {
    expect(itemEffect(-1, -1.25)).toBe(0.25);
  });
});
