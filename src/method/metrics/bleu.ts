/**
 * @file BLEU of a corpus and of a sentence, 0 to 100, from counts that add up over texts.
 * Papineni et al., "BLEU: a method for automatic evaluation of machine translation" (2002); equal to sacrebleu 2.5.1 with
 * its defaults: tokenizer 13a, exponential smoothing, case-sensitive.
 */
import { splitOnSpace, stripEnd } from '../../base/python-text.ts';

/** Longest n-gram that BLEU compares. */
const MAX_ORDER = 4;

/** Counts of a text, or of a corpus as their sum: words of prediction and reference, n-grams that match and all, n = 1 to 4. */
export interface BleuCounts {
  readonly predictionWords: number;
  /** Of the reference nearest in length. */
  readonly referenceWords: number;
  readonly matching: readonly number[];
  readonly total: readonly number[];
}

/** How counts become a score. */
export interface BleuOptions {
  /** Leave out orders longer than the text: for sentences, as sacrebleu's `sentence_bleu`; not for a corpus. */
  readonly effectiveOrder?: boolean;
}

/** The tokens of a text by mteval's rules 13a, for languages written with spaces. */
export function bleuTokens(text: string): string[] {
  const line = stripEnd(text)
    .replaceAll('<skipped>', '')
    .replaceAll('-\n', '')
    .replaceAll('\n', ' ')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>');
  return splitOnSpace(
    ` ${line} `
      .replace(/[{-~[-` -&(-+:-@/]/gu, ' $& ')
      .replace(/([^0-9])([.,])/gu, '$1 $2 ')
      .replace(/([.,])([^0-9])/gu, ' $1 $2')
      .replace(/([0-9])(-)/gu, '$1 $2 '),
  );
}

/** The n-grams of tokens, n = 1 to 4, with how often each occurs. */
export function bleuNgrams(
  tokens: readonly string[],
): Map<string, { readonly order: number; count: number }> {
  const counts = new Map<string, { readonly order: number; count: number }>();
  for (let order = 1; order <= MAX_ORDER; order++) {
    for (let start = 0; start + order <= tokens.length; start++) {
      const ngram = tokens.slice(start, start + order).join(' ');
      const entry = counts.get(ngram);
      if (entry === undefined) counts.set(ngram, { order, count: 1 });
      else entry.count += 1;
    }
  }
  return counts;
}

/**
 * The counts of one prediction; an n-gram counts at most as often as in the reference that has most of it.
 * @param references at least one
 */
export function bleuCounts(prediction: string, references: readonly string[]): BleuCounts {
  const tokens = bleuTokens(prediction);
  const most = new Map<string, number>();
  const lengths: number[] = [];
  for (const reference of references) {
    const expected = bleuTokens(reference);
    lengths.push(expected.length);
    for (const [ngram, { count }] of bleuNgrams(expected))
      if (count > (most.get(ngram) ?? 0)) most.set(ngram, count);
  }
  const nearest = lengths.reduce((best, length) => nearer(tokens.length, best, length));
  return countsAgainst(tokens, (ngram) => most.get(ngram) ?? 0, nearest);
}

/** The counts of tokens against the most that references have of each n-gram, and the length of the nearest reference. */
export function countsAgainst(
  tokens: readonly string[],
  most: (ngram: string) => number,
  referenceWords: number,
): BleuCounts {
  const matching = new Array<number>(MAX_ORDER).fill(0);
  const total = new Array<number>(MAX_ORDER).fill(0);
  for (const [ngram, { order, count }] of bleuNgrams(tokens)) {
    total[order - 1]! += count;
    matching[order - 1]! += Math.min(count, most(ngram));
  }
  return { predictionWords: tokens.length, referenceWords, matching, total };
}

/** Of two lengths the one nearer to `length`; the shorter where both are as near. */
export function nearer(length: number, a: number, b: number): number {
  const difference = Math.abs(length - b) - Math.abs(length - a);
  return difference < 0 || (difference === 0 && b < a) ? b : a;
}

/**
 * BLEU of summed counts, 0 to 100.
 *
 * $$ 100 \cdot \min(1, e^{1 − r/c}) \cdot \exp(¼ \sum_n \log p_n) $$
 *
 * with p_n the share of n-grams that match; the k-th order without a match counts as 2^{−k} matches.
 */
export function bleu(
  { predictionWords, referenceWords, matching, total }: BleuCounts,
  { effectiveOrder = false }: BleuOptions = {},
): number {
  if (matching.every((count) => count === 0)) return 0;
  const brevity = predictionWords < referenceWords ? Math.exp(1 - referenceWords / predictionWords) : 1;
  let logs = 0;
  let smoothing = 1;
  let orders = 0;
  for (; orders < MAX_ORDER && total[orders]! > 0; orders++) {
    if (matching[orders] === 0) smoothing *= 2;
    logs += Math.log((100 * (matching[orders]! || 1 / smoothing)) / total[orders]!);
  }
  // Without the effective order, a corpus whose texts are all shorter than four words scores 0, as in the original.
  if (orders < MAX_ORDER && !effectiveOrder) return 0;
  return brevity * Math.exp(logs / orders);
}
