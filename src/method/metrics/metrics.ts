/** @file Metrics of predicted texts against what users wrote, with intervals over users. */
import { setImmediate } from 'node:timers/promises';
import { ConfigError, DataError, nearestName, throwIfAborted } from '../../base/errors.ts';
import type { ProgressListener } from '../../base/progress.ts';
import { strip } from '../../base/python-text.ts';
import { bootstrapUsers } from '../../base/statistics/bootstrap.ts';
import { type Estimate, intervalOfEnough } from '../../base/statistics/estimate.ts';
import { type BertScoreOptions, bertScores } from './bert-score.ts';
import type { AdditiveMetric, Metric, MetricSettings, TextPair } from './metric.ts';
import { bertMetricNames, metricNames, metricTable } from './metric-table.ts';
import { punktFromFolder } from './punkt.ts';
import { wordNetFromFolder } from './wordnet.ts';

/** Which metrics are computed, and how. */
export interface MetricsOptions {
  /** Names of {@link metricNames}; those that are computed by default otherwise. */
  readonly metrics?: readonly string[];
  /** ROUGE compares Porter stems; default false. */
  readonly stemmer?: boolean;
  /** Folder of WordNet's database files, for METEOR's synonyms. */
  readonly wordnet?: string;
  /** Folder of Punkt's parameters, such as nltk_data/tokenizers/punkt_tab/english, for METEOR's sentences. */
  readonly punkt?: string;
  /** Labels for macro-F1; the texts that first references hold otherwise. */
  readonly labels?: readonly string[];
  /** The encoder that BERTScore reads with: without it there is no BERTScore. */
  readonly bertScore?: Pick<BertScoreOptions, 'folder' | 'layer'>;
  readonly threads?: number;
  /** Seed of the resampling; default 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: ProgressListener;
}

/** Metrics of a set of predictions. */
export interface MetricsResult {
  /**
   * By name: a number with its 95 % interval (see {@link intervalOfEnough} for few users or rows), or a bare
   * number for what has none. Absent where no row can be measured.
   */
  readonly values: Readonly<Record<string, Estimate | number>>;
  readonly rows: number;
  /** Users that intervals draw; absent where no row has one and rows are drawn. */
  readonly users?: number;
  /** By name, how many rows a metric says nothing about. */
  readonly leftOut: Readonly<Record<string, number>>;
  /** What METEOR matched words by. */
  readonly meteorModules: readonly ('exact' | 'stem' | 'synonym')[];
  /** Whether METEOR's sentences come from Punkt with a language's parameters. */
  readonly punkt: 'trained' | 'untrained';
}

/** Beyond so many users or rows the percentile interval stands for BCa, which leaves each of them out once. */
const MOST_FOR_BCA = 2000;

/** More different references than this are texts and not labels. */
const MOST_LABELS = 200;

/** Rows between two looks at the signal. */
const ROWS_TOGETHER = 64;

/**
 * The metrics of predictions. A value is the benchmark's own: the mean over rows, or that of the corpus. Intervals draw users
 * where rows have a user, and rows otherwise.
 * @throws {ConfigError} for a metric that is none
 * @throws {DataError} when there are no rows, a row has no reference, or no row can be measured by a metric that was named
 * @throws {AbortedError} when `signal` is aborted
 */
export async function metrics(
  pairs: readonly TextPair[],
  options: MetricsOptions = {},
): Promise<MetricsResult> {
  const chosen = chosenMetrics(options);
  checkPairs(pairs);
  const settings = await settingsOf(pairs, options);
  const additive = chosen.filter((metric): metric is AdditiveMetric => 'sums' in metric);
  const sums = await sumsByUnit(pairs, additive, settings, options);
  const values: Record<string, Estimate | number> = {};
  const leftOut: Record<string, number> = {};
  for (const metric of chosen) {
    if ('ofAll' in metric) {
      const value = metric.ofAll(pairs);
      if (value !== undefined) values[metric.name] = value;
      continue;
    }
    const { units, rows } = sums.get(metric.name)!;
    if (rows < pairs.length) leftOut[metric.name] = pairs.length - rows;
    if (units.size > 0) values[metric.name] = estimate(metric, [...units.values()], settings, options.seed);
  }
  for (const name of options.metrics ?? []) if (values[name] === undefined) throw nothingToMeasure(name);
  const users = new Set(pairs.flatMap(({ user }) => user ?? [])).size;
  return {
    values,
    rows: pairs.length,
    ...(users > 0 && { users }),
    leftOut,
    meteorModules: ['exact', 'stem', ...(settings.synonyms === undefined ? [] : (['synonym'] as const))],
    punkt: settings.punkt === undefined ? 'untrained' : 'trained',
  };
}

function chosenMetrics({ metrics: names, bertScore }: MetricsOptions): readonly Metric[] {
  const isBert = (name: string) => bertMetricNames.includes(name);
  if (names === undefined)
    return metricTable.filter(
      ({ name, isDefault }) => isDefault || (isBert(name) && bertScore !== undefined),
    );
  const bert = names.find(isBert);
  if (bert !== undefined && bertScore === undefined)
    throw new ConfigError(`metrics: ${bert}: expected the folder of an encoder, got none`, {
      code: 'config/bert-score',
      hint: 'Name it, such as --bertscore roberta-large, or leave this metric out.',
    });
  for (const name of names) {
    if (metricNames.includes(name)) continue;
    const near = nearestName(name, metricNames);
    throw new ConfigError(`metrics: expected some of ${metricNames.join(', ')}, got "${name}"`, {
      code: 'config/metric',
      hint: near === undefined ? 'Choose among these names.' : `Did you mean "${near}"?`,
    });
  }
  return metricTable.filter(({ name }) => names.includes(name));
}

function checkPairs(pairs: readonly TextPair[]): void {
  if (pairs.length === 0)
    throw new DataError('metrics: expected at least one pair of texts, got none', {
      code: 'data/empty',
      hint: 'Give rows with a prediction and its references.',
    });
  const bare = pairs.findIndex(({ references }) => references.length === 0);
  if (bare >= 0)
    throw new DataError(`pairs[${bare}]: references: expected at least one text, got none`, {
      code: 'data/no-reference',
      hint: 'Give what the user wrote, or remove the row.',
    });
}

async function settingsOf(pairs: readonly TextPair[], options: MetricsOptions): Promise<MetricSettings> {
  const { stemmer = false, wordnet, punkt, bertScore } = options;
  return {
    stemmer,
    labels: options.metrics?.includes('macroF1') ? (options.labels ?? labelsOf(pairs)) : [],
    ...(wordnet !== undefined && { synonyms: await wordNetFromFolder(wordnet) }),
    ...(punkt !== undefined && { punkt: await punktFromFolder(punkt) }),
    ...(bertScore !== undefined && { bertScores: await bertScoresByPair(pairs, bertScore, options) }),
  };
}

async function bertScoresByPair(
  pairs: readonly TextPair[],
  bertScore: NonNullable<MetricsOptions['bertScore']>,
  { threads, signal, onProgress }: MetricsOptions,
) {
  const scores = await bertScores(pairs, {
    ...{ ...bertScore, signal, onProgress },
    ...(threads !== undefined && { threads }),
  });
  return new Map(pairs.map((pair, i) => [pair, scores[i]!]));
}

/** The labels that the references hold. @throws {DataError} when there are so many that they are no labels */
function labelsOf(pairs: readonly TextPair[]): readonly string[] {
  const labels = [...new Set(pairs.map(({ references }) => strip(references[0]!)))];
  if (labels.length <= MOST_LABELS) return labels;
  throw new DataError(
    `metrics: macroF1: expected at most ${MOST_LABELS} labels as references, got ${labels.length} texts`,
    { code: 'data/labels', hint: 'Name the labels, or leave macroF1 out.' },
  );
}

/** Sums of one metric: of each user, or of each row without one. */
interface UnitSums {
  readonly units: Map<string, Float64Array>;
  /** Rows that it says something about. */
  rows: number;
}

async function sumsByUnit(
  pairs: readonly TextPair[],
  chosen: readonly AdditiveMetric[],
  settings: MetricSettings,
  { signal, onProgress }: MetricsOptions,
): Promise<ReadonlyMap<string, UnitSums>> {
  const sums = new Map(chosen.map(({ name }): [string, UnitSums] => [name, { units: new Map(), rows: 0 }]));
  for (const [place, row] of pairs.entries()) {
    if (place % ROWS_TOGETHER === 0) {
      await setImmediate();
      throwIfAborted(signal);
      onProgress?.({ stage: 'metrics', done: place, total: pairs.length, unit: 'rows' });
    }
    const unit = row.user === undefined ? `row ${place}` : `user ${row.user}`;
    for (const metric of chosen) {
      const numbers = metric.sums(row, settings);
      if (numbers === undefined) continue;
      const entry = sums.get(metric.name)!;
      const known = entry.units.get(unit) ?? new Float64Array(numbers.length);
      for (const [n, value] of numbers.entries()) known[n]! += value;
      entry.units.set(unit, known);
      entry.rows += 1;
    }
  }
  onProgress?.({ stage: 'metrics', done: pairs.length, total: pairs.length, unit: 'rows' });
  return sums;
}

function estimate(
  metric: AdditiveMetric,
  units: readonly Float64Array[],
  settings: MetricSettings,
  seed = 0,
): Estimate {
  const drawn = new Float64Array(units[0]!.length);
  const ofCounts = (counts: Int32Array) => {
    drawn.fill(0);
    for (const [unit, numbers] of units.entries()) {
      const count = counts[unit]!;
      if (count > 0) for (let n = 0; n < drawn.length; n++) drawn[n]! += count * numbers[n]!;
    }
    return metric.value(drawn, settings);
  };
  const method = units.length > MOST_FOR_BCA ? 'percentile' : 'bca';
  return intervalOfEnough(bootstrapUsers(units.length, ofCounts, { seed, method }), units.length);
}

function nothingToMeasure(name: string): DataError {
  return new DataError(`metrics: ${name}: expected rows that it can measure, got none`, {
    code: 'data/nothing-to-measure',
    hint:
      name === 'mae' || name === 'rmse'
        ? 'Give references that are numbers, or leave this metric out.'
        : 'Give rows with a history, or more than one row, or leave this metric out.',
  });
}
