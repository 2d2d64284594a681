/**
 * @file BM25: which items of a history have the words of the query, weighted by how few items have them. Equal to `BM25Okapi` of
 * the Python package rank_bm25 0.2.2, which LaMP and LongLaMP retrieve by: words between white space, case kept, k1 1.5, b 0.75, ε 0.25.
 */
import { splitOnSpace } from '../../base/python-text.ts';
import type { RetrievalRule } from './rule.ts';

const K1 = 1.5;
const B = 0.75;
const EPSILON = 0.25;

/** An item is found by what it answered and by what the user wrote. */
export const bm25: RetrievalRule = {
  name: 'bm25',
  what: 'the items that share rare words with the query (BM25, as rank_bm25 computes it)',
  scores: (history, { query }) =>
    bm25Scores(
      splitOnSpace(query),
      history.map((item) => splitOnSpace(`${item.query} ${item.text}`)),
    ),
};

/**
 * The score of each document for a query. Words in more than half of the documents would count below 0; they count ε of the mean
 * over all words instead, which itself may lie below 0.
 *
 * $$ s_d = Σ_{q} idf_q · f_{qd} (k1 + 1) / (f_{qd} + k1 (1 − b + b · |d| / mean |d|)), idf_q = ln(N − n_q + ½) − ln(n_q + ½) $$
 * @returns f64[N]; all 0 where no document has a word
 */
export function bm25Scores(
  query: readonly string[],
  documents: readonly (readonly string[])[],
): Float64Array {
  const scores = new Float64Array(documents.length);
  const counts = documents.map((words) => {
    const of = new Map<string, number>();
    for (const word of words) of.set(word, (of.get(word) ?? 0) + 1);
    return of;
  });
  const having = new Map<string, number>();
  for (const of of counts) for (const word of of.keys()) having.set(word, (having.get(word) ?? 0) + 1);
  if (having.size === 0) return scores;
  const meanLength = documents.reduce((sum, words) => sum + words.length, 0) / documents.length;
  const inverse = new Map<string, number>();
  let sum = 0;
  for (const [word, count] of having) {
    const value = Math.log(documents.length - count + 0.5) - Math.log(count + 0.5);
    inverse.set(word, value);
    sum += value;
  }
  const floor = EPSILON * (sum / having.size);
  for (const [word, value] of inverse) if (value < 0) inverse.set(word, floor);
  for (const word of query) {
    const weight = inverse.get(word);
    if (weight === undefined) continue;
    counts.forEach((of, d) => {
      const frequency = of.get(word) ?? 0;
      const length = 1 - B + (B * documents[d]!.length) / meanLength;
      scores[d]! += weight * ((frequency * (K1 + 1)) / (frequency + K1 * length));
    });
  }
  return scores;
}
