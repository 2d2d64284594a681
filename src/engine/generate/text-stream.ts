/** @file Turns tokens into text as they come, whole characters only and without special tokens. */
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

/** The text of a growing list of tokens. */
export interface TextStream {
  /** The text that is complete with this token; '' while a character is incomplete, and for a special token. */
  push(token: number): string;
}

/**
 * A stream whose pieces, put together, are `decode` of all tokens that are not special, except for a last character
 * that is never completed. Bytes that are not UTF-8 become U+FFFD; a tokenizer with byte fallback would take back valid
 * ones right before them, which are written here.
 * Cost: decodes a few tokens for each one, however long the text.
 */
export function textStream({
  decode,
  tokenBytes,
  isSpecial,
}: Pick<Tokenizer, 'decode' | 'tokenBytes' | 'isSpecial'>): TextStream {
  // Tokens of the last piece, so that a decoder that treats the beginning of a text otherwise does not meet one here,
  // and tokens that no piece holds yet.
  let last: number[] = [];
  let pending: number[] = [];
  return {
    push: (token) => {
      if (isSpecial(token)) return '';
      pending.push(token);
      if (endsInsideCharacter(pending.flatMap((id) => [...tokenBytes(id)]))) return '';
      const before = decode(last);
      const text = decode([...last, ...pending]);
      if (text.length <= before.length) return '';
      last = pending;
      pending = [];
      return text.slice(before.length);
    },
  };
}

/** Whether UTF-8 ends with the beginning of a character; the bytes themselves tell, as U+FFFD may be in the text. */
function endsInsideCharacter(bytes: readonly number[]): boolean {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes.at(-back)!;
    if ((byte & 0xc0) === 0x80) continue;
    const width = byte >= 0xf0 && byte < 0xf5 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
    return byte < 0xf5 && back < width;
  }
  return false;
}
