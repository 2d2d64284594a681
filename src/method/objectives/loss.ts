/** @file The loss of an objective, and the token weights in it: the same parts for every row of the table of objectives. */
import {
  add,
  greater,
  mul,
  neg,
  selectedLogProbability,
  stopGradient,
  where,
} from '../../engine/ops/operators.ts';
import { type Value, withScope } from '../../engine/ops/value.ts';
import type { LogitPair } from '../effects/effects.ts';
import { anchorDivergence } from './anchor.ts';
import { calibrationLoss } from './calibration.ts';
import { contrastLoss } from './contrast.ts';
import { differenceLoss } from './difference.ts';
import type { ObjectivePlan } from './plan.ts';
import { preferenceLoss } from './preference.ts';
import { targetLoss } from './targets.ts';
import { type TokenGroups, weightedSum } from './token-weights.ts';
import { type EffectInputs, preferenceTokens, weightsByRule } from './weight-rules.ts';

/** Logits at the response tokens of a microbatch, and how tokens group into examples. */
export interface ObjectiveInputs extends EffectInputs {
  readonly targets: Value;
  readonly withHistory?: Value;
  readonly withoutHistory?: Value;
  /** Logits with another user's history, f32[S, V]; those with the own one where an example is compared with nobody's. */
  readonly otherHistory?: Value;
  /** Logits with the second and further other users' histories, in the same way. */
  readonly furtherHistories?: readonly Value[];
  /** f32[S], 1 where the token's example is compared with another user's history, else 0. */
  readonly isCompared?: Value;
  readonly groups: TokenGroups;
  /** Logits of the starting model without history, f32[S, V]; where there is an anchor. */
  readonly anchor?: Value;
  /** Factor of losses on effects in this step, f32[]; where they begin late or grow. */
  readonly effectScale?: Value;
}

/** A loss f32[], and its parts f32[] for the record. */
export interface ObjectiveLoss {
  readonly loss: Value;
  readonly parts: Readonly<Record<string, Value>>;
}

/** ω̃ of an objective for a pair of passes, or for an estimate in their place: f32[S], summing to 1 over each example. */
export function objectiveWeights(
  { rule, options }: ObjectivePlan,
  pair: LogitPair | undefined,
  groups: TokenGroups,
  given: EffectInputs = {},
): Value {
  return weightsByRule(rule, pair, groups, options, given);
}

/**
 * $$ (1 - \mu)\, \tilde\omega_t + \mu / |S| $$
 * What each token counts for in the fit of an objective: f32[S], summing to 1 over each example. A trainer that takes weights alone
 * needs these; ω̃ without its plain share μ is another objective.
 */
export function fitWeights(
  plan: ObjectivePlan,
  pair: LogitPair | undefined,
  groups: TokenGroups,
  given: EffectInputs = {},
): Value {
  return withPlainShare(plan, objectiveWeights(plan, pair, groups, given), groups);
}

/** ω̃ with the plain share of the fit. */
function withPlainShare({ rule, options }: ObjectivePlan, weights: Value, { uniform }: TokenGroups): Value {
  const { plainWeight } = options;
  return plainWeight === 0 || rule === 'uniform'
    ? weights
    : add(mul(weights, 1 - plainWeight), mul(uniform, plainWeight));
}

/**
 * $$ (1 - \mu) \sum_t \tilde\omega_t\, \mathrm{CE}(z_h, y_t) + \mu\, \overline{\mathrm{CE}}(z_h, y)
 *    + \alpha \sum_t w_t\, \mathrm{CE}_{P_t}(z_h - z_\varnothing, y_t)
 *    + \tfrac{\kappa}{2} \sum_{s = 1 \pm \delta_s} \overline{\mathrm{CE}}(z_\varnothing + s (z_h - z_\varnothing), y)
 *    + \tau\, \overline{1[A^* > \max_v A^*_v]\, H_c(A - A^*)}
 *    - \nu\, \ln \frac{e^{\ell_h / \tau_c}}{\sum_{v \in \{h, v_1 … v_k\}} e^{\ell_v / \tau_c}}
 *    + \beta\, \overline{\mathrm{KL}}(p_0 \| p_\varnothing) $$
 * or, where a row has a preference, that loss ({@link preferenceLoss}) and φ of the fit in place of the first two terms,
 * summed over the microbatch's examples and divided by the step's: Eq. (4), (6)–(8); train.py:CustomTrainer2, CustomTrainer3.
 * z_∅ of the difference is z with another user's history where `differenceFrom` says so.
 * w_t is 1 / |S| or ω̃_t, and 0 where `differenceAt` leaves the token out; P_t are the tokens that {@link differenceLoss} compares.
 * μ, κ, τ, ν ({@link contrastLoss}), β and p_0 (the starting model without history) are ours, off unless the name of an objective brings them.
 * Examples without history contribute plain cross-entropy, no loss on effects and no anchor.
 * Gradient: into z_h, and into z_∅ through losses on effects unless `stopGradient`, and through the anchor; weights carry
 * none, except with `weightGradient`.
 */
export function objectiveLoss(plan: ObjectivePlan, inputs: ObjectiveInputs): ObjectiveLoss {
  const { anchorWeight, effectWeight, calibrationWeight, targetWeight, preferenceFit } = plan.options;
  const { contrastWeight } = plan.options;
  const { targets, groups } = inputs;
  const total = (values: Value, weights: Value) => weightedSum(values, weights, groups);
  /** A loss on effects with its factor, which may grow over the steps. */
  const scaled = (part: Value, factor: number) =>
    inputs.effectScale === undefined ? mul(part, factor) : mul(mul(part, factor), inputs.effectScale);
  return withScope(plan.name, () => {
    const crossEntropy = neg(selectedLogProbability(inputs[plan.fit]!, targets));
    const pair = { withHistory: inputs.withHistory!, withoutHistory: inputs.withoutHistory!, targets };
    const weights = objectiveWeights(plan, pair, groups, inputs);
    const mean = total(stopGradient(crossEntropy), groups.uniform);
    const weighted = total(crossEntropy, weights);
    const parts: Record<string, Value> = { crossEntropy: mean, weightedCrossEntropy: weighted };
    const fitted = withPlainShare(plan, weights, groups);
    let loss = fitted === weights ? weighted : total(crossEntropy, fitted);
    if (plan.preference) {
      const isCompared = inputs.isCompared!;
      const other = selectedLogProbability(inputs.otherHistory!, targets);
      const preference = preferenceLoss({ own: neg(crossEntropy), other, ...inputs }, groups, plan.options);
      parts.preference = total(mul(preference, isCompared), groups.uniform);
      // A text that is compared with nobody's history is fitted as ever.
      const share = where(greater(isCompared, 0), preferenceFit, 1);
      loss = add(parts.preference, total(mul(crossEntropy, share), groups.uniform));
    }
    if (plan.difference !== 'none') {
      const share = plan.difference === 'weighted' ? weights : groups.uniform;
      const fromOther = plan.options.differenceFrom === 'otherHistory';
      const compared = fromOther ? { ...pair, withoutHistory: inputs.otherHistory! } : pair;
      // Nothing is compared where there is no history, or nobody else's.
      const isCompared = fromOther ? inputs.isCompared! : groups.hasHistory;
      const isAt = plan.asksPreferenceTokens
        ? mul(preferenceTokens(pair, plan.options, inputs), isCompared)
        : isCompared;
      parts.logitDifference = total(mul(differenceLoss(compared, plan.options), isAt), share);
      loss = add(loss, scaled(parts.logitDifference, effectWeight));
    }
    if (plan.effectLosses.includes('calibration')) {
      const values = mul(calibrationLoss(pair, plan.options), groups.hasHistory);
      parts.calibration = total(values, groups.uniform);
      loss = add(loss, scaled(parts.calibration, calibrationWeight));
    }
    if (plan.effectLosses.includes('targets')) {
      const { estimate, placeboMost } = inputs;
      const [withHistory, withoutHistory] = [pair.withHistory, pair.withoutHistory].map((logits) =>
        selectedLogProbability(logits, targets),
      ) as [Value, Value];
      const targeted = { withHistory, withoutHistory, estimate: estimate!, placeboMost: placeboMost! };
      const values = mul(targetLoss(targeted, plan.options), groups.hasHistory);
      parts.effectTargets = total(values, groups.uniform);
      loss = add(loss, scaled(parts.effectTargets, targetWeight));
    }
    if (plan.effectLosses.includes('contrast')) {
      const histories = [inputs.otherHistory!, ...(inputs.furtherHistories ?? [])];
      const others = histories.map((logits) => selectedLogProbability(logits, targets));
      const values = contrastLoss({ own: neg(crossEntropy), others }, groups, plan.options);
      parts.contrast = total(mul(values, inputs.isCompared!), groups.uniform);
      loss = add(loss, scaled(parts.contrast, contrastWeight));
    }
    if (plan.needs.anchor) {
      const divergence = anchorDivergence(inputs.anchor!, pair.withoutHistory);
      parts.anchor = total(mul(divergence, groups.hasHistory), groups.uniform);
      loss = add(loss, mul(parts.anchor, anchorWeight));
    }
    return { loss, parts };
  });
}
