/** @file What is minimised: every objective is one row of a table over the same parts (docs/paper-index.md). */
import { ConfigError, nearestName } from '../../base/errors.ts';
import { add, mul, neg, selectedLogProbability, stopGradient } from '../../engine/ops/operators.ts';
import { type Value, withScope } from '../../engine/ops/value.ts';
import { type LogitPair, modelSideEffect } from '../effects/effects.ts';
import { anchorDivergence } from './anchor.ts';
import { type ObjectiveOptions, resolveObjectiveOptions } from './objective-options.ts';
import { type TokenGroups, weightedSum } from './token-weights.ts';
import { type EffectInputs, type WeightRule, weightsByRule } from './weight-rules.ts';

/** Logits at the response tokens of a microbatch, and how tokens group into examples. */
export interface ObjectiveInputs extends EffectInputs {
  readonly targets: Value;
  readonly withHistory?: Value;
  readonly withoutHistory?: Value;
  readonly groups: TokenGroups;
  /** Logits of the starting model without history, f32[S, V]; where there is an anchor. */
  readonly anchor?: Value;
  /** Factor of α in this step, f32[]; where α grows. */
  readonly effectScale?: Value;
}

/** A loss f32[], and its parts f32[] for the record. */
export interface ObjectiveLoss {
  readonly loss: Value;
  readonly parts: Readonly<Record<string, Value>>;
}

/** Which passes an objective needs. */
export type Passes = 'withHistory' | 'withoutHistory' | 'pair';

interface Objective {
  /** The pass that the text is fitted in. */
  readonly fit: 'withHistory' | 'withoutHistory';
  /** ω of the fit. */
  readonly weights: WeightRule;
  /** Weights of the loss on the logit difference: none, the mean over tokens, or ω̃. */
  readonly difference: 'none' | 'uniform' | 'weighted';
}

const objectives = {
  sft: { fit: 'withHistory', weights: 'uniform', difference: 'none' },
  'sft-no-history': { fit: 'withoutHistory', weights: 'uniform', difference: 'none' },
  'nextquill-code': { fit: 'withHistory', weights: 'threshold', difference: 'uniform' },
  'nextquill-paper': { fit: 'withHistory', weights: 'threshold', difference: 'weighted' },
  'nextquill-data-side': { fit: 'withHistory', weights: 'threshold', difference: 'none' },
  'nextquill-model-side': { fit: 'withHistory', weights: 'uniform', difference: 'uniform' },
  'nextquill-js': { fit: 'withHistory', weights: 'divergence', difference: 'none' },
  perce: { fit: 'withHistory', weights: 'clipped', difference: 'none' },
} as const satisfies Record<string, Objective>;

export type ObjectiveName = keyof typeof objectives;

/** Other names, each for an objective with some of its options. */
const objectiveAliases: Readonly<
  Record<string, { readonly objective: ObjectiveName; readonly options: ObjectiveOptions }>
> = {
  // Chosen by measurement on validation users (docs/results.md, "The default objective"): half plain, half by effects, and
  // no loss on the logit difference, which a short training wins by ruining the pass without history.
  nextquill: { objective: 'perce', options: { plainWeight: 0.5 } },
  cft: { objective: 'nextquill-model-side', options: {} },
};

/** All names that {@link resolveObjective} knows. */
export const objectiveNames: readonly string[] = [
  ...Object.keys(objectives),
  ...Object.keys(objectiveAliases),
];

/**
 * The objective that a name stands for; a manifest records this, not the alias.
 * @throws {ConfigError} with the nearest name when there is none
 */
export function resolveObjective(name: string): ObjectiveName {
  const resolved = aliasOf(name)?.objective ?? name;
  if (Object.hasOwn(objectives, resolved)) return resolved as ObjectiveName;
  const near = nearestName(name, objectiveNames);
  throw new ConfigError(
    `objective: expected one of ${objectiveNames.join(', ')}, got ${JSON.stringify(name)}`,
    {
      code: 'objective/unknown',
      ...(near === undefined ? {} : { hint: `Did you mean ${near}?` }),
    },
  );
}

/** The options that a name brings along; given ones go before them. */
export function optionsOfName(name: string): ObjectiveOptions {
  return aliasOf(name)?.options ?? {};
}

const aliasOf = (name: string) =>
  Object.hasOwn(objectiveAliases, name) ? objectiveAliases[name] : undefined;

/** Whether an objective has a loss on the logit difference, which a worse pass without history can win. */
export const hasDifferenceTerm = (name: ObjectiveName): boolean => objectives[name].difference !== 'none';

/** The rule by which an objective weighs the tokens of its fit. */
export const weightRuleOf = (name: ObjectiveName): WeightRule => objectives[name].weights;

/** Whether token weights are made of effects. */
export function weighsByEffects(name: ObjectiveName, options: ObjectiveOptions = {}): boolean {
  const { weights, difference }: Objective = objectives[name];
  // Where the fit is plain altogether, its weights are those of the difference term, if of any.
  const { plainWeight } = resolveObjectiveOptions(options);
  return weights !== 'uniform' && (plainWeight < 1 || difference === 'weighted');
}

/**
 * The passes that an objective needs.
 * @param effectsGiven whether the effects that weights are made of come from elsewhere than the passes of training
 */
export function passesOf(name: ObjectiveName, options: ObjectiveOptions = {}, effectsGiven = false): Passes {
  const { fit, difference }: Objective = objectives[name];
  if (fit === 'withoutHistory') return fit;
  const byPasses = weighsByEffects(name, options) && !effectsGiven;
  const needsPair = difference !== 'none' || byPasses || resolveObjectiveOptions(options).anchorWeight > 0;
  return needsPair ? 'pair' : fit;
}

/** ω̃ of an objective for a pair of passes: f32[S], summing to 1 over each example. */
export function objectiveWeights(
  name: ObjectiveName,
  pair: LogitPair,
  groups: TokenGroups,
  options: ObjectiveOptions = {},
  given: EffectInputs = {},
): Value {
  return weightsByRule(objectives[name].weights, pair, groups, resolveObjectiveOptions(options), given);
}

/**
 * $$ (1 - \mu) \sum_t \tilde\omega_t\, \mathrm{CE}(z_h, y_t) + \mu\, \overline{\mathrm{CE}}(z_h, y)
 *    + \alpha \sum_t w_t\, \mathrm{CE}(z_h - z_\varnothing, y_t)
 *    + \beta\, \overline{\mathrm{KL}}(p_0 \| p_\varnothing) $$
 * summed over the microbatch's examples and divided by the step's: Eq. (4), (6)–(8); train.py:CustomTrainer2, CustomTrainer3.
 * μ, β and p_0 (the starting model without history) are ours, off by default.
 * Examples without history contribute plain cross-entropy, no difference term and no anchor.
 * Gradient: into z_h, and into z_∅ through the difference unless `stopGradient`, and through the anchor; weights carry
 * none, but with `weightGradient`.
 */
export function objectiveLoss(
  name: ObjectiveName,
  inputs: ObjectiveInputs,
  options: ObjectiveOptions = {},
): ObjectiveLoss {
  const { fit: pass, difference: differenceKind }: Objective = objectives[name];
  const settings = resolveObjectiveOptions(options);
  const { plainWeight, anchorWeight } = settings;
  const { targets, groups } = inputs;
  const total = (values: Value, weights: Value) => weightedSum(values, weights, groups);
  return withScope(name, () => {
    const crossEntropy = neg(selectedLogProbability(inputs[pass]!, targets));
    const pair = { withHistory: inputs.withHistory!, withoutHistory: inputs.withoutHistory!, targets };
    const weights = weighsByEffects(name, settings)
      ? objectiveWeights(name, pair, groups, settings, inputs)
      : groups.uniform;
    const mean = total(stopGradient(crossEntropy), groups.uniform);
    const weighted = total(crossEntropy, weights);
    const parts: Record<string, Value> = { crossEntropy: mean, weightedCrossEntropy: weighted };
    let loss = weighted;
    if (plainWeight > 0)
      loss = add(mul(weighted, 1 - plainWeight), mul(total(crossEntropy, groups.uniform), plainWeight));
    if (differenceKind !== 'none') {
      const withoutHistory = settings.stopGradient ? stopGradient(pair.withoutHistory) : pair.withoutHistory;
      const effect = modelSideEffect({ ...pair, withoutHistory });
      const differenceLoss = mul(neg(selectedLogProbability(effect, targets)), groups.hasHistory);
      parts.logitDifference = total(differenceLoss, differenceKind === 'weighted' ? weights : groups.uniform);
      const scaled = mul(parts.logitDifference, settings.effectWeight);
      loss = add(loss, inputs.effectScale === undefined ? scaled : mul(scaled, inputs.effectScale));
    }
    if (anchorWeight > 0) {
      const divergence = anchorDivergence(inputs.anchor!, pair.withoutHistory);
      parts.anchor = total(mul(divergence, groups.hasHistory), groups.uniform);
      loss = add(loss, mul(parts.anchor, anchorWeight));
    }
    return { loss, parts };
  });
}
