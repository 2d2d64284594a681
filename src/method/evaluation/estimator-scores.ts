/** @file How well each estimator of a token's effect recovers what the simulator knows: who decided it, and by how many nats. */

import { aucByUser, type UserScore } from '../../base/statistics/auc.ts';
import { type BootstrapOptions, bootstrapUsers } from '../../base/statistics/bootstrap.ts';
import { inOrderOfUsers, meanByUser, meansOfUsers } from '../../base/statistics/by-user.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import { mean } from '../../base/statistics/mean.ts';
import { userSpecificEffect } from '../effects/named-effects.ts';
import type { ExampleEffects } from '../scoring/rows.ts';
import { causeScores } from './token-causes.ts';

/** One way to say what the history changes at a token. */
interface EffectMeasure {
  /** f32[S] of an example. */
  readonly values: (effects: ExampleEffects) => Float32Array;
  /** Above it a token is called the user's. */
  readonly threshold: number;
  /** Whether its values are nats that can be compared with the generator's own log ratio. */
  readonly isLogRatio: boolean;
}

/** All estimators that a report compares; thresholds are the objectives' own or their counterparts. */
export const estimators = {
  /** p_h − p_∅; δ of the reference code. */
  probability: { values: ({ effects }) => effects.probability, threshold: 0.05, isLogRatio: false },
  /** ln p_h − ln p_∅, A of a token. */
  logRatio: { values: ({ effects }) => effects.logRatio, threshold: 0.5, isLogRatio: true },
  /** Twice Jensen–Shannon: has no sign, and sees the whole vocabulary. */
  divergence: { values: ({ effects }) => effects.divergence, threshold: 0.05, isLogRatio: false },
  /** ln p_h − mean over other users v of ln p_v, C of a token. */
  userSpecific: { values: userSpecific, threshold: 0.5, isLogRatio: true },
} as const satisfies Record<string, EffectMeasure>;

export type EffectMeasureName = keyof typeof estimators;

function userSpecific({ effects, logProbWithOthers }: ExampleEffects): Float32Array {
  if (logProbWithOthers === undefined)
    throw new TypeError('userSpecific: expected effects beside other users’ histories');
  return effects.logProbWithHistory.map((value, t) => userSpecificEffect(value, [logProbWithOthers[t]!]));
}

/** An estimator's marks; intervals by user. */
export interface EstimatorScore {
  readonly estimator: EffectMeasureName;
  /** Positives: tokens of cause `user` or `both`. */
  readonly auc: Estimate;
  /** Of the tokens above the threshold, those that are positive; NaN where no token is above it. */
  readonly precision: Estimate;
  /** Of the positive tokens, those above the threshold. */
  readonly recall: Estimate;
  /** The harmonic mean of the two: how well the choice of tokens agrees with the causes; 0 where no token is chosen. */
  readonly f1: Estimate;
  /** Pearson's, with the generator's log ratio over words that settle a choice; only of log ratios. */
  readonly correlation?: Estimate;
  /** Mean over those words of estimate − truth, nats; below 0 the estimator sees less than there is. */
  readonly bias?: Estimate;
  /** Share of groups of users whose interval of the mean estimate holds the mean truth; nominally 0.95. */
  readonly coverage?: number;
}

/** Users of one group of {@link EstimatorScore.coverage}. */
const USERS_OF_A_GROUP = 8;

/** A word that settled a choice: the estimate summed over its tokens, and the generator's log ratio. */
interface Word {
  readonly user: string;
  readonly estimate: number;
  readonly truth: number;
}

/** Marks of an estimator on simulated examples. @throws {DataError} when no token or only one class has a known cause */
export function scoreEstimator(
  name: EffectMeasureName,
  examples: readonly ExampleEffects[],
  options: BootstrapOptions = {},
): EstimatorScore {
  const { values, threshold, isLogRatio }: EffectMeasure = estimators[name];
  const tokens = causeScores(examples, values);
  const share = (chosen: (token: UserScore) => boolean, counted: (token: UserScore) => boolean) =>
    ratioByUser(
      tokens.filter(chosen).map((token) => ({ user: token.user, value: counted(token) ? 1 : 0 })),
      options,
    );
  const above = ({ score }: UserScore) => score > threshold;
  const positive = (token: UserScore) => token.positive;
  const words = isLogRatio ? examples.flatMap((example) => wordsOf(example, values(example))) : [];
  return {
    estimator: name,
    auc: aucByUser(tokens, options),
    precision: share(above, positive),
    recall: share(positive, above),
    f1: ratioByUser(
      // 2 TP / (2 TP + FP + FN): a token that is chosen rightly counts twice.
      tokens.flatMap((token) => {
        const hits = Number(above(token)) + Number(positive(token));
        return Array.from({ length: hits }, () => ({ user: token.user, value: hits === 2 ? 1 : 0 }));
      }),
      options,
    ),
    ...(words.length > 0 && {
      correlation: correlationByUser(words, options),
      bias: meanByUser(
        words.map(({ user, estimate, truth }) => ({ user, value: estimate - truth })),
        options,
      ),
      coverage: coverageOf(words, options),
    }),
  };
}

function wordsOf({ example, pair }: ExampleEffects, values: Float32Array): Word[] {
  return (example.causes ?? []).flatMap(({ start, end, logRatio: truth }) => {
    if (truth === undefined) return [];
    let estimate = 0;
    pair.responseIds.forEach((_, t) => {
      if (pair.responseStarts[t]! < end && pair.responseEnds[t]! > start) estimate += values[t]!;
    });
    return [{ user: example.user, estimate, truth }];
  });
}

/** Σ values / count over the tokens of all drawn users: long texts count more, as in a pooled precision. */
function ratioByUser(
  rows: readonly { readonly user: string; readonly value: number }[],
  options: BootstrapOptions,
): Estimate {
  const groups = groupByUser(rows).map((group) => ({
    sum: group.reduce((sum, { value }) => sum + value, 0),
    count: group.length,
  }));
  if (groups.length === 0) return { value: Number.NaN, low: Number.NaN, high: Number.NaN };
  return bootstrapUsers(
    groups.length,
    (counts) => {
      let sum = 0;
      let count = 0;
      groups.forEach((group, u) => {
        sum += counts[u]! * group.sum;
        count += counts[u]! * group.count;
      });
      return sum / count;
    },
    options,
  );
}

function correlationByUser(words: readonly Word[], options: BootstrapOptions): Estimate {
  // Sums of 1, x, y, x², y², xy of each user: a resample adds them up.
  const moments = groupByUser(words).map((group) =>
    group.reduce(
      (sums, { estimate: x, truth: y }) => [1, x, y, x * x, y * y, x * y].map((value, i) => sums[i]! + value),
      [0, 0, 0, 0, 0, 0],
    ),
  );
  return bootstrapUsers(
    moments.length,
    (counts) => {
      const total = [0, 0, 0, 0, 0, 0];
      moments.forEach((sums, u) => {
        sums.forEach((sum, i) => {
          total[i]! += counts[u]! * sum;
        });
      });
      const [n, x, y, xx, yy, xy] = total as [number, number, number, number, number, number];
      return (n * xy - x * y) / Math.sqrt((n * xx - x * x) * (n * yy - y * y));
    },
    options,
  );
}

function coverageOf(words: readonly Word[], options: BootstrapOptions): number {
  const users = groupByUser(words);
  const groups = Array.from({ length: Math.floor(users.length / USERS_OF_A_GROUP) }, (_, g) =>
    users.slice(g * USERS_OF_A_GROUP, (g + 1) * USERS_OF_A_GROUP).flat(),
  );
  const covered = groups.filter((group) => {
    const interval = meanByUser(
      group.map(({ user, estimate }) => ({ user, value: estimate })),
      options,
    );
    const truth = mean(meansOfUsers(group.map(({ user, truth: value }) => ({ user, value }))));
    return interval.low <= truth && truth <= interval.high;
  });
  return covered.length / groups.length;
}

function groupByUser<T extends { readonly user: string }>(rows: readonly T[]): T[][] {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(row.user);
    if (group === undefined) groups.set(row.user, [row]);
    else group.push(row);
  }
  return inOrderOfUsers(groups).map(([, group]) => group);
}
