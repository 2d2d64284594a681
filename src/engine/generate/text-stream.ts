/** @file Turns tokens into text as they come, whole characters only. */
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

/** The text of a growing list of tokens. */
export interface TextStream {
  /** The text that is complete with this token; '' while a character is incomplete. */
  push(token: number): string;
}

/**
 * A stream whose pieces, put together, are `decode` of all tokens, but for a last character that is never completed.
 * Bytes that are no UTF-8 become U+FFFD; a tokenizer with byte fallback would take back valid ones right before them,
 * which are written here.
 * Cost: decodes a few tokens for each one, however long the text.
 */
export function textStream({ decode }: Pick<Tokenizer, 'decode'>): TextStream {
  // Tokens of the last piece, so that a decoder that treats the beginning of a text otherwise does not meet one here,
  // and tokens that no piece holds yet.
  let last: number[] = [];
  let pending: number[] = [];
  return {
    push: (token) => {
      pending.push(token);
      const before = decode(last);
      const text = decode([...last, ...pending]);
      // Bytes that end inside a character decode to U+FFFD: the character is written once it is whole.
      if (text.length <= before.length || text.endsWith('\ufffd')) return '';
      last = pending;
      pending = [];
      return text.slice(before.length);
    },
  };
}
