/** @file How far a text's style is from an author's texts: its length, its punctuation, its function words. */
import { wordsOf } from '../texts/words.ts';

/** Distances of a text from an author's texts; each 0 where they are alike. */
export interface StyleDistance {
  /** |ln| of the text's words over the mean of the author's texts, each plus one. */
  readonly length: number;
  /** Jensen–Shannon distance of how often each mark stands beside a word, 0 to 1. */
  readonly punctuation: number;
  /** Jensen–Shannon distance of how often each function word stands beside the other words, 0 to 1. */
  readonly functionWords: number;
}

// English words that say little of a text's topic and much of its author (Mosteller and Wallace 1964).
const FUNCTION_WORDS: ReadonlySet<string> = new Set(
  (
    'a about above after again against all almost also although always am among an and another any are around as at away back be ' +
    'because been before being below between both but by can could did do does down each either enough even ever every few for ' +
    'from had has have having he her here hers herself him himself his how however i if in into is it its itself just least less like ' +
    'many may me might mine more most much must my myself neither never no nor not now of off often on once one only or other others ' +
    'our ours out over own perhaps quite rather really same she should since so some somewhat still such than that the their theirs ' +
    'them themselves then there therefore these they this those though through thus to together too toward towards under until up ' +
    'upon us very was we well were what when where whether which while who whom whose why will with within without would yet you ' +
    "your yours yourself don't can't won't i'm it's i've that's didn't isn't doesn't wasn't"
  ).split(' '),
);

/** Whether a word is an English function word. @param word as `wordSpans` gives it */
export const isFunctionWord = (word: string): boolean => FUNCTION_WORDS.has(word);

/**
 * The style distances of `text` from the texts of an author. Short texts are far from everything by chance: compare systems on
 * the same texts rather than one number with zero.
 * @param texts of the author, at least one
 */
export function styleDistance(text: string, texts: readonly string[]): StyleDistance {
  const words = wordsOf(text);
  const theirs = texts.map(wordsOf);
  const meanLength = theirs.reduce((sum, { length }) => sum + length, 0) / theirs.length;
  const marks = (some: readonly string[], count: number) =>
    frequencies([...some.flatMap(marksOf), ...repeat('word', count)]);
  const functionWords = (some: readonly string[]) =>
    frequencies(some.map((word) => (isFunctionWord(word) ? word : 'other words')));
  return {
    length: Math.abs(Math.log((words.length + 1) / (meanLength + 1))),
    punctuation: jensenShannonDistance(marks([text], words.length), marks(texts, theirs.flat().length)),
    functionWords: jensenShannonDistance(functionWords(words), functionWords(theirs.flat())),
  };
}

/** Punctuation marks, symbols and line breaks; curly quotes count as straight ones. */
function marksOf(text: string): string[] {
  const plain = text.replace(/[‘’]/g, "'").replace(/[“”]/g, '"').replaceAll('...', '…');
  return plain.match(/[\p{P}\p{S}]|\n+/gu)?.map((mark) => (mark.startsWith('\n') ? '\n' : mark)) ?? [];
}

function repeat(value: string, count: number): string[] {
  return new Array<string>(count).fill(value);
}

/** The share of each value; empty for none. */
function frequencies(values: readonly string[]): Map<string, number> {
  const shares = new Map<string, number>();
  for (const value of values) shares.set(value, (shares.get(value) ?? 0) + 1 / values.length);
  return shares;
}

/** Square root of the Jensen–Shannon divergence in bits: 0 for the same shares, 1 for none in common or nothing on one side. */
function jensenShannonDistance(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  if (a.size === 0 && b.size === 0) return 0;
  if (a.size === 0 || b.size === 0) return 1;
  let divergence = 0;
  for (const key of new Set([...a.keys(), ...b.keys()])) {
    const [p, q] = [a.get(key) ?? 0, b.get(key) ?? 0];
    const middle = (p + q) / 2;
    if (p > 0) divergence += (p / 2) * Math.log2(p / middle);
    if (q > 0) divergence += (q / 2) * Math.log2(q / middle);
  }
  return Math.sqrt(Math.min(1, Math.max(0, divergence)));
}
