/** @file The rules by which effects become the token weights of an objective, whoever estimated the effects. */
import { ConfigError } from '../../base/errors.ts';
import {
  add,
  greater,
  mul,
  selectedLogProbability,
  stopGradient,
  sub,
  where,
} from '../../engine/ops/operators.ts';
import type { Value } from '../../engine/ops/value.ts';
import { dataSideEffect, divergenceEffect, type LogitPair, logRatioEffect } from '../effects/effects.ts';
import type { ResolvedObjectiveOptions } from './objective-options.ts';
import {
  clippedWeights,
  normaliseWithinExamples,
  softWeights,
  type TokenGroups,
  thresholdWeights,
} from './token-weights.ts';

/** ω by name: 1; highWeight and lowWeight about a threshold; the divergence; PerCE's clipped log ratio; ours, without a jump. */
export type WeightRule = 'uniform' | 'threshold' | 'divergence' | 'clipped' | 'soft';

/** What an estimator says of every response token; each f32[S]. */
export interface EstimatedEffects {
  /** log p(y_t | x, h, y<t), nats. */
  readonly logProbWithHistory: Value;
  /** log p(y_t | x, ∅, y<t), nats. */
  readonly logProbWithoutHistory: Value;
  readonly divergence: Value;
}

/** Effects that do not come from the passes of training. */
export interface EffectInputs {
  /** Of a fixed or averaged model, in place of those of the passes. */
  readonly estimate?: EstimatedEffects;
  /** B: mean log ratio of other users' histories, f32[S], nats; where weights are made of C. */
  readonly generic?: Value;
  /** The largest log ratio of another user's history, f32[S], nats; where effects are targets. */
  readonly placeboMost?: Value;
  /** f32[S], 1 where the token stands in a run of words that the shown history holds, else 0; where copies are discounted. */
  readonly isCopied?: Value;
  /** log p_0(y_t | x, h, y<t) − log p_0(y_t | x, h_v, y<t) of the starting model, f32[S], nats; where a preference takes it off. */
  readonly startMargin?: Value;
}

/** PerCE's bounds, arXiv 2603.06595. */
const PERCE_LOW = 0.8;
const PERCE_HIGH = 5;

/**
 * ω̃ by a rule: f32[S], summing to 1 over each example.
 * @param pair the passes of training; not looked at where an estimate has all that the rule asks for
 * @throws {ConfigError} when weights are to be made of C and B is not given, or copies to be discounted and none is marked
 */
export function weightsByRule(
  rule: WeightRule,
  pair: LogitPair | undefined,
  groups: TokenGroups,
  options: ResolvedObjectiveOptions,
  given: EffectInputs,
): Value {
  if (rule === 'uniform') return groups.uniform;
  const { effectThreshold, highWeight, lowWeight, weightGradient } = options;
  if (rule === 'divergence') {
    const divergence = given.estimate?.divergence ?? divergenceEffect(pair!);
    const effect = counted(weightGradient ? divergence : stopGradient(divergence), options, given);
    return normaliseWithinExamples(effect, groups);
  }
  const [own, other] = comparedLogProbabilities(pair, options, given);
  const logRatio = () => counted(logRatioEffect(own, other), options, given);
  const probability = () => counted(dataSideEffect(own, other), options, given);
  const weights = {
    soft: () => softWeights(logRatio(), options.softSlope, options.softCentre),
    clipped: () => clippedWeights(logRatio(), PERCE_LOW, PERCE_HIGH),
    threshold: () => thresholdWeights(probability(), effectThreshold, highWeight, lowWeight),
  }[rule];
  return normaliseWithinExamples(weights(), groups);
}

/**
 * 1 at preference-bearing tokens, whose log ratio exceeds `differenceThreshold`, else 0: f32[S].
 * Gradient: none.
 * @throws {ConfigError} as {@link weightsByRule}
 */
export function preferenceTokens(
  pair: LogitPair | undefined,
  options: ResolvedObjectiveOptions,
  given: EffectInputs,
): Value {
  const [own, other] = comparedLogProbabilities(pair, options, given);
  const effect = counted(logRatioEffect(own, other), options, given);
  return where(greater(stopGradient(effect), options.differenceThreshold), 1, 0);
}

/**
 * $$ (1 - \rho\, c_t)\, E_t $$ The effect as far as copying does not explain it: c_t is 1 in a copied run, and ρ `copyDiscount`.
 * With ρ = 1 such a token weighs what one without effect does: what is learnt is how a user writes, not what they wrote last. Ours.
 */
function counted(
  effect: Value,
  { copyDiscount }: ResolvedObjectiveOptions,
  { isCopied }: EffectInputs,
): Value {
  if (copyDiscount === 0) return effect;
  if (isCopied !== undefined) return mul(effect, sub(1, mul(isCopied, copyDiscount)));
  throw new ConfigError('copyDiscount: expected which tokens are copied, got none', {
    code: 'objective/no-copied',
    hint: 'Train on examples, whose texts say what is copied, or set copyDiscount to 0.',
  });
}

/**
 * The two log-probabilities of each token whose difference is its effect, f32[S] each: with the own history, and what that is
 * compared with. With `weightsFrom` userSpecific the pass without history counts as if others' histories had helped it: log p_∅ + B.
 */
function comparedLogProbabilities(
  pair: LogitPair | undefined,
  { weightsFrom }: ResolvedObjectiveOptions,
  { estimate, generic }: EffectInputs,
): [own: Value, other: Value] {
  const own = estimate?.logProbWithHistory ?? selectedLogProbability(pair!.withHistory, pair!.targets);
  const none = estimate?.logProbWithoutHistory ?? selectedLogProbability(pair!.withoutHistory, pair!.targets);
  return [own, weightsFrom === 'userSpecific' ? add(none, required(generic)) : none];
}

function required(generic: Value | undefined): Value {
  if (generic !== undefined) return generic;
  throw new ConfigError('weightsFrom: expected the effects of other users’ histories, got none', {
    code: 'objective/no-others',
    hint: 'Train on examples of several users, or use weightsFrom total.',
  });
}
