/** @file What is minimised: every objective is one row of a table over the same parts (docs/paper-index.md). */
import { ConfigError, nearestName } from '../../base/errors.ts';
import {
  add,
  mul,
  neg,
  reduceSum,
  selectedLogProbability,
  stopGradient,
} from '../../engine/ops/operators.ts';
import { type Value, withScope } from '../../engine/ops/value.ts';
import {
  dataSideEffect,
  divergenceEffect,
  type LogitPair,
  logRatioEffect,
  modelSideEffect,
} from '../effects/effects.ts';
import {
  clippedWeights,
  normaliseWithinExamples,
  type TokenGroups,
  thresholdWeights,
  weightedSum,
} from './token-weights.ts';

/** Numbers of an objective. The paper's own values are not published; the defaults are the reference code's. */
export interface ObjectiveOptions {
  /** δ: a token is preference-bearing when its probability rises by more; 0.05 by train.py:CustomTrainer3. */
  readonly effectThreshold?: number;
  /** λ: weight of preference-bearing tokens; 0.9. */
  readonly highWeight?: number;
  /** ε: weight of the others; 0.1. */
  readonly lowWeight?: number;
  /** α: factor of the loss on the logit difference; 0.1. */
  readonly effectWeight?: number;
  /** Whether gradients stop at z_∅ in the logit difference; false in the reference code. */
  readonly stopGradient?: boolean;
  /** Whether gradients flow through divergence weights, as in the reference code; false by default. */
  readonly weightGradient?: boolean;
}

/** Logits at the response tokens of a microbatch, and how tokens group into examples. */
export interface ObjectiveInputs {
  readonly targets: Value;
  readonly withHistory?: Value;
  readonly withoutHistory?: Value;
  readonly groups: TokenGroups;
}

/** A loss f32[], and its parts f32[] for the record. */
export interface ObjectiveLoss {
  readonly loss: Value;
  readonly parts: Readonly<Record<string, Value>>;
}

/** Which passes an objective needs. */
export type Passes = 'withHistory' | 'withoutHistory' | 'pair';

interface Objective {
  readonly passes: Passes;
  /** ω̃ before the loss: f32[S], normalised within each example. */
  weights(pair: LogitPair, groups: TokenGroups, options: Required<ObjectiveOptions>): Value;
  /** Weights of the loss on the logit difference: none, the mean over tokens, or ω̃. */
  readonly difference: 'none' | 'uniform' | 'weighted';
}

const logProbabilities = ({ withHistory, withoutHistory, targets }: LogitPair) =>
  [selectedLogProbability(withHistory, targets), selectedLogProbability(withoutHistory, targets)] as const;

const uniform: Objective['weights'] = (_pair, groups) => groups.uniform;

const byDataSideEffect: Objective['weights'] = (pair, groups, { effectThreshold, highWeight, lowWeight }) => {
  const effect = dataSideEffect(...logProbabilities(pair));
  return normaliseWithinExamples(thresholdWeights(effect, effectThreshold, highWeight, lowWeight), groups);
};

const byDivergence: Objective['weights'] = (pair, groups, { weightGradient }) => {
  const divergence = divergenceEffect(pair);
  return normaliseWithinExamples(weightGradient ? divergence : stopGradient(divergence), groups);
};

// PerCE's bounds, arXiv 2603.06595.
const byLogRatio: Objective['weights'] = (pair, groups) =>
  normaliseWithinExamples(clippedWeights(logRatioEffect(...logProbabilities(pair)), 0.8, 5), groups);

const objectives = {
  sft: { passes: 'withHistory', weights: uniform, difference: 'none' },
  'sft-no-history': { passes: 'withoutHistory', weights: uniform, difference: 'none' },
  'nextquill-code': { passes: 'pair', weights: byDataSideEffect, difference: 'uniform' },
  'nextquill-paper': { passes: 'pair', weights: byDataSideEffect, difference: 'weighted' },
  'nextquill-data-side': { passes: 'pair', weights: byDataSideEffect, difference: 'none' },
  'nextquill-model-side': { passes: 'pair', weights: uniform, difference: 'uniform' },
  'nextquill-js': { passes: 'pair', weights: byDivergence, difference: 'none' },
  perce: { passes: 'pair', weights: byLogRatio, difference: 'none' },
} as const satisfies Record<string, Objective>;

/** Other names: `nextquill` stands for `nextquill-code` until a measurement on validation users chooses. */
const objectiveAliases = { nextquill: 'nextquill-code', cft: 'nextquill-model-side' } as const;

export type ObjectiveName = keyof typeof objectives;

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
  const resolved = objectiveAliases[name as keyof typeof objectiveAliases] ?? name;
  if (resolved in objectives) return resolved as ObjectiveName;
  const near = nearestName(name, objectiveNames);
  throw new ConfigError(
    `objective: expected one of ${objectiveNames.join(', ')}, got ${JSON.stringify(name)}`,
    {
      code: 'objective/unknown',
      ...(near === undefined ? {} : { hint: `Did you mean ${near}?` }),
    },
  );
}

/** The passes that an objective needs. */
export function passesOf(name: ObjectiveName): Passes {
  return objectives[name].passes;
}

/** ω̃ of an objective for a pair of passes: f32[S], summing to 1 over each example. */
export function objectiveWeights(
  name: ObjectiveName,
  pair: LogitPair,
  groups: TokenGroups,
  options: ObjectiveOptions = {},
): Value {
  return objectives[name].weights(pair, groups, resolveObjectiveOptions(options));
}

/**
 * $$ \sum_t \tilde\omega_t\, \mathrm{CE}(z_h, y_t) + \alpha \sum_t w_t\, \mathrm{CE}(z_h - z_\varnothing, y_t) $$
 * summed over the microbatch's examples and divided by the step's: Eq. (4), (6)–(8); train.py:CustomTrainer2, CustomTrainer3.
 * Examples without history contribute plain cross-entropy and no difference term.
 * Gradient: into z_h, and into z_∅ through the difference unless `stopGradient`; weights carry none, but with `weightGradient`.
 */
export function objectiveLoss(
  name: ObjectiveName,
  inputs: ObjectiveInputs,
  options: ObjectiveOptions = {},
): ObjectiveLoss {
  const objective: Objective = objectives[name];
  const settings = resolveObjectiveOptions(options);
  const { targets, groups } = inputs;
  return withScope(name, () => {
    const main = objective.passes === 'withoutHistory' ? inputs.withoutHistory! : inputs.withHistory!;
    const crossEntropy = neg(selectedLogProbability(main, targets));
    const pair = { withHistory: inputs.withHistory!, withoutHistory: inputs.withoutHistory!, targets };
    const weights = objective.weights(pair, groups, settings);
    const fit = reduceSum(weightedSum(crossEntropy, weights, groups), [0]);
    const mean = reduceSum(weightedSum(stopGradient(crossEntropy), groups.uniform, groups), [0]);
    if (objective.difference === 'none')
      return { loss: fit, parts: { crossEntropy: mean, weightedCrossEntropy: fit } };

    const withoutHistory = settings.stopGradient ? stopGradient(pair.withoutHistory) : pair.withoutHistory;
    const effect = modelSideEffect({ ...pair, withoutHistory });
    const differenceLoss = mul(neg(selectedLogProbability(effect, targets)), groups.hasHistory);
    const differenceWeights = objective.difference === 'weighted' ? weights : groups.uniform;
    const difference = reduceSum(weightedSum(differenceLoss, differenceWeights, groups), [0]);
    return {
      loss: add(fit, mul(difference, settings.effectWeight)),
      parts: { crossEntropy: mean, weightedCrossEntropy: fit, logitDifference: difference },
    };
  });
}

/** All numbers of an objective, defaults filled in; what a manifest records. */
export function resolveObjectiveOptions(options: ObjectiveOptions): Required<ObjectiveOptions> {
  return {
    effectThreshold: 0.05,
    highWeight: 0.9,
    lowWeight: 0.1,
    effectWeight: 0.1,
    stopGradient: false,
    weightGradient: false,
    ...options,
  };
}
