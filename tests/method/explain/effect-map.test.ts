/** @file How tokens become pieces for display. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  displayPieces,
  type EffectMap,
  effectNames,
  effectOfResponse,
} from '../../../src/method/explain/effect-map.ts';
import { effectToken, exampleMap } from '../../reports/heat-map/example-map.ts';

describe('displayPieces', () => {
  it('gives back the response when its pieces are joined, whatever the cuts', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), fc.array(fc.nat(9)), (response, steps) => {
        const tokens: EffectMap['tokens'][number][] = [];
        let start = 0;
        for (const step of steps) {
          // Steps of 0 repeat the span before: tokens that hold parts of one character.
          const end = Math.min(start + step, response.length);
          if (step === 0 && tokens.length > 0) tokens.push(tokens.at(-1)!);
          else tokens.push(effectToken('', start, 0.5, { start, end }));
          start = end;
        }
        const pieces = displayPieces({ response, tokens });
        expect(pieces.map((piece) => piece.text).join('')).toBe(response);
        expect(pieces.flatMap((piece) => piece.positions)).toEqual(tokens.map((_, i) => i));
      }),
    );
  });

  it('merges the tokens of one character: log-probabilities add, the probability is the joint one', () => {
    const span = { start: 1, end: 3 };
    const tokens = [
      effectToken('a', 0, 0),
      effectToken('\ufffd', 1, 0.5, { ...span, weight: 0.1, cause: 'user' }),
      effectToken('\ufffd', 1, 1, { ...span, weight: 0.2, cause: 'user' }),
      effectToken('', 3, 0, { start: 3, end: 3 }),
    ];
    const pieces = displayPieces({ response: 'a🙂', tokens });
    expect(pieces.map((piece) => piece.text)).toEqual(['a', '🙂', '']);
    const merged = pieces[1]!.token!;
    expect(pieces[1]!.positions).toEqual([1, 2]);
    expect(merged.logProbWithHistory).toBeCloseTo(-6.5, 12);
    expect(merged.logProbWithoutHistory).toBeCloseTo(-8, 12);
    expect(merged.values.logRatio).toBeCloseTo(1.5, 12);
    expect(merged.values.probability).toBeCloseTo(Math.exp(-6.5) - Math.exp(-8), 12);
    expect(merged.values.divergence).toBeCloseTo(0.1, 12);
    expect(merged.weight).toBeCloseTo(0.3, 12);
    expect(merged.cause).toBe('user');
    expect(merged.values).not.toHaveProperty('generic');
    expect(pieces.map((piece) => piece.isEnd)).toEqual([false, false, true]);
  });

  it('keeps text that no token covers', () => {
    const pieces = displayPieces({ response: 'a b c', tokens: [effectToken('b', 2, 1)] });
    expect(pieces.map(({ text, token }) => [text, token !== undefined])).toEqual([
      ['a ', false],
      ['b', true],
      [' c', false],
    ]);
  });

  it('refuses offsets that go backwards or leave the response', () => {
    const backwards = [effectToken('b', 1, 0), effectToken('a', 0, 0)];
    expect(() => displayPieces({ response: 'ab', tokens: backwards })).toThrow(
      'token 1: expected offsets in order',
    );
    expect(() => displayPieces({ response: 'ab', tokens: [effectToken('abc', 0, 0)] })).toThrow('got 0 to 3');
  });
});

describe('effectNames', () => {
  it('names an effect only where every token has it', () => {
    const map = exampleMap('one two', [1, 2]);
    expect(effectNames([map])).toEqual(['logRatio', 'probability', 'divergence']);
    const tokens = map.tokens.map((token) => ({ ...token, values: { ...token.values, userSpecific: 1 } }));
    expect(effectNames([{ tokens }])).toContain('userSpecific');
    expect(effectNames([{ tokens }, map])).not.toContain('userSpecific');
  });
});

describe('effectOfResponse', () => {
  it('is the sum of the log ratios, and its mean over tokens with the end of turn', () => {
    expect(effectOfResponse(exampleMap('one two', [1, 2])).total).toBeCloseTo(3, 12);
    expect(effectOfResponse(exampleMap('one two', [1, 2])).perToken).toBeCloseTo(1, 12);
    expect(effectOfResponse({ tokens: [] })).toEqual({ total: 0, perToken: 0 });
  });
});
