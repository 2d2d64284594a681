/** @file The kind of every token of a text, on texts whose kinds are plain to see. */
import { describe, expect, it } from 'vitest';
import { kindsOfTokens } from '../../../src/method/strength/token-kinds.ts';

/** The kinds of the pieces of a text, in order. */
function kindsOf(pieces: readonly string[], shown: readonly string[] = []) {
  const spans = pieces.map((piece, i) => {
    const start = pieces.slice(0, i).join('').length;
    return [start, start + piece.length] as const;
  });
  return kindsOfTokens({
    response: pieces.join(''),
    starts: spans.map(([start]) => start),
    ends: spans.map(([, end]) => end),
    shown,
  });
}

describe('kinds of tokens', () => {
  it('tells names and numbers from words that a sentence begins with', () => {
    expect(
      kindsOf(['The', ' lamp', ' of', ' Anna', ' cost', ' 30', '.', ' “', 'She', ' says', ' I', "'m", ' Jo']),
    ).toEqual([
      'functionWords',
      'otherWords',
      'functionWords',
      'names',
      'otherWords',
      'names',
      'marks',
      'marks',
      'functionWords',
      'otherWords',
      'functionWords',
      'functionWords',
      'names',
    ]);
  });

  it('gives a piece of a word the kind of the word, and a token of no text, such as the end of turn, marks', () => {
    expect(kindsOf(['we', ' met', ' Mar', 'tina', '!', ''])).toEqual([
      'functionWords',
      'otherWords',
      'names',
      'names',
      'marks',
      'marks',
    ]);
  });

  it('finds runs of five words of the history before all else, with the marks inside them', () => {
    const pieces = ['Well', ',', ' Anna', ' and', ' I', ',', ' we', ' laughed', ' so', ' much'];
    const kinds = kindsOf(pieces, ['unlike others Anna and I, we laughed at it']);
    expect(kinds).toEqual([
      'functionWords',
      'marks',
      ...['copied', 'copied', 'copied', 'copied', 'copied', 'copied'],
      'functionWords',
      'functionWords',
    ]);
  });
});
