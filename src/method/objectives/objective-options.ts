/**
 * @file The options that every objective takes, as one table: defaults, ranges, descriptions, and what each acts on. Types,
 * checks, recipes, their JSON Schema and the help of the command line are made of it.
 */
import { ConfigError, nearestName } from '../../base/errors.ts';
import { DEFAULT_OTHERS } from '../others/others-histories.ts';

/**
 * What an option acts on. Where an objective does not have it, the option would be recorded and change nothing, so that
 * plan.ts refuses it there.
 */
export type ActsOn =
  | 'effectWeights'
  | 'effects'
  | 'thresholdWeights'
  | 'softWeights'
  | 'divergenceWeights'
  | 'signedWeights'
  | 'others'
  | 'weightedFit'
  | 'difference'
  | 'preferenceTokens'
  | 'historyFit'
  | 'calibration'
  | 'targets'
  | 'contrast'
  | 'effectLosses'
  | 'comparedPass'
  | 'preference'
  | 'everything';

interface OptionRow {
  /** A noun phrase or a clause for help and schema, with symbol and unit; the default is added to it. */
  readonly describe: string;
  readonly actsOn: ActsOn;
}

interface NumberOption extends OptionRow {
  readonly default: number;
  /** Least and greatest value; ±Infinity where there is no bound, which itself is not allowed. */
  readonly range: readonly [least: number, greatest: number];
  readonly isWhole?: boolean;
}

interface SwitchOption extends OptionRow {
  readonly default: boolean;
}

interface ChoiceOption extends OptionRow {
  readonly default: string;
  readonly choices: readonly string[];
}

export type ObjectiveOption = NumberOption | SwitchOption | ChoiceOption;

const UNBOUNDED = Number.POSITIVE_INFINITY;

/** The paper's own values are not published: numbers that the reference code has are its own, and what is ours is off. */
export const objectiveOptionTable = {
  // δ, λ, ε and α: train.py:CustomTrainer3.
  effectThreshold: {
    default: 0.05,
    range: [0, 1],
    actsOn: 'thresholdWeights',
    describe: 'δ: a token counts as preference-driven when its probability rises by more than this',
  },
  highWeight: {
    default: 0.9,
    range: [0, UNBOUNDED],
    actsOn: 'thresholdWeights',
    describe: 'λ: weight of preference-driven tokens',
  },
  lowWeight: {
    default: 0.1,
    range: [0, UNBOUNDED],
    actsOn: 'thresholdWeights',
    describe: 'ε: weight of the other tokens',
  },
  effectWeight: {
    default: 0.1,
    range: [0, UNBOUNDED],
    actsOn: 'difference',
    describe: 'α: factor of the loss on the logit difference',
  },
  // Where on, 0.1 as in contrastive decoding (arXiv 2210.15097).
  plausibility: {
    default: 0,
    range: [0, 1],
    actsOn: 'difference',
    describe:
      'α_p: the logit difference is compared over tokens of at least this share of the likeliest one’s probability; 0: over the vocabulary',
  },
  differenceFrom: {
    default: 'none',
    choices: ['none', 'otherHistory'],
    actsOn: 'difference',
    describe:
      'what the logit difference is taken from: none, the pass without history (A), or otherHistory, that with another user’s (C)',
  },
  differenceAt: {
    default: 'all',
    choices: ['all', 'preferenceTokens'],
    actsOn: 'difference',
    describe:
      'tokens that the loss on the logit difference is at: all, or preferenceTokens, whose log ratio exceeds differenceThreshold',
  },
  differenceThreshold: {
    default: 0.1,
    range: [-UNBOUNDED, UNBOUNDED],
    actsOn: 'preferenceTokens',
    describe: 'log ratio above which a token is preference-driven for the logit difference, nats',
  },
  calibrationWeight: {
    default: 0,
    range: [0, UNBOUNDED],
    actsOn: 'historyFit',
    describe:
      'κ: factor of the calibration loss, the text’s loss where a history counts for strengthSpread more and less than it does',
  },
  strengthSpread: {
    default: 0.25,
    range: [0, 1],
    actsOn: 'calibration',
    describe: 'δ_s: the calibration loss is at strengths 1 − δ_s and 1 + δ_s',
  },
  targetWeight: {
    default: 0,
    range: [0, UNBOUNDED],
    actsOn: 'historyFit',
    describe:
      'τ: factor of the distance of the model’s effects from the estimator’s, where those exceed what any other user’s history does',
  },
  // Huber's distance is squared up to its knee, and grows evenly beyond.
  targetKnee: {
    default: 1,
    range: [0, UNBOUNDED],
    actsOn: 'targets',
    describe: 'c: distance of two effects up to which it counts squared, nats',
  },
  contrastWeight: {
    default: 0,
    range: [0, UNBOUNDED],
    actsOn: 'historyFit',
    describe:
      'ν: factor of the contrast, by which the own history is to make the whole text likelier than other users’ histories do (InfoNCE)',
  },
  contrastHistories: {
    default: 1,
    range: [1, UNBOUNDED],
    isWhole: true,
    actsOn: 'contrast',
    describe: 'k: other users’ histories that the own one is contrasted with, a pass of each step for each',
  },
  // As SimCLR's (arXiv 2002.05709), whose scores have no unit; here the loss ends a few tenths of a nat a token above the others.
  contrastTemperature: {
    default: 0.1,
    range: [0.001, UNBOUNDED],
    actsOn: 'contrast',
    describe: 'τ_c: difference of two mean log-likelihoods that counts as one, nats a token',
  },
  effectStart: {
    default: 0,
    range: [0, 1],
    actsOn: 'effectLosses',
    describe: 'share of the steps that are taken before losses on effects (factors α, κ, τ, ν) begin',
  },
  effectWarmup: {
    default: 0,
    range: [0, 1],
    actsOn: 'effectLosses',
    describe: 'share of the steps over which the factors of losses on effects then grow from 0, linearly',
  },
  stopGradient: {
    default: false,
    actsOn: 'comparedPass',
    describe: 'no gradient of losses on effects into the pass that they compare with',
  },
  // True in the reference code.
  weightGradient: {
    default: false,
    actsOn: 'divergenceWeights',
    describe: 'gradient through divergence weights',
  },
  softWeights: {
    default: false,
    actsOn: 'effectWeights',
    describe: 'weights ½ + σ(softSlope · (log ratio − softCentre)) in place of the objective’s own rule',
  },
  softSlope: {
    default: 2,
    range: [0, UNBOUNDED],
    actsOn: 'softWeights',
    describe: 'slope of soft weights, 1/nats',
  },
  softCentre: {
    default: 0.5,
    range: [-UNBOUNDED, UNBOUNDED],
    actsOn: 'softWeights',
    describe: 'log ratio of the middle soft weight, nats',
  },
  copyDiscount: {
    default: 0,
    range: [0, 1],
    actsOn: 'effects',
    describe:
      'ρ: share of a token’s effect that does not count where the token stands in a run of five or more words that the shown history holds',
  },
  weightsFrom: {
    default: 'total',
    choices: ['total', 'userSpecific'],
    actsOn: 'signedWeights',
    describe: 'effects that weights and preferenceTokens are made of: total (A), or userSpecific (C = A − B)',
  },
  others: {
    default: DEFAULT_OTHERS,
    range: [1, UNBOUNDED],
    isWhole: true,
    actsOn: 'others',
    describe: 'other users’ histories that B is the mean of, and that effects as targets must exceed',
  },
  // As DPO's code has it (arXiv 2305.18290).
  preferenceBeta: {
    default: 0.1,
    range: [0, UNBOUNDED],
    actsOn: 'preference',
    describe: 'β of the preference loss: how much one nat of margin between two histories counts',
  },
  preferenceFit: {
    default: 0,
    range: [0, UNBOUNDED],
    actsOn: 'preference',
    describe: 'φ: factor of the cross-entropy beside the preference loss',
  },
  startMargin: {
    default: true,
    actsOn: 'preference',
    describe:
      'whether the starting model’s margin is taken off, as DPO does; false: the form without a reference model',
  },
  plainWeight: {
    default: 0,
    range: [0, 1],
    actsOn: 'weightedFit',
    describe: 'μ: share of unweighted cross-entropy in the fit',
  },
  anchorWeight: {
    default: 0,
    range: [0, UNBOUNDED],
    actsOn: 'everything',
    describe: 'β: factor of the anchor, which holds the pass without history to the starting model',
  },
} as const satisfies Readonly<Record<string, ObjectiveOption>>;

export type ObjectiveOptionName = keyof typeof objectiveOptionTable;

type ValueOf<Row> = Row extends { readonly choices: readonly (infer Choice)[] }
  ? Choice
  : Row extends { readonly default: boolean }
    ? boolean
    : number;

/** Every option with its value; what a manifest records. */
export type ResolvedObjectiveOptions = {
  readonly [Name in ObjectiveOptionName]: ValueOf<(typeof objectiveOptionTable)[Name]>;
};

/** Options of an objective, each with a default; `objectiveOptionTable` describes them. */
export type ObjectiveOptions = {
  readonly [Name in ObjectiveOptionName]?: ResolvedObjectiveOptions[Name] | undefined;
};

/** The options as a list, in the order of the table. */
export const objectiveOptionRows = Object.entries(objectiveOptionTable) as readonly (readonly [
  ObjectiveOptionName,
  ObjectiveOption,
])[];

/** Every option with its default. */
export const defaultObjectiveOptions = Object.fromEntries(
  objectiveOptionRows.map(([name, row]) => [name, row.default]),
) as unknown as ResolvedObjectiveOptions;

/**
 * All options, defaults filled in.
 * @throws {ConfigError} for an unknown name, a value out of its range, and weights that would all be 0
 */
export function resolveObjectiveOptions(options: ObjectiveOptions = {}): ResolvedObjectiveOptions {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name] of given) if (!Object.hasOwn(objectiveOptionTable, name)) throw unknownOption(name);
  const resolved = { ...defaultObjectiveOptions, ...Object.fromEntries(given) };
  for (const [name, row] of objectiveOptionRows) checkValue(name, row, resolved[name]);
  if (resolved.highWeight === 0 && resolved.lowWeight === 0)
    throw new ConfigError('objectiveOptions: highWeight and lowWeight: expected one above 0, got 0 and 0', {
      code: 'objective/option',
      hint: 'Set one of them above 0: tokens of weight 0 teach nothing.',
    });
  return resolved;
}

function checkValue(name: ObjectiveOptionName, row: ObjectiveOption, value: unknown): void {
  const [expected, isRight] = expectationOf(row);
  if (isRight(value)) return;
  throw new ConfigError(`objectiveOptions: ${name}: expected ${expected}, got ${JSON.stringify(value)}`, {
    code: 'objective/option',
    hint: `Set ${name} to ${expected}.`,
  });
}

/** What a value must be, in words and as a check. */
function expectationOf(row: ObjectiveOption): [string, (value: unknown) => boolean] {
  if ('choices' in row)
    return [`one of ${row.choices.join(', ')}`, (value) => row.choices.includes(value as string)];
  if (!('range' in row)) return ['true or false', (value) => typeof value === 'boolean'];
  const { range, isWhole = false } = row;
  const [least, greatest] = range;
  const bounds = Number.isFinite(greatest)
    ? ` from ${least} to ${greatest}`
    : Number.isFinite(least)
      ? ` of at least ${least}`
      : '';
  return [
    `a ${isWhole ? 'whole' : 'finite'} number${bounds}`,
    (value) =>
      typeof value === 'number' &&
      (isWhole ? Number.isSafeInteger(value) : Number.isFinite(value)) &&
      value >= least &&
      value <= greatest,
  ];
}

function unknownOption(name: string): ConfigError {
  const names = Object.keys(objectiveOptionTable);
  const near = nearestName(name, names);
  return new ConfigError(
    `objectiveOptions: ${name}: expected one of ${names.join(', ')}, got an unknown name`,
    {
      code: 'objective/option',
      hint: near === undefined ? 'Choose one of these names.' : `Did you mean ${near}?`,
    },
  );
}
