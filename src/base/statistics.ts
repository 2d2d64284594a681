/** @file Estimates with intervals: means, paired differences and ROC AUC, resampled by user because users, not tokens, are drawn. */
import { DataError } from './errors.ts';
import { randomStream } from './random.ts';

/** A measured number and its interval; where one user gives all the data, low = high = value: no interval is known. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** How an interval is made. */
export interface BootstrapOptions {
  /** Seed of the resampling; default 0. */
  readonly seed?: number;
  /** Number of random resamples of the users (default 2000), or the resamples: indices of users as they first occur. */
  readonly resamples?: number | readonly (readonly number[])[];
  /** Coverage of the interval, in (0, 1); default 0.95. */
  readonly level?: number;
}

/** A value measured on something of a user. */
export interface UserValue {
  readonly user: string;
  readonly value: number;
}

/** A value of one system on one example; `example` pairs it with another system's. */
export interface ExampleValue extends UserValue {
  readonly example: string;
}

/** A scored token of a user; `positive` is the truth that the score should recover. */
export interface UserScore {
  readonly user: string;
  readonly score: number;
  readonly positive: boolean;
}

/**
 * The quantile of `values` at `probability` by linear interpolation between order statistics (numpy's default, type 7).
 * @param values any order, at least one, all finite
 * @param probability in [0, 1]
 * @throws {DataError} when there are no values or one is not finite
 */
export function quantile(values: ArrayLike<number>, probability: number): number {
  requireFinite('quantile', values);
  return quantileOfSorted(Float64Array.from(values).sort(), probability);
}

/**
 * The mean over users of each user's mean, with a percentile bootstrap over users.
 * @param rows at least one; a user with many rows counts as much as a user with one
 * @throws {DataError} when there are no rows or a value is not finite
 */
export function meanByUser(rows: readonly UserValue[], options: BootstrapOptions = {}): Estimate {
  requireFinite(
    'mean by user',
    rows.map((row) => row.value),
  );
  const sums = new Map<string, { sum: number; count: number }>();
  for (const { user, value } of rows) {
    const entry = sums.get(user) ?? { sum: 0, count: 0 };
    entry.sum += value;
    entry.count += 1;
    sums.set(user, entry);
  }
  const means = Float64Array.from([...sums.values()], ({ sum, count }) => sum / count);
  const meanOf = (counts: Int32Array) => {
    let total = 0;
    let drawn = 0;
    for (let u = 0; u < means.length; u++) {
      total += counts[u]! * means[u]!;
      drawn += counts[u]!;
    }
    return total / drawn;
  };
  return bootstrapUsers(means.length, meanOf, options);
}

/**
 * The mean over users of `system` − `baseline`, joined by example, with a percentile bootstrap over users.
 * @param system rows of one system, one for each example
 * @param baseline rows of the other, for the same examples in any order
 * @throws {DataError} when an example is missing on one side, occurs twice, or belongs to different users
 */
export function pairedDifferenceByUser(
  system: readonly ExampleValue[],
  baseline: readonly ExampleValue[],
  options: BootstrapOptions = {},
): Estimate {
  const others = rowsByExample('baseline', baseline);
  const mine = rowsByExample('system', system);
  for (const example of others.keys()) if (!mine.has(example)) throw unpaired(example, 'system');
  const differences = system.map(({ example, user, value }) => {
    const other = others.get(example);
    if (other === undefined) throw unpaired(example, 'baseline');
    if (other.user !== user) {
      throw new DataError(
        `paired difference: example "${example}": expected one user, got "${user}" and "${other.user}"`,
        { code: 'data/pairing', hint: 'Score both systems on the same file of examples.' },
      );
    }
    return { user, value: value - other.value };
  });
  return meanByUser(differences, options);
}

/**
 * The area under the ROC curve: the chance that a positive scores above a negative, ties counted half (Mann–Whitney).
 * @param scores one for each item, finite
 * @param positives the truth of each item
 * @throws {DataError} when lengths differ, a score is not finite, or one of the two classes is missing
 */
export function auc(scores: ArrayLike<number>, positives: ArrayLike<boolean>): number {
  if (scores.length !== positives.length) {
    throw new DataError(`auc: expected ${scores.length} labels, one a score, got ${positives.length}`, {
      code: 'data/length',
      hint: 'Give one label for each score.',
    });
  }
  const rows = Array.from(scores, (score, i) => ({ user: '', score, positive: positives[i]! }));
  const { concordance, positiveCounts, negativeCounts } = concordanceByUser(rows);
  return concordance[0]! / (positiveCounts[0]! * negativeCounts[0]!);
}

/**
 * The AUC pooled over the tokens of all users, with a percentile bootstrap over users.
 * Pairs are counted once for each (user of the positive, user of the negative), so that a resample is a U × U sum;
 * a resample that happens to hold one class only is left out.
 * @param rows one for each token, scores finite, both classes present
 * @throws {DataError} when there are no rows, a score is not finite, or one of the two classes is missing
 */
export function aucByUser(rows: readonly UserScore[], options: BootstrapOptions = {}): Estimate {
  const { concordance, positiveCounts, negativeCounts } = concordanceByUser(rows);
  const users = positiveCounts.length;
  const drawn = new Int32Array(users);
  const pooled = (counts: Int32Array) => {
    let positives = 0;
    let negatives = 0;
    let distinct = 0;
    for (let u = 0; u < users; u++) {
      if (counts[u] === 0) continue;
      drawn[distinct++] = u;
      positives += counts[u]! * positiveCounts[u]!;
      negatives += counts[u]! * negativeCounts[u]!;
    }
    let pairs = 0;
    for (let i = 0; i < distinct; i++) {
      const u = drawn[i]!;
      let row = 0;
      for (let j = 0; j < distinct; j++) row += counts[drawn[j]!]! * concordance[u * users + drawn[j]!]!;
      pairs += counts[u]! * row;
    }
    return pairs / (positives * negatives);
  };
  return bootstrapUsers(users, pooled, options);
}

/** Percentile bootstrap of a statistic of how often each user was drawn; NaN resamples are left out. */
function bootstrapUsers(
  users: number,
  statistic: (counts: Int32Array) => number,
  { seed = 0, resamples = 2000, level = 0.95 }: BootstrapOptions,
): Estimate {
  const value = statistic(new Int32Array(users).fill(1));
  if (users === 1) return { value, low: value, high: value };
  const counts = new Int32Array(users);
  const drawn: number[] = [];
  for (const resample of typeof resamples === 'number'
    ? randomResamples(users, resamples, seed)
    : resamples) {
    counts.fill(0);
    for (const user of resample) counts[user]! += 1;
    const resampled = statistic(counts);
    if (!Number.isNaN(resampled)) drawn.push(resampled);
  }
  if (drawn.length === 0) return { value, low: value, high: value };
  const sorted = Float64Array.from(drawn).sort();
  const tail = (1 - level) / 2;
  return { value, low: quantileOfSorted(sorted, tail), high: quantileOfSorted(sorted, 1 - tail) };
}

function* randomResamples(users: number, count: number, seed: number): Generator<Int32Array> {
  const stream = randomStream(seed, 'statistics/bootstrap');
  const resample = new Int32Array(users);
  for (let b = 0; b < count; b++) yield resample.map(() => stream.integer(users));
}

/** concordance[u · U + v]: pairs (positive of u, negative of v) in the right order, ties half. Cost: O(N log N + P · U). */
function concordanceByUser(rows: readonly UserScore[]): {
  concordance: Float64Array;
  positiveCounts: Int32Array;
  negativeCounts: Int32Array;
} {
  requireFinite(
    'auc',
    rows.map((row) => row.score),
  );
  const index = new Map<string, number>();
  for (const { user } of rows) if (!index.has(user)) index.set(user, index.size);
  const users = index.size;
  const positiveCounts = new Int32Array(users);
  const negativeCounts = new Int32Array(users);
  const concordance = new Float64Array(users * users);
  const sorted = [...rows].sort((a, b) => a.score - b.score);
  // `credit` of a user: negatives seen below the score in hand, plus half of those that tie with it.
  const credit = new Float64Array(users);
  for (let start = 0; start < sorted.length; ) {
    let end = start;
    while (end < sorted.length && sorted[end]!.score === sorted[start]!.score) end++;
    const tied = sorted.slice(start, end);
    const tiedNegatives = tied.filter((row) => !row.positive).map((row) => index.get(row.user)!);
    for (const v of tiedNegatives) {
      credit[v]! += 0.5;
      negativeCounts[v]! += 1;
    }
    for (const row of tied) {
      if (!row.positive) continue;
      const u = index.get(row.user)!;
      positiveCounts[u]! += 1;
      for (let v = 0; v < users; v++) concordance[u * users + v]! += credit[v]!;
    }
    for (const v of tiedNegatives) credit[v]! += 0.5;
    start = end;
  }
  const positives = positiveCounts.reduce((sum, count) => sum + count, 0);
  if (positives === 0 || positives === rows.length) {
    throw new DataError(
      `auc: expected positives and negatives, got ${positives} and ${rows.length - positives}`,
      { code: 'data/one-class', hint: 'Score examples that hold tokens of both kinds.' },
    );
  }
  return { concordance, positiveCounts, negativeCounts };
}

function quantileOfSorted(sorted: Float64Array, probability: number): number {
  const position = Math.min(Math.max(probability, 0), 1) * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (position - below) * (sorted[above]! - sorted[below]!);
}

function rowsByExample(side: string, rows: readonly ExampleValue[]): Map<string, ExampleValue> {
  const byExample = new Map<string, ExampleValue>();
  for (const row of rows) {
    if (byExample.has(row.example)) {
      throw new DataError(
        `paired difference: ${side}: expected each example once, got "${row.example}" twice`,
        {
          code: 'data/duplicate',
          hint: 'Give one value for each example and system.',
        },
      );
    }
    byExample.set(row.example, row);
  }
  return byExample;
}

function unpaired(example: string, side: string): DataError {
  return new DataError(`paired difference: example "${example}": expected a row of the ${side}, got none`, {
    code: 'data/pairing',
    hint: 'Score both systems on the same file of examples.',
  });
}

function requireFinite(subject: string, values: ArrayLike<number>): void {
  if (values.length === 0) {
    throw new DataError(`${subject}: expected at least one value, got none`, {
      code: 'data/empty',
      hint: 'Give at least one example.',
    });
  }
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) {
      throw new DataError(`${subject}: value ${i}: expected a finite number, got ${values[i]}`, {
        code: 'data/not-finite',
        hint: 'Check the scores that went in: a NaN loss or an empty response gives none.',
      });
    }
  }
}
