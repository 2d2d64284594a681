/** @file Bootstrap intervals over users, bias-corrected and accelerated: users are drawn, not tokens or examples. */

import { ConfigError } from '../errors.ts';
import { randomStream } from '../random.ts';
import { type Estimate, quantileOfSorted } from './estimate.ts';
import { mean } from './mean.ts';
import { normalProbability, normalQuantile } from './normal.ts';

/**
 * How an interval is read from the resampled values. `percentile` takes their quantiles at the tails. `bca` (Efron 1987)
 * moves these for bias and for a spread that changes with the value, which matters for skewed measures, shares near 0 or
 * 1 and few users.
 */
export type IntervalMethod = 'bca' | 'percentile';

/** How an interval is made. */
export interface BootstrapOptions {
  /** Seed of the resampling; default 0. */
  readonly seed?: number;
  /** Number of random resamples of the users (default 2000), or the resamples: indices of users in the order of their names. */
  readonly resamples?: number | readonly (readonly number[])[];
  /** Coverage of the interval, in (0, 1); default 0.95. */
  readonly level?: number;
  /** Default `bca`; `percentile` is also what is used where `bca` is not defined (see {@link bootstrapUsers}). */
  readonly method?: IntervalMethod;
}

/**
 * A statistic of how often each user was drawn, with its interval. Resamples whose statistic is NaN are left out.
 *
 * BCa, with z₀ = Φ⁻¹(share of resampled values below the value, ties half), U_i = mean_j θ₍ⱼ₎ − θ₍ᵢ₎ of the values
 * without user i, a = Σ U³ / (6 (Σ U²)^{3/2}), takes the quantiles at
 *
 * $$ Φ(z_0 + (z_0 + z_α) / (1 − a (z_0 + z_α))) $$
 *
 * for both tails z_α. It is not defined, and the percentile interval stands, where the value lies outside all resampled
 * values, the statistic without one of the users is NaN or the same whoever is left out, or a (z₀ + z_α) ≥ 1.
 * @param users U, at least 1; with one user low = high = value
 * @param statistic of counts i32[U]
 * @throws {ConfigError} when level is not in (0, 1)
 * Cost: one call of `statistic` a resample, and U more.
 */
export function bootstrapUsers(
  users: number,
  statistic: (counts: Int32Array) => number,
  { seed = 0, resamples = 2000, level = 0.95, method = 'bca' }: BootstrapOptions,
): Estimate {
  if (!(level > 0 && level < 1))
    throw new ConfigError(`level: expected a coverage between 0 and 1, got ${level}`, {
      code: 'config/level',
      hint: 'Write 0.95 for a 95 % interval.',
    });
  const counts = new Int32Array(users).fill(1);
  const value = statistic(counts);
  if (users === 1) return { value, low: value, high: value };
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
  const [low, high] = (method === 'bca' ? bcaTails(sorted, value, users, statistic, tail) : undefined) ?? [
    tail,
    1 - tail,
  ];
  return { value, low: quantileOfSorted(sorted, low), high: quantileOfSorted(sorted, high) };
}

/** The probabilities whose quantiles are the ends of the BCa interval; undefined where there are none. */
function bcaTails(
  sorted: Float64Array,
  value: number,
  users: number,
  statistic: (counts: Int32Array) => number,
  tail: number,
): [number, number] | undefined {
  let below = 0;
  let atOrBelow = 0;
  for (const resampled of sorted) {
    if (resampled < value) below += 1;
    if (resampled <= value) atOrBelow += 1;
  }
  const bias = normalQuantile((below + atOrBelow) / (2 * sorted.length));
  const acceleration = accelerationOf(users, statistic);
  if (!Number.isFinite(bias) || !Number.isFinite(acceleration)) return undefined;
  const z = normalQuantile(tail);
  const shifted = [bias + z, bias - z] as const;
  // Past this pole the ends would change places; with |a| ≤ 1/6 only coverages above 99.9 % come near it.
  if (shifted.some((point) => acceleration * point >= 1)) return undefined;
  const [low, high] = shifted.map((point) => normalProbability(bias + point / (1 - acceleration * point)));
  return [low!, high!];
}

/** The skewness of the statistic's values without one user each, over 6; NaN where they do not differ. */
function accelerationOf(users: number, statistic: (counts: Int32Array) => number): number {
  const counts = new Int32Array(users).fill(1);
  const without = Float64Array.from({ length: users }, (_, u) => {
    counts[u] = 0;
    const value = statistic(counts);
    counts[u] = 1;
    return value;
  });
  const center = mean(without);
  let squares = 0;
  let cubes = 0;
  for (const value of without) {
    squares += (center - value) ** 2;
    cubes += (center - value) ** 3;
  }
  return cubes / (6 * squares ** 1.5);
}

function* randomResamples(users: number, count: number, seed: number): Generator<Int32Array> {
  const stream = randomStream(seed, 'statistics/bootstrap');
  const resample = new Int32Array(users);
  for (let b = 0; b < count; b++) yield resample.map(() => stream.integer(users));
}
