/** @file How much the texts of a set differ from each other: distinct n-grams, and BLEU of each text against the others. */
import { wordsOf } from '../texts/words.ts';
import { bleu, bleuNgrams, bleuTokens, countsAgainst, nearer } from './bleu.ts';

/**
 * Distinct n-grams over all n-grams of the texts, 0 to 1 (Li et al., arXiv 1510.03055, "distinct-1" and "distinct-2").
 * It falls with the amount of text: compare sets of the same size.
 * @returns undefined where no text has n words
 */
export function distinctShare(texts: readonly string[], n: number): number | undefined {
  const seen = new Set<string>();
  let total = 0;
  for (const words of texts.map(wordsOf)) {
    for (let start = 0; start + n <= words.length; start++) seen.add(words.slice(start, start + n).join(' '));
    total += Math.max(0, words.length - n + 1);
  }
  return total === 0 ? undefined : seen.size / total;
}

/**
 * The mean over texts of sentence BLEU against all the other texts, 0 to 100 (Zhu et al., arXiv 1802.01886, "self-BLEU");
 * high where the texts repeat each other.
 * @returns undefined for fewer than two texts
 * Cost: linear in the words of the texts.
 */
export function selfBleu(texts: readonly string[]): number | undefined {
  if (texts.length < 2) return undefined;
  const tokens = texts.map(bleuTokens);
  // For each n-gram the text that has most of it, and the most that any other text has.
  const most = new Map<string, { text: number; count: number; others: number }>();
  for (const [text, words] of tokens.entries())
    for (const [ngram, { count }] of bleuNgrams(words)) {
      const entry = most.get(ngram);
      if (entry === undefined) most.set(ngram, { text, count, others: 0 });
      else if (count > entry.count) most.set(ngram, { text, count, others: entry.count });
      else if (count > entry.others) entry.others = count;
    }
  const lengths = tokens.map((words) => words.length).sort((a, b) => a - b);
  const scores = tokens.map((words, text) => {
    const inOthers = (ngram: string) => {
      const entry = most.get(ngram);
      return entry === undefined ? 0 : entry.text === text ? entry.others : entry.count;
    };
    const counts = countsAgainst(words, inOthers, nearestOther(lengths, words.length));
    return bleu(counts, { effectiveOrder: true });
  });
  return scores.reduce((sum, score) => sum + score, 0) / scores.length;
}

/** Of ascending lengths, one of which is `length` itself, the nearest of the others. */
function nearestOther(ascending: readonly number[], length: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! < length) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [ascending[low - 1], ascending[low + 1]];
  if (before === undefined) return after!;
  return after === undefined ? before : nearer(length, before, after);
}
