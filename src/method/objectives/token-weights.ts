/** @file From effects to weights of tokens in the loss: the rules, and the normalisation within an example. */
import {
  add,
  div,
  gemm,
  greater,
  maximum,
  minimum,
  mul,
  reduceSum,
  reshape,
  sigmoid,
  stopGradient,
  sub,
  where,
} from '../../engine/ops/operators.ts';
import { type Value, withScope } from '../../engine/ops/value.ts';

/** How the S response tokens of a microbatch belong to its B examples. */
export interface TokenGroups {
  /** f32[B, S], 1 where the token belongs to the example. */
  readonly membership: Value;
  /** f32[S], 1 / number of response tokens of the token's example. */
  readonly uniform: Value;
  /** f32[S], 1 / number of examples of the whole step, so that accumulated microbatches equal one batch. */
  readonly exampleShare: Value;
  /** f32[S], 1 where the token's example has a history, else 0: there both passes are one and every effect is 0. */
  readonly hasHistory: Value;
}

/**
 * ω = highWeight where effect > effectThreshold, else lowWeight; reference code train.py:CustomTrainer3.
 * @param effect f32[S]: probability difference, −1 … 1
 * @returns f32[S], `low` or `high`
 * Gradient: none.
 */
export function thresholdWeights(effect: Value, threshold: number, high: number, low: number): Value {
  return where(greater(stopGradient(effect), threshold), high, low);
}

/**
 * ω = clip(log ratio, low, high) of PerCE (arXiv 2603.06595).
 * @param logRatio f32[S], nats
 * @returns f32[S], `low` … `high`
 * Gradient: none.
 */
export function clippedWeights(logRatio: Value, low: number, high: number): Value {
  return minimum(maximum(stopGradient(logRatio), low), high);
}

/**
 * $$ \omega = \tfrac12 + \sigma(\text{slope} \cdot (\text{log ratio} - \text{centre})) $$ Ours: as the threshold, without
 * its jump, and sure of rare words, whose probability hardly moves.
 * @returns f32[S], ½ … 1½
 * Gradient: none.
 */
export function softWeights(logRatio: Value, slope: number, centre: number): Value {
  return add(sigmoid(mul(sub(stopGradient(logRatio), centre), slope)), 0.5);
}

/**
 * $$ \tilde\omega_t = \omega_t / \sum_{S} \omega $$ within each example; uniform where an example has no history, and
 * where all its weights are 0, as with a `lowWeight` of 0 and no token above the threshold.
 * @param weights ω, f32[S], at least 0
 * @returns f32[S], summing to 1 over each example
 * Gradient: through both the weight and the sum, where `weights` carries one.
 */
export function normaliseWithinExamples(weights: Value, groups: TokenGroups): Value {
  return withScope('normaliseWithinExamples', () => {
    const count = weights.shape[0]!;
    const used = where(greater(groups.hasHistory, 0), weights, 1);
    const sums = gemm(groups.membership, reshape(used, [count, 1])); // f32[B, 1]
    const perToken = reshape(gemm(groups.membership, sums, { transA: true }), [count]);
    const isWeighted = greater(perToken, 0);
    // The denominator is replaced, too: a gradient through 0/0 would be no number.
    return div(where(isWeighted, used, groups.uniform), where(isWeighted, perToken, 1));
  });
}

/**
 * $$ \sum_t \text{exampleShare}_t \cdot \text{weight}_t \cdot \text{value}_t $$ the loss of a step's share.
 * @param values f32[S]
 * @param weights f32[S]
 * @returns f32[]
 */
export function weightedSum(values: Value, weights: Value, groups: TokenGroups): Value {
  return reduceSum(mul(mul(values, weights), groups.exampleShare), [0]);
}
