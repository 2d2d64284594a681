/** @file Streamed text is the decoded text, in pieces that hold no broken character. */
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textStream } from '../../../src/engine/generate/text-stream.ts';
import { loadTokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';

describe.each(['tokenizer-small', 'tokenizer-fallback'])('%s', async (name) => {
  const tokenizer = await loadTokenizer(resolve('tests/golden', name));
  const piecesOf = (ids: readonly number[]) => {
    const stream = textStream(tokenizer);
    return ids.map((id) => stream.push(id));
  };

  it('gives characters of several tokens whole, with the last of their tokens', () => {
    const text = 'naïve 😀 日本語, e\u0301! 👩‍👩‍👧';
    const { ids } = tokenizer.encode(text);
    const pieces = piecesOf(ids);
    expect(pieces.join('')).toBe(tokenizer.decode(ids));
    expect(ids.length).toBeGreaterThan([...text].length / 2);
    for (const piece of pieces) expect(piece).not.toMatch(/\ufffd|^\p{Surrogate}|\p{Surrogate}$/u);
    expect(pieces).toContain('');
  });

  it('gives the text of any tokens that spell whole characters', () => {
    const id = fc.nat(tokenizer.vocabularySize - 1);
    fc.assert(
      fc.property(fc.array(id, { maxLength: 6 }), (ids) => {
        const whole = tokenizer.decode(ids.filter((each) => !tokenizer.isSpecial(each)));
        fc.pre(!whole.includes('\ufffd'));
        expect(piecesOf(ids).join('')).toBe(whole);
      }),
      { numRuns: 300 },
    );
  });

  it('gives what is complete of a text that is cut anywhere', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 8 }), fc.nat(40), (text, cut) => {
        const { ids } = tokenizer.encode(text);
        const pieces = piecesOf(ids);
        const given = pieces.slice(0, cut).join('');
        expect(pieces.join('')).toBe(tokenizer.decode(ids));
        expect(tokenizer.decode(ids).startsWith(given)).toBe(true);
        expect(given).not.toMatch(/\ufffd|\p{Surrogate}/u);
        const whole = tokenizer.decode(ids.slice(0, cut));
        if (!whole.includes('\ufffd')) expect(given).toBe(whole);
      }),
      { numRuns: 300 },
    );
  });

  // Control tokens stood in generated text, where other programs leave them out.
  it('leaves special tokens out, also between the tokens of one character', () => {
    const { ids } = tokenizer.encode('a😀b');
    const special = tokenizer.endOfTurnId;
    expect(piecesOf(ids.flatMap((id) => [special, id])).join('')).toBe(tokenizer.decode(ids));
  });

  // A real U+FFFD at the end was taken for half a character.
  it('gives a replacement character that the tokens spell, also as the last', () => {
    for (const text of ['x\ufffd', '\ufffd', '\ufffd\ufffd y\ufffd']) {
      const { ids } = tokenizer.encode(text);
      expect(piecesOf(ids).join('')).toBe(text);
      expect(piecesOf(ids.slice(0, -1)).join('')).not.toContain(text);
    }
  });
});
