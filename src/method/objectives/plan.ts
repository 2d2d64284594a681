/**
 * @file An objective as one value: its name, its options and who estimates effects, and what follows from them. Training,
 * scoring, the prediction of memory and the manifest of a run read it; none of them asks what the parts mean together.
 */
import { ConfigError } from '../../base/errors.ts';
import {
  type ActsOn,
  defaultObjectiveOptions,
  type ObjectiveOptionName,
  type ObjectiveOptions,
  objectiveOptionRows,
  objectiveOptionTable,
  type ResolvedObjectiveOptions,
  resolveObjectiveOptions,
} from './objective-options.ts';
import {
  DEFAULT_OBJECTIVE,
  type ObjectiveChoice,
  type ObjectiveName,
  type ObjectiveRow,
  objectiveOf,
  objectiveTable,
} from './objectives.ts';
import type { WeightRule } from './weight-rules.ts';

/** Whose effects token weights are made of: the model in training, a frozen one, or a moving average of the first. */
export type EstimatorName = 'dynamic' | 'fixed' | 'moving-average';

/** Names of the estimators of effects. */
export const estimatorNames: readonly EstimatorName[] = ['dynamic', 'fixed', 'moving-average'];

/** Which passes with the user's own prompts a training step takes. */
export type Passes = 'withHistory' | 'withoutHistory' | 'pair';

/** One pass over the response tokens; those with other users' histories are counted from the second on. */
export type PassName = 'withHistory' | 'withoutHistory' | OtherPassName;
export type OtherPassName = 'otherHistory' | `otherHistory${number}`;

/**
 * The losses on effects, beside the fit: on the logit difference, on how the text's likelihood moves with the effect's size, on
 * the distance from an estimator's effects, and on what the own history does for the whole text beside others'.
 */
export type EffectLoss = 'difference' | 'calibration' | 'targets' | 'contrast';

/** An objective with everything that follows from its options. */
export interface ObjectivePlan {
  /** Never an alias. */
  readonly name: ObjectiveName;
  /** As the caller named it. */
  readonly requested: ObjectiveChoice;
  /** Complete. */
  readonly options: ResolvedObjectiveOptions;
  readonly estimator: EstimatorName;
  /** The pass that the text is fitted in. */
  readonly fit: ObjectiveRow['fit'];
  /** ω as these options make it: `uniform` where no effect has a say in the loss. */
  readonly rule: WeightRule;
  /** Weights of the loss on the logit difference. */
  readonly difference: ObjectiveRow['difference'];
  /** Whether the own history is preferred to another user's, in place of the fit or beside it. */
  readonly preference: boolean;
  /** Which losses on effects there are. */
  readonly effectLosses: readonly EffectLoss[];
  /** Whether the loss on the logit difference is at preference-bearing tokens alone. */
  readonly asksPreferenceTokens: boolean;
  /** Whether effects of tokens have a say in the loss: in weights, or in which tokens it is at. */
  readonly asksEffects: boolean;
  /** The passes of a training step. */
  readonly passes: Passes;
  /** What a training step needs beside its own passes. */
  readonly needs: {
    /** Effects of the tokens by the estimator, in place of those of the passes. */
    readonly estimate: boolean;
    /** B, what other users' histories do. */
    readonly generic: boolean;
    /** The most that another user's history does for a token. */
    readonly placeboMost: boolean;
    /** Which tokens stand in runs that the shown history holds. */
    readonly copied: boolean;
    /** Logits of the starting model without history. */
    readonly anchor: boolean;
    /** Passes with another user's history each; 0 for none. */
    readonly others: number;
    /** How much likelier the starting model finds the text with the own history than with the other one. */
    readonly startMargin: boolean;
    /** The factor of losses on effects in this step. */
    readonly scale: boolean;
  };
}

/**
 * The plan of an objective.
 * @param name an objective or an alias; {@link DEFAULT_OBJECTIVE} by default
 * @param options what is left out has the value that the name brings along, or else its default
 * @throws {ConfigError} for an unknown name, a value out of its range, an option that would change nothing, and an estimator
 *   that nothing asks
 */
export function planObjective(
  name: ObjectiveChoice = DEFAULT_OBJECTIVE,
  options: ObjectiveOptions = {},
  estimator: EstimatorName = 'dynamic',
): ObjectivePlan {
  const { objective, options: brought } = objectiveOf(name);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const plan = planOf({
    objective,
    objectiveRequested: name,
    objectiveOptions: resolveObjectiveOptions({ ...brought, ...given }),
    estimator,
  });
  checkOptionsInUse(plan, Object.keys(given) as ObjectiveOptionName[]);
  checkEstimator(plan);
  return plan;
}

/** A plan as a manifest records it. */
export interface ObjectiveRecord {
  readonly objective: ObjectiveName;
  readonly objectiveOptions: ResolvedObjectiveOptions;
  readonly estimator: EstimatorName;
  /** As the caller named the objective. */
  readonly objectiveRequested: ObjectiveChoice;
}

/** What {@link planOf} makes the plan of again. */
export const recordOf = ({ name, options, estimator, requested }: ObjectivePlan): ObjectiveRecord => ({
  objective: name,
  objectiveOptions: options,
  estimator,
  objectiveRequested: requested,
});

/** The plan that was recorded. */
export function planOf(record: ObjectiveRecord): ObjectivePlan {
  const { objective: name, objectiveOptions: options, estimator, objectiveRequested: requested } = record;
  const { fit, difference, rule: ownRule, preference = false }: ObjectiveRow = objectiveTable[name];
  // A fit that is plain altogether leaves the weights to the difference term, if that has any.
  const isWeighted = ownRule !== 'uniform' && (options.plainWeight < 1 || difference === 'weighted');
  const rule = !isWeighted ? 'uniform' : options.softWeights ? 'soft' : ownRule;
  const effectLosses: EffectLoss[] = [
    ...(difference !== 'none' ? (['difference'] as const) : []),
    ...(fit === 'withHistory' && options.calibrationWeight > 0 ? (['calibration'] as const) : []),
  ];
  const fromOther = difference !== 'none' && options.differenceFrom === 'otherHistory';
  const hasTargets = fit === 'withHistory' && options.targetWeight > 0;
  if (hasTargets) effectLosses.push('targets');
  const isContrasted = fit === 'withHistory' && options.contrastWeight > 0;
  if (isContrasted) effectLosses.push('contrast');
  const asksPreferenceTokens = difference !== 'none' && options.differenceAt === 'preferenceTokens';
  const asksEffects = isWeighted || asksPreferenceTokens || hasTargets;
  const needs = {
    estimate: asksEffects && estimator !== 'dynamic',
    placeboMost: hasTargets,
    generic: (isSigned(rule) || asksPreferenceTokens) && options.weightsFrom === 'userSpecific',
    copied: (isWeighted || asksPreferenceTokens) && options.copyDiscount > 0,
    anchor: options.anchorWeight > 0,
    others: Math.max(preference || fromOther ? 1 : 0, isContrasted ? options.contrastHistories : 0),
    startMargin: preference && options.startMargin,
    scale: effectLosses.length > 0 && (options.effectWarmup > 0 || options.effectStart > 0),
  };
  const readsNone = effectLosses.some((loss) => comparesWithNone(loss, options));
  const comparesPasses = readsNone || needs.anchor || (asksEffects && !needs.estimate);
  const passes = fit === 'withHistory' && comparesPasses ? 'pair' : fit;
  return {
    name,
    requested,
    options,
    estimator,
    fit,
    rule,
    difference,
    preference,
    effectLosses,
    asksPreferenceTokens,
    asksEffects,
    passes,
    needs,
  };
}

/** Whether a loss on effects compares with the pass without history. */
export const comparesWithNone = (loss: EffectLoss, { differenceFrom }: ResolvedObjectiveOptions): boolean =>
  loss !== 'contrast' && (loss !== 'difference' || differenceFrom === 'none');

/** The name of a pass with another user's history, 0 for the first. */
const otherPassName = (place: number): OtherPassName =>
  place === 0 ? 'otherHistory' : `otherHistory${place + 1}`;

/** The place of another user's history by the name of its pass, 0 for the first; undefined for the user's own prompts. */
export function placeOfOther(pass: string): number | undefined {
  const place = /^otherHistory(\d*)$/.exec(pass)?.[1];
  return place === undefined ? undefined : place === '' ? 0 : Number(place) - 1;
}

/** The passes with so many other users' histories. */
export const otherPassNames = (others: number): readonly OtherPassName[] =>
  Array.from({ length: others }, (_, place) => otherPassName(place));

/** The passes of a training step by their names. */
export function passNamesOf({ passes, needs }: Pick<ObjectivePlan, 'passes' | 'needs'>): readonly PassName[] {
  const own: readonly PassName[] = passes === 'pair' ? ['withHistory', 'withoutHistory'] : [passes];
  return [...own, ...otherPassNames(needs.others)];
}

/** Whether a gradient flows into the pass without history. */
export function reachesWithoutHistory({
  fit,
  passes,
  effectLosses,
  rule,
  needs,
  options,
}: ObjectivePlan): boolean {
  if (passes !== 'pair') return fit === 'withoutHistory';
  const fromNone = effectLosses.some((loss) => comparesWithNone(loss, options));
  return (
    (fromNone && !options.stopGradient) || (rule === 'divergence' && options.weightGradient) || needs.anchor
  );
}

/** Whether effects of other users' histories must be known before training: as B, or as what targets must exceed. */
export const comparesWithOthers = ({ needs }: Pick<ObjectivePlan, 'needs'>): boolean =>
  needs.generic || needs.placeboMost;

/** Losses of an objective that no weight of tokens stands for: a trainer that reads weights alone trains without them. */
export const lossesBesideFit = ({
  effectLosses,
  preference,
  needs,
}: Pick<ObjectivePlan, 'effectLosses' | 'preference' | 'needs'>): readonly string[] => [
  ...effectLosses,
  ...(preference ? ['preference'] : []),
  ...(needs.anchor ? ['anchor'] : []),
];

/** The divergence has no sign, so that it cannot be compared with others' histories. */
const isSigned = (rule: WeightRule): boolean => rule !== 'uniform' && rule !== 'divergence';

/** What an option acts on: in words after "uses", whether a plan has it, and how to get it. */
const actedOn: Readonly<
  Record<
    ActsOn,
    { readonly words: string; readonly isIn: (plan: ObjectivePlan) => boolean; readonly remedy: string }
  >
> = {
  effectWeights: {
    words: 'token weights made of effects',
    isIn: ({ rule }) => rule !== 'uniform',
    remedy: 'choose an objective with token weights, such as nextquill-paper, with a plainWeight below 1',
  },
  effects: {
    words: 'effects that weigh or choose tokens',
    isIn: ({ rule, asksPreferenceTokens }) => rule !== 'uniform' || asksPreferenceTokens,
    remedy: 'choose an objective with token weights, such as perce, with a plainWeight below 1',
  },
  thresholdWeights: {
    words: 'weights about a threshold',
    isIn: ({ rule }) => rule === 'threshold',
    remedy: 'choose an objective with them, such as nextquill-paper, without softWeights',
  },
  softWeights: {
    words: 'soft weights',
    isIn: ({ rule }) => rule === 'soft',
    remedy: 'set softWeights=true in an objective with token weights',
  },
  divergenceWeights: {
    words: 'weights that are divergences',
    isIn: ({ rule }) => rule === 'divergence',
    remedy: 'choose nextquill-js without softWeights',
  },
  signedWeights: {
    words: 'token weights made of effects with a sign, or preferenceTokens',
    isIn: ({ rule, asksPreferenceTokens }) => isSigned(rule) || asksPreferenceTokens,
    remedy: 'choose an objective with such weights, such as perce',
  },
  others: {
    words: 'other users’ histories for its effects',
    isIn: comparesWithOthers,
    remedy: 'set weightsFrom=userSpecific, or targetWeight above 0',
  },
  weightedFit: {
    words: 'token weights',
    isIn: ({ name }) => objectiveTable[name].rule !== 'uniform',
    remedy: 'choose an objective with token weights, such as perce',
  },
  difference: {
    words: 'a loss on the logit difference',
    isIn: ({ difference }) => difference !== 'none',
    remedy: 'choose an objective with that loss, such as nextquill-paper',
  },
  preferenceTokens: {
    words: 'preferenceTokens for the loss on the logit difference',
    isIn: ({ asksPreferenceTokens }) => asksPreferenceTokens,
    remedy: 'set differenceAt=preferenceTokens in an objective with that loss, such as nextquill-paper',
  },
  historyFit: {
    words: 'the history in the fit',
    isIn: ({ fit }) => fit === 'withHistory',
    remedy: 'choose an objective with the history in the prompt, such as sft',
  },
  calibration: {
    words: 'a calibration loss',
    isIn: ({ effectLosses }) => effectLosses.includes('calibration'),
    remedy: 'set calibrationWeight above 0',
  },
  targets: {
    words: 'effects as targets',
    isIn: ({ effectLosses }) => effectLosses.includes('targets'),
    remedy: 'set targetWeight above 0',
  },
  effectLosses: {
    words: 'losses on effects',
    isIn: ({ effectLosses }) => effectLosses.length > 0,
    remedy: 'choose an objective with one, such as nextquill-paper, or set calibrationWeight above 0',
  },
  contrast: {
    words: 'a contrast of histories',
    isIn: ({ effectLosses }) => effectLosses.includes('contrast'),
    remedy: 'set contrastWeight above 0',
  },
  comparedPass: {
    words: 'losses on effects that may leave the compared pass as it is (the contrast moves all passes)',
    isIn: ({ effectLosses }) => effectLosses.some((loss) => loss !== 'contrast'),
    remedy: 'choose an objective with one, such as nextquill-paper, or set calibrationWeight above 0',
  },
  preference: {
    words: 'a preference between histories',
    isIn: ({ preference }) => preference,
    remedy: 'choose mipo',
  },
  everything: { words: 'anything', isIn: () => true, remedy: '' },
};

/** The options that change something in a plan; those that are off do not. */
export function optionsInUse(plan: ObjectivePlan): ObjectiveOptions {
  const names = objectiveOptionRows.flatMap(([name, { actsOn }]) =>
    actedOn[actsOn].isIn(plan) && !isOff(name, plan.options) ? name : [],
  );
  return Object.fromEntries(names.map((name) => [name, plan.options[name]]));
}

/**
 * Checks that given options change something. One that is given as off, its default, says what is true.
 * Options that a name brings along may lose their use to given ones.
 */
function checkOptionsInUse(plan: ObjectivePlan, given: readonly ObjectiveOptionName[]): void {
  for (const option of given) {
    const { words, isIn, remedy } = actedOn[objectiveOptionTable[option].actsOn];
    if (isIn(plan) || isOff(option, plan.options)) continue;
    throw new ConfigError(
      `objectiveOptions: ${option}: expected an objective that uses ${words}, got ${plan.requested}, which does not with these options`,
      { code: 'objective/option', hint: `Remove ${option}, or ${remedy}.` },
    );
  }
}

function isOff(option: ObjectiveOptionName, options: ResolvedObjectiveOptions): boolean {
  const off: unknown = defaultObjectiveOptions[option];
  return options[option] === off && [false, 0, 'total', 'all', 'none'].includes(off as never);
}

function checkEstimator({
  requested: name,
  estimator,
  asksEffects,
  effectLosses,
  options,
}: ObjectivePlan): void {
  const fail = (what: string, hint: string) =>
    new ConfigError(`estimator: ${what}`, { code: 'training/estimator', hint });
  if (!estimatorNames.includes(estimator))
    throw fail(
      `expected one of ${estimatorNames.join(', ')}, got ${JSON.stringify(estimator)}`,
      'Choose one of these names.',
    );
  if (estimator === 'dynamic' && effectLosses.includes('targets'))
    throw fail(
      'dynamic: expected fixed or moving-average with targetWeight, got the model in training, whose effects are their own targets',
      'Set estimator to fixed, or remove targetWeight.',
    );
  if (estimator === 'dynamic') return;
  if (!asksEffects)
    throw fail(
      `${estimator}: expected an objective that weighs or chooses tokens by effects, got ${name}`,
      'Remove estimator, or choose an objective that weighs tokens by effects, such as nextquill-paper.',
    );
  if (options.weightGradient)
    throw fail(
      `${estimator}: expected no weightGradient, got one`,
      'Remove weightGradient: gradients flow through weights only where the model in training estimates them.',
    );
}
