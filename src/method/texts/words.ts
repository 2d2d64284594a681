/** @file The words of a text by one rule, with their places: what copied runs, style and diversity count. */

/** A word in its comparable form, and where it stands. */
export interface WordSpan {
  /** NFKC, lower case, with straight apostrophes. */
  readonly word: string;
  /** UTF-16 offset of its first code unit. */
  readonly start: number;
  /** UTF-16 offset after its last code unit. */
  readonly end: number;
}

// Scripts without spaces between words: each character counts as a word there.
const UNSPACED =
  '[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}]';
const LETTER = `(?:(?!${UNSPACED})[\\p{L}\\p{M}\\p{N}])`;
const WORD = new RegExp(`${UNSPACED}\\p{M}*|${LETTER}+(?:['’ʼ]${LETTER}+)*`, 'gu');

/**
 * The words of `text` in order: runs of letters, marks and digits, with apostrophes inside (`don’t` is one word).
 * Punctuation and case do not count, so that a quotation is found however it is set.
 */
export function wordSpans(text: string): WordSpan[] {
  return Array.from(text.matchAll(WORD), ({ 0: matched, index }) => ({
    word: comparable(matched),
    start: index,
    end: index + matched.length,
  }));
}

/** {@link wordSpans} without the places. */
export function wordsOf(text: string): string[] {
  return (text.match(WORD) ?? []).map(comparable);
}

function comparable(word: string): string {
  return word.normalize('NFKC').toLowerCase().replace(/[’ʼ]/g, "'");
}
