/** @file The kinds of tokens that histories are asked about: copied, names, function words, other words, marks. */
import { isFunctionWord } from '../metrics/style-distance.ts';
import { copiedRuns, copiedTokens } from '../texts/copied-runs.ts';
import { wordSpans } from '../texts/words.ts';

/** In the order of tables; a token is of the first kind that it is in. */
export const tokenKinds = ['copied', 'names', 'functionWords', 'otherWords', 'marks'] as const;

export type TokenKind = (typeof tokenKinds)[number];

/** A text with its tokens' UTF-16 offsets, and the history texts that its prompt shows. */
export interface KindedText {
  readonly response: string;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly shown: readonly string[];
}

/**
 * The kind of each token. `copied`: in a run of five or more words that stand in the history; `names`: of a word with a digit, or with a
 * capital that does not begin a sentence; `marks`: of no word, such as punctuation and the end of turn.
 */
export function kindsOfTokens({ response, starts, ends, shown }: KindedText): TokenKind[] {
  const copied = copiedTokens(copiedRuns(response, shown), starts, ends);
  const words = wordSpans(response);
  let w = 0;
  return starts.map((start, t) => {
    if (copied[t]) return 'copied';
    while (w < words.length && words[w]!.end <= start) w++;
    const span = words[w];
    if (span === undefined || start >= span.end || ends[t]! <= span.start) return 'marks';
    if (isName(response, span)) return 'names';
    return isFunctionWord(span.word) ? 'functionWords' : 'otherWords';
  });
}

function isName(text: string, { start, end }: { readonly start: number; readonly end: number }): boolean {
  const word = text.slice(start, end);
  if (/\p{Nd}/u.test(word)) return true;
  if (!/^\p{Lu}/u.test(word) || /^I(?:$|['’])/.test(word)) return false;
  return !/(?:^|[.!?:;…\n])["'“”‘’)\]\s]*$/u.test(text.slice(0, start));
}
