/** @file What numpy and scikit-learn say of statistics: the golden file that several tests read. */
import { readFileSync } from 'node:fs';
import type { UserScore } from '../../src/base/statistics/auc.ts';
import type { UserValue } from '../../src/base/statistics/by-user.ts';

/** A statistic by user and its percentile intervals over resamples of the users. */
interface BootstrapCase<Row> {
  readonly rows: Row[];
  readonly value: number;
  readonly resamples: number[][];
  readonly intervals: { level: number; low: number; high: number }[];
}

export const statisticsGolden = JSON.parse(
  readFileSync(new URL('../golden/statistics.json', import.meta.url), 'utf8'),
) as {
  readonly auc: { name: string; scores: number[]; positives: boolean[]; auc: number }[];
  readonly aucByUser: BootstrapCase<UserScore>;
  readonly meanByUser: BootstrapCase<UserValue>;
  readonly quantiles: { values: number[]; probabilities: number[]; quantiles: number[] }[];
};
