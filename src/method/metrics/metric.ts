/** @file What a metric of texts is: numbers of single rows that add up, or a number of all rows. */
import type { MeteorOptions } from './meteor.ts';

/** A predicted text beside what a user wrote. */
export interface TextPair {
  readonly id?: string;
  readonly user?: string;
  readonly prediction: string;
  /** What the user wrote: at least one text. */
  readonly references: readonly string[];
  /** Earlier texts of the user. */
  readonly history?: readonly string[];
}

/** BERTScore of a row: see bert-score.ts. */
export interface BertScore {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/** What metrics know beside the row. */
export interface MetricSettings extends MeteorOptions {
  /** Whether ROUGE compares stems. */
  readonly stemmer: boolean;
  /** The labels of a classification task, for macro-F1. */
  readonly labels: readonly string[];
  /** BERTScore of each row, where an encoder was given. */
  readonly bertScores?: ReadonlyMap<TextPair, BertScore>;
}

interface MetricBase {
  /** As in `--metrics` and in the results. */
  readonly name: string;
  /** What it is, in one line. */
  readonly description: string;
  /** Which direction is an improvement, where one is. */
  readonly better?: 'higher' | 'lower';
  /** Whether it is computed when no metrics are named. */
  readonly isDefault: boolean;
}

/** A metric of sums over rows, so that any set of users can be measured: it has an interval. */
export interface AdditiveMetric extends MetricBase {
  /** Numbers of a row, as many for each row; undefined where the metric says nothing about it. */
  readonly sums: (row: TextPair, settings: MetricSettings) => readonly number[] | undefined;
  /** The metric of summed numbers; NaN where there is nothing to measure. */
  readonly value: (sums: ArrayLike<number>, settings: MetricSettings) => number;
}

/** A metric of all rows together, without an interval. */
export interface WholeMetric extends MetricBase {
  readonly ofAll: (rows: readonly TextPair[]) => number | undefined;
}

export type Metric = AdditiveMetric | WholeMetric;

/** An additive metric that is the mean of a number of each row. */
export function meanMetric(
  base: MetricBase,
  score: (row: TextPair, settings: MetricSettings) => number | undefined,
): AdditiveMetric {
  return {
    ...base,
    sums: (row, settings) => {
      const value = score(row, settings);
      return value === undefined ? undefined : [value, 1];
    },
    value: (sums) => sums[0]! / sums[1]!,
  };
}
