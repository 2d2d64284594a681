/**
 * @file ROUGE-1, -2, -L and -Lsum of a prediction and its references.
 * Lin, "ROUGE: a package for automatic evaluation of summaries" (2004); equal to the package rouge-score 0.1.2.
 */
import { porterStem } from './porter-stemmer.ts';

/** Scores of a prediction against a reference, 0 to 1. */
export interface RougeScore {
  readonly precision: number;
  readonly recall: number;
  /** Harmonic mean of both: what papers report. */
  readonly fMeasure: number;
}

export type RougeType = 'rouge1' | 'rouge2' | 'rougeL' | 'rougeLsum';

/** How words are compared. */
export interface RougeOptions {
  /** Compare Porter stems of words longer than three letters; default false, as the benchmarks do. */
  readonly stemmer?: boolean;
}

/**
 * The score of the reference with the best F-measure.
 * @param references at least one
 */
export function rouge(
  type: RougeType,
  prediction: string,
  references: readonly string[],
  { stemmer = false }: RougeOptions = {},
): RougeScore {
  const tokens = (text: string) => rougeTokens(text, stemmer);
  const lines = (text: string) =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map(tokens);
  const scoreOf: (reference: string) => RougeScore =
    type === 'rougeLsum'
      ? (reference) => unionScore(lines(reference), lines(prediction))
      : type === 'rougeL'
        ? (reference) => subsequenceScore(tokens(reference), tokens(prediction))
        : (reference) => ngramScore(tokens(reference), tokens(prediction), type === 'rouge1' ? 1 : 2);
  return references.map(scoreOf).reduce((best, score) => (score.fMeasure > best.fMeasure ? score : best));
}

/** The tokens of a text: lower-cased runs of a–z and 0–9; other letters part words. */
export function rougeTokens(text: string, stemmer: boolean): string[] {
  const tokens = text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return stemmer ? tokens.map((token) => (token.length > 3 ? porterStem(token) : token)) : tokens;
}

function ngramScore(reference: readonly string[], prediction: readonly string[], n: number): RougeScore {
  const expected = ngramCounts(reference, n);
  let hits = 0;
  for (const [ngram, count] of ngramCounts(prediction, n)) hits += Math.min(count, expected.get(ngram) ?? 0);
  const total = (tokens: readonly string[]) => Math.max(1, tokens.length - n + 1);
  return scoreOf(hits / total(prediction), hits / total(reference));
}

/** How often each n-gram occurs. */
function ngramCounts(tokens: readonly string[], n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let start = 0; start + n <= tokens.length; start++) {
    const ngram = tokens.slice(start, start + n).join(' ');
    counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
  }
  return counts;
}

function subsequenceScore(reference: readonly string[], prediction: readonly string[]): RougeScore {
  if (reference.length === 0 || prediction.length === 0) return scoreOf(0, 0);
  const length = longestCommonSubsequence(reference, prediction);
  return scoreOf(length / prediction.length, length / reference.length);
}

/** Cost: O(a·b) time, O(b) memory. */
function longestCommonSubsequence(a: readonly string[], b: readonly string[]): number {
  const ids = new Map<string, number>();
  const numbered = (tokens: readonly string[]) =>
    Int32Array.from(tokens, (token) => {
      const id = ids.get(token) ?? ids.size;
      ids.set(token, id);
      return id;
    });
  const [rows, columns] = [numbered(a), numbered(b)];
  const lengths = new Int32Array(columns.length + 1);
  for (const token of rows) {
    let diagonal = 0;
    for (let j = 1; j <= columns.length; j++) {
      const above = lengths[j]!;
      lengths[j] = columns[j - 1] === token ? diagonal + 1 : Math.max(above, lengths[j - 1]!);
      diagonal = above;
    }
  }
  return lengths[columns.length]!;
}

/** Summary level: the union over the prediction's sentences of what each shares with a reference sentence, tokens counted once. */
function unionScore(reference: readonly string[][], prediction: readonly string[][]): RougeScore {
  const size = (sentences: readonly string[][]) => sentences.reduce((sum, { length }) => sum + length, 0);
  if (size(reference) === 0 || size(prediction) === 0) return scoreOf(0, 0);
  const expected = ngramCounts(reference.flat(), 1);
  const left = ngramCounts(prediction.flat(), 1);
  let hits = 0;
  for (const sentence of reference) {
    const shared = new Set(prediction.flatMap((other) => subsequencePlaces(sentence, other)));
    for (const place of [...shared].sort((a, b) => a - b)) {
      const token = sentence[place]!;
      const [mine, others] = [expected.get(token) ?? 0, left.get(token) ?? 0];
      if (mine === 0 || others === 0) continue;
      hits += 1;
      expected.set(token, mine - 1);
      left.set(token, others - 1);
    }
  }
  return scoreOf(hits / size(prediction), hits / size(reference));
}

/** Places in `a` of one longest common subsequence with `b`: the one that the original reads out. */
function subsequencePlaces(a: readonly string[], b: readonly string[]): number[] {
  const width = b.length + 1;
  const table = new Int32Array((a.length + 1) * width);
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++)
      table[i * width + j] =
        a[i - 1] === b[j - 1]
          ? table[(i - 1) * width + j - 1]! + 1
          : Math.max(table[(i - 1) * width + j]!, table[i * width + j - 1]!);
  const places: number[] = [];
  for (let i = a.length, j = b.length; i > 0 && j > 0; ) {
    if (a[i - 1] === b[j - 1]) {
      places.push(i - 1);
      i -= 1;
      j -= 1;
    } else if (table[i * width + j - 1]! > table[(i - 1) * width + j]!) j -= 1;
    else i -= 1;
  }
  return places;
}

function scoreOf(precision: number, recall: number): RougeScore {
  const sum = precision + recall;
  return { precision, recall, fMeasure: sum > 0 ? (2 * precision * recall) / sum : 0 };
}
