/** @file Python's notions of white space and of word characters, which the original packages tokenise by and JavaScript does not share. */

/** Inside of a character class: what `str.isspace` and `\s` of Python hold. JavaScript's `\s` lacks U+001C–1F and U+0085 and adds U+FEFF. */
export const PYTHON_SPACE =
  '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

/** Inside of a character class: what `\w` of Python holds. */
export const PYTHON_WORD = '\\p{L}\\p{N}_';

const NOT_SPACE = new RegExp(`[^${PYTHON_SPACE}]+`, 'gu');
const OUTER_SPACE = new RegExp(`^[${PYTHON_SPACE}]+|[${PYTHON_SPACE}]+$`, 'gu');
const LAST_SPACE = new RegExp(`[${PYTHON_SPACE}]+$`, 'u');

/** `text.split()`: the runs without white space. */
export function splitOnSpace(text: string): string[] {
  return text.match(NOT_SPACE) ?? [];
}

/** `text.strip()`. */
export function strip(text: string): string {
  return text.replace(OUTER_SPACE, '');
}

/** `text.rstrip()`. */
export function stripEnd(text: string): string {
  return text.replace(LAST_SPACE, '');
}
