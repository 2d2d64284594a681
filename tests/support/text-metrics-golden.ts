/** @file What rouge-score, sacrebleu, NLTK and scikit-learn say of several hundred pairs of texts: the golden file of the metrics' tests. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { RougeType } from '../../src/method/metrics/rouge.ts';

/** Precision, recall and F-measure. */
type Scores = readonly [precision: number, recall: number, fMeasure: number];

/** What the issue asks of every metric: equal to its original to this. */
export const METRIC_TOLERANCE = 1e-6;

const path = (name: string) => fileURLToPath(new URL(`../golden/${name}`, import.meta.url));

/** A Punkt trained on the prose of the pairs, in the layout of NLTK's punkt_tab. */
export const punktFolder = path('punkt-small');

/** A WordNet of some fifty words. */
export const wordNetFolder = path('wordnet-small');

export const textMetricsGolden = JSON.parse(
  gunzipSync(readFileSync(path('text-metrics.json.gz'))).toString('utf8'),
) as {
  readonly pairs: {
    readonly prediction: string;
    readonly references: string[];
    readonly rouge: Record<RougeType, Scores>;
    readonly rougeStemmed: Record<RougeType, Scores>;
    readonly sentenceBleu: number;
    /** Untrained Punkt, no WordNet. */
    readonly meteor: number;
    /** Trained Punkt, no WordNet. */
    readonly meteorTrained: number;
    /** Trained Punkt and the small WordNet. */
    readonly meteorWordNet: number;
  }[];
  readonly bleu: { readonly corpus: number; readonly every7th: number[]; readonly shortTexts: number };
  readonly labels: {
    readonly labels: string[];
    readonly golds: string[];
    readonly predictions: string[];
    readonly accuracy: number;
    readonly macroF1: number;
  };
  readonly ratings: {
    readonly golds: string[];
    readonly predictions: string[];
    readonly values: number[];
    readonly mae: number;
    readonly rmse: number;
  };
  readonly stems: [word: string, stem: string][];
  readonly tokens: { text: string; untrained: string[]; trained: string[]; words: string[] }[];
};

/** The largest difference between two lists of numbers. */
export function largestDifference(ours: readonly number[], theirs: readonly number[]): number {
  return Math.max(...ours.map((value, n) => Math.abs(value - theirs[n]!)));
}
