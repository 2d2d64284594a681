/** @file Stop strings end a text at the same place however it comes in pieces, and nothing that begins one is let out. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/base/errors.ts';
import { stopMatcher } from '../../../src/engine/generate/stop.ts';

/** The pieces that come out, and whether the text was stopped. */
function through(stops: readonly string[], pieces: readonly string[]) {
  const matcher = stopMatcher(stops);
  const out: string[] = [];
  for (const piece of pieces) {
    const { text, stopped } = matcher.push(piece);
    out.push(text);
    if (stopped) return { out, text: out.join(''), stopped };
  }
  out.push(matcher.end());
  return { out, text: out.join(''), stopped: false };
}

/** By looking at every beginning of the text: where the first stop string is complete. */
function byHand(stops: readonly string[], text: string): { text: string; stopped: boolean } {
  for (let end = 0; end <= text.length; end++) {
    const ending = stops.filter((stop) => text.slice(0, end).endsWith(stop));
    const longest = Math.max(...ending.map((stop) => stop.length));
    if (ending.length > 0) return { text: text.slice(0, end - longest), stopped: true };
  }
  return { text, stopped: false };
}

describe('stop strings', () => {
  it('are found across pieces, and what might begin one is held back', () => {
    expect(through(['\n\n'], ['a\n', 'b\n', '\nc'])).toMatchObject({
      out: ['a', '\nb', ''],
      text: 'a\nb',
      stopped: true,
    });
    expect(through(['STOP'], ['a ST', 'A ', 'STO'])).toMatchObject({
      out: ['a ', 'STA ', '', 'STO'],
      stopped: false,
    });
  });

  it('end a text where the first of them is complete, in whatever pieces it comes', () => {
    const letters = (maxLength: number) =>
      fc.string({ unit: fc.constantFrom('a', 'b', '😀'), minLength: 1, maxLength });
    fc.assert(
      fc.property(
        fc.array(letters(4), { maxLength: 3 }),
        fc.array(letters(5), { maxLength: 8 }),
        (stops, pieces) => {
          const { text, stopped } = through(stops, pieces);
          expect({ text, stopped }).toEqual(byHand(stops, pieces.join('')));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('refuse an empty text, at which every text would end', () => {
    expect(() => stopMatcher(['a', ''])).toThrowError(ConfigError);
  });
});
