/** @file Added tokens: found in a text as whole strings before anything else is done to it. */
import type { AddedTokenJson } from './tokenizer-json.ts';

/** A stretch of text: an added token, or text between them. */
export interface Section {
  readonly from: number;
  readonly to: number;
  readonly id?: number;
}

/** Finds added tokens: the first in the text, the longest of those that begin at one place. */
export type AddedTokenFinder = (text: string) => Section[];

/**
 * A finder for the given tokens.
 * @param contentOf the text to look for; default the token's own
 */
export function addedTokenFinder(
  tokens: readonly AddedTokenJson[],
  contentOf: (token: AddedTokenJson) => string = (token) => token.content,
): AddedTokenFinder {
  if (tokens.length === 0) return (text) => (text === '' ? [] : [{ from: 0, to: text.length }]);
  const byFirstUnit = new Map<string, { content: string; token: AddedTokenJson }[]>();
  for (const token of tokens) {
    const content = contentOf(token);
    if (content === '') continue;
    const known = byFirstUnit.get(content[0]!);
    if (known) known.push({ content, token });
    else byFirstUnit.set(content[0]!, [{ content, token }]);
  }
  for (const candidates of byFirstUnit.values())
    candidates.sort((a, b) => b.content.length - a.content.length);

  return (text) => {
    const sections: Section[] = [];
    let textFrom = 0;
    for (let i = 0; i < text.length; ) {
      const found = byFirstUnit
        .get(text[i]!)
        ?.find(({ content, token }) => text.startsWith(content, i) && isWhole(text, i, content, token));
      if (!found) {
        i++;
        continue;
      }
      // A token may swallow the white space beside it; its span then covers that too.
      let from = i;
      let to = i + found.content.length;
      if (found.token.lstrip) while (from > textFrom && WHITE_SPACE.test(text[from - 1]!)) from--;
      if (found.token.rstrip) while (to < text.length && WHITE_SPACE.test(text[to]!)) to++;
      if (from > textFrom) sections.push({ from: textFrom, to: from });
      sections.push({ from, to, id: found.token.id });
      textFrom = to;
      i = to;
    }
    if (textFrom < text.length) sections.push({ from: textFrom, to: text.length });
    return sections;
  };
}

/** What Rust's regular expressions call white space and a word's character: Unicode's, not JavaScript's. */
const WHITE_SPACE = /\p{White_Space}/u;
const WORD = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;

/** Whether a token that must be a word of its own is one here. */
function isWhole(text: string, at: number, content: string, token: AddedTokenJson): boolean {
  if (!token.single_word) return true;
  const isWord = (unit: string | undefined) => unit !== undefined && WORD.test(unit);
  return !isWord(text[at - 1]) && !isWord(text[at + content.length]);
}

/** A token of tokenizer.json's `added_tokens`, found as it is written: no word bounds, no spaces taken in. */
export const addedTokenEntry = (id: number, content: string, isSpecial: boolean) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: isSpecial,
});
