/** @file The metrics of texts: add one here and in a file of its own. */

import { strip } from '../../base/python-text.ts';
import { copiedRuns } from '../texts/copied-runs.ts';
import { bleu, bleuCounts } from './bleu.ts';
import { distinctShare, selfBleu } from './diversity.ts';
import { labelIndex, macroF1, numberOf, ratingOf } from './lamp.ts';
import { meteor } from './meteor.ts';
import {
  type AdditiveMetric,
  type BertScore,
  type Metric,
  meanMetric,
  type TextPair,
  type WholeMetric,
} from './metric.ts';
import { type RougeType, rouge } from './rouge.ts';
import { type StyleDistance, styleDistance } from './style-distance.ts';

const rougeMetric = (name: RougeType, what: string, isDefault = true): AdditiveMetric =>
  meanMetric(
    { name, description: `ROUGE, ${what}: F-measure, 0 to 1`, better: 'higher', isDefault },
    ({ prediction, references }, settings) => rouge(name, prediction, references, settings).fMeasure,
  );

const corpusBleu: AdditiveMetric = {
  name: 'bleu',
  description: 'BLEU of the corpus as sacrebleu computes it, 0 to 100',
  better: 'higher',
  isDefault: true,
  sums: ({ prediction, references }) => {
    const { predictionWords, referenceWords, matching, total } = bleuCounts(prediction, references);
    return [predictionWords, referenceWords, ...matching, ...total];
  },
  value: (sums) => {
    const [predictionWords, referenceWords, ...counts] = Array.from(sums);
    return bleu({
      predictionWords: predictionWords!,
      referenceWords: referenceWords!,
      matching: counts.slice(0, 4),
      total: counts.slice(4),
    });
  },
};

const macroF1Metric: AdditiveMetric = {
  name: 'macroF1',
  description: 'mean over labels of F1, by LaMP’s rules, 0 to 1',
  better: 'higher',
  isDefault: false,
  sums: ({ prediction, references }, { labels }) => {
    const [predicted, expected] = [labelIndex(prediction, labels), labelIndex(references[0]!, labels)];
    const isLabel = (found: number) => labels.map((_, label) => Number(label === found));
    return [...isLabel(predicted === expected ? expected : -1), ...isLabel(predicted), ...isLabel(expected)];
  },
  value: (sums, { labels }) => {
    const all = Array.from(sums);
    const part = (n: number) => all.slice(n * labels.length, (n + 1) * labels.length);
    return macroF1({ right: part(0), predicted: part(1), expected: part(2) });
  },
};

/** Prediction minus reference as ratings; undefined where the reference is no number. */
function ratingError({ prediction, references }: TextPair): number | undefined {
  const expected = numberOf(references[0]!);
  return expected === undefined ? undefined : ratingOf(prediction, expected) - expected;
}

const absoluteError = meanMetric(
  {
    name: 'mae',
    description: 'mean absolute error of a rating, by LaMP’s rules',
    better: 'lower',
    isDefault: false,
  },
  (row) => {
    const error = ratingError(row);
    return error === undefined ? undefined : Math.abs(error);
  },
);

const squaredError: AdditiveMetric = {
  name: 'rmse',
  description: 'root of the mean squared error of a rating, by LaMP’s rules',
  better: 'lower',
  isDefault: false,
  sums: (row) => {
    const error = ratingError(row);
    return error === undefined ? undefined : [error ** 2, 1];
  },
  value: (sums) => Math.sqrt(sums[0]! / sums[1]!),
};

const ofHistory = (row: TextPair, score: (history: readonly string[]) => number): number | undefined =>
  row.history === undefined || row.history.length === 0 ? undefined : score(row.history);

const styleMetric = (name: string, part: keyof StyleDistance, what: string): AdditiveMetric =>
  meanMetric(
    {
      name,
      description: `${what} of the prediction against the history: distance from 0`,
      better: 'lower',
      isDefault: true,
    },
    (row) => ofHistory(row, (history) => styleDistance(row.prediction, history)[part]),
  );

const distinctMetric = (n: number): WholeMetric => ({
  name: `distinct${n}`,
  description: `distinct over all ${n === 1 ? 'words' : 'pairs of words'} of the predictions, 0 to 1`,
  isDefault: true,
  ofAll: (rows) =>
    distinctShare(
      rows.map(({ prediction }) => prediction),
      n,
    ),
});

const bertMetric = (name: string, part: keyof BertScore): AdditiveMetric =>
  meanMetric(
    { name, description: `BERTScore, ${part}, not rescaled, at most 1`, better: 'higher', isDefault: false },
    (row, { bertScores }) => bertScores?.get(row)?.[part],
  );

/** All metrics, in the order of the table. */
export const metricTable: readonly Metric[] = [
  rougeMetric('rouge1', 'words'),
  rougeMetric('rouge2', 'pairs of words'),
  rougeMetric('rougeL', 'longest common subsequence'),
  rougeMetric('rougeLsum', 'the same line by line', false),
  corpusBleu,
  meanMetric(
    {
      name: 'sentenceBleu',
      description: 'mean of sacrebleu’s BLEU of each text, 0 to 100',
      better: 'higher',
      isDefault: false,
    },
    ({ prediction, references }) => bleu(bleuCounts(prediction, references), { effectiveOrder: true }),
  ),
  meanMetric(
    { name: 'meteor', description: 'METEOR as NLTK computes it, 0 to 1', better: 'higher', isDefault: true },
    ({ prediction, references }, settings) => meteor(prediction, references, settings),
  ),
  meanMetric(
    {
      name: 'accuracy',
      description: 'share of predictions that are a reference, white space around them aside',
      better: 'higher',
      isDefault: false,
    },
    ({ prediction, references }) => Number(references.map(strip).includes(strip(prediction))),
  ),
  macroF1Metric,
  absoluteError,
  squaredError,
  meanMetric(
    {
      name: 'copied',
      description: 'share of words in runs of five and more that stand in the history, 0 to 1',
      isDefault: true,
    },
    (row) => ofHistory(row, (history) => copiedRuns(row.prediction, history).share),
  ),
  styleMetric('lengthDistance', 'length', 'length'),
  styleMetric('punctuationDistance', 'punctuation', 'punctuation'),
  styleMetric('functionWordDistance', 'functionWords', 'function words'),
  distinctMetric(1),
  distinctMetric(2),
  bertMetric('bertPrecision', 'precision'),
  bertMetric('bertRecall', 'recall'),
  bertMetric('bertF1', 'f1'),
  {
    name: 'selfBleu',
    description: 'BLEU of each prediction against the others, 0 to 100; high where they repeat each other',
    isDefault: true,
    ofAll: (rows) => selfBleu(rows.map(({ prediction }) => prediction)),
  },
];

/** What only an encoder can measure. */
export const bertMetricNames: readonly string[] = ['bertPrecision', 'bertRecall', 'bertF1'];

/** Names of all metrics. */
export const metricNames: readonly string[] = metricTable.map(({ name }) => name);
