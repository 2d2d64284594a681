/** @file The numbers of a training run: what a caller may leave out, where each default comes from, and their checks. */
import { availableParallelism } from 'node:os';
import { ConfigError } from '../../base/errors.ts';
import { checkThreads } from '../../base/threads.ts';
import { adaptedLayers, blockModules } from '../../engine/lora/layers.ts';
import type { Model } from '../../engine/models/model.ts';
import type { LoraOptions } from '../../engine/models/parameters.ts';
import { type Schedule, schedules } from '../../engine/optim/learning-rate.ts';
import type { BaseBits } from '../../engine/quantisation/blocks.ts';
import type { ObjectiveOptions } from '../objectives/objective-options.ts';
import type { ObjectiveChoice } from '../objectives/objectives.ts';
import { type EstimatorName, type ObjectivePlan, planObjective } from '../objectives/plan.ts';

/** An adapter's options; `targetModules` are all linear layers of the model's blocks when left out. */
export type LoraSettings = Omit<LoraOptions, 'targetModules'> & Partial<Pick<LoraOptions, 'targetModules'>>;

/** Settings of a run; "reference" is the paper's reference code. */
export interface TrainingSettings {
  /** `nextquill`. */
  readonly objective?: ObjectiveChoice | undefined;
  readonly objectiveOptions?: ObjectiveOptions;
  /** Whose effects token weights are made of: `dynamic`, the model in training, as in the reference code. */
  readonly estimator?: EstimatorName;
  /** The frozen model or adapter of a `fixed` estimator, as the caller named it; the starting model when absent. */
  readonly estimatorModel?: string;
  /** Of a `moving-average` estimator: share of the average that each step keeps; 0.99, an average over 100 steps. */
  readonly estimatorDecay?: number;
  /** Low-rank adapters on a frozen base; all parameters are trained when absent. */
  readonly lora?: LoraSettings;
  /** Bits of the frozen base's linear layers under adapters; f32 when absent. */
  readonly baseBits?: BaseBits;
  /** Computes each layer again in the backward pass: less memory, more time; false. */
  readonly recompute?: boolean;
  /**
   * Computes what examples of a microbatch begin with alike once, and puts short rows one after the other in place of padding: the
   * same losses and gradients, in another order of summation. True, except with dropout, whose masks are each example's own.
   */
  readonly packing?: boolean;
  /**
   * Keeps examples whose prompts begin alike, such as those of one user's growing history, in one step, so that packing saves more:
   * steps are then made of fewer users. False: every example is drawn by itself.
   */
  readonly groupByPrefix?: boolean;
  /** Peak rate: 2e-4 with LoRA (QLoRA's, arXiv 2305.14314, table 9), else 5e-5 (transformers' default; the reference has 5e-6 for 3B). */
  readonly learningRate?: number;
  /** `linear`, as the reference. */
  readonly schedule?: Schedule;
  /** Share of the steps; 0.01, the reference's. */
  readonly warmupRatio?: number;
  /** Of matrices; 0.025, the reference's. */
  readonly weightDecay?: number;
  /** 1, the reference's. */
  readonly maxGradientNorm?: number;
  /** Examples of a microbatch; 4. With `gradientAccumulation` 4 a step has the reference's 16 examples. */
  readonly batchSize?: number;
  readonly gradientAccumulation?: number;
  /** 1; the reference has 5. */
  readonly epochs?: number;
  /** Ends the run and its schedule earlier. */
  readonly maxSteps?: number;
  /** 0. */
  readonly seed?: number;
  /** The machine's processors. Part of what a run repeats bit for bit under. */
  readonly threads?: number;
  /** Steps between checkpoints; 50. */
  readonly checkpointEvery?: number;
  /** Minutes after which a checkpoint is written whatever the number of steps; 10. */
  readonly checkpointMinutes?: number;
  /** The newest so many checkpoints are kept, older ones removed once a new one is in place; 2. */
  readonly keepCheckpoints?: number;
  /** Steps between measurements of the loss on held-out rows, and one at the end; 0: none. */
  readonly evalEvery?: number;
  /** Held-out rows at most, taken in turn from every user; 32. */
  readonly evalExamples?: number;
  /** The result holds the weights of the step with the least loss on held-out rows, in place of the last step's; false. */
  readonly keepBest?: boolean;
  /** With `keepBest`: the run ends after so many evaluations without a better one. Never, when absent. */
  readonly patience?: number;
}

/** What a setting is where the caller leaves it out; those of the objective are in objective-options.ts. */
export const defaultSettings = {
  estimatorDecay: 0.99,
  recompute: false,
  packing: true,
  groupByPrefix: false,
  learningRateWithLora: 2e-4,
  learningRateOfAll: 5e-5,
  schedule: 'linear',
  warmupRatio: 0.01,
  weightDecay: 0.025,
  maxGradientNorm: 1,
  batchSize: 4,
  gradientAccumulation: 4,
  epochs: 1,
  seed: 0,
  checkpointEvery: 50,
  checkpointMinutes: 10,
  keepCheckpoints: 2,
  evalEvery: 0,
  evalExamples: 32,
  keepBest: false,
} as const;

const { checkpointMinutes, evalEvery, evalExamples, keepBest } = defaultSettings;

/** Settings that manifests of earlier runs do not hold. */
export const newerSettings = {
  checkpointMinutes,
  evalEvery,
  evalExamples,
  keepBest,
  packing: false,
  groupByPrefix: false,
};

/** Settings with nothing left open, except for what may be absent. */
export interface ResolvedSettings
  extends Required<
    Omit<
      TrainingSettings,
      | 'lora'
      | 'baseBits'
      | 'maxSteps'
      | 'patience'
      | 'objective'
      | 'objectiveOptions'
      | 'estimator'
      | 'estimatorModel'
    >
  > {
  /** The objective with its options and its estimator. */
  readonly objective: ObjectivePlan;
  readonly estimatorModel?: string;
  readonly lora?: LoraOptions;
  readonly baseBits?: BaseBits;
  readonly maxSteps?: number;
  readonly patience?: number;
}

/**
 * Fills in the defaults and checks every number.
 * @throws {ConfigError} naming the setting
 */
export function resolveSettings(settings: TrainingSettings, model: Model): ResolvedSettings {
  const { baseBits, maxSteps, patience, estimatorModel } = settings;
  const defaults = defaultSettings;
  const lora = settings.lora && {
    ...settings.lora,
    targetModules: settings.lora.targetModules ?? blockModules(model),
  };
  const resolved: ResolvedSettings = {
    objective: planObjective(settings.objective, settings.objectiveOptions, settings.estimator),
    ...(estimatorModel === undefined ? {} : { estimatorModel }),
    estimatorDecay: settings.estimatorDecay ?? defaults.estimatorDecay,
    ...(lora === undefined ? {} : { lora }),
    ...(baseBits === undefined ? {} : { baseBits }),
    recompute: settings.recompute ?? defaults.recompute,
    packing: settings.packing ?? (defaults.packing && (lora?.dropout ?? 0) === 0),
    groupByPrefix: settings.groupByPrefix ?? defaults.groupByPrefix,
    learningRate:
      settings.learningRate ??
      (lora === undefined ? defaults.learningRateOfAll : defaults.learningRateWithLora),
    schedule: settings.schedule ?? defaults.schedule,
    warmupRatio: settings.warmupRatio ?? defaults.warmupRatio,
    weightDecay: settings.weightDecay ?? defaults.weightDecay,
    maxGradientNorm: settings.maxGradientNorm ?? defaults.maxGradientNorm,
    batchSize: settings.batchSize ?? defaults.batchSize,
    gradientAccumulation: settings.gradientAccumulation ?? defaults.gradientAccumulation,
    epochs: settings.epochs ?? defaults.epochs,
    ...(maxSteps === undefined ? {} : { maxSteps }),
    seed: settings.seed ?? defaults.seed,
    threads: settings.threads ?? availableParallelism(),
    checkpointEvery: settings.checkpointEvery ?? defaults.checkpointEvery,
    checkpointMinutes: settings.checkpointMinutes ?? defaults.checkpointMinutes,
    keepCheckpoints: settings.keepCheckpoints ?? defaults.keepCheckpoints,
    evalEvery: settings.evalEvery ?? defaults.evalEvery,
    evalExamples: settings.evalExamples ?? defaults.evalExamples,
    keepBest: settings.keepBest ?? defaults.keepBest,
    ...(patience === undefined ? {} : { patience }),
  };
  checkEstimatorSettings(resolved, settings);
  checkThreads(resolved.threads);
  checkSettings(resolved);
  if (lora !== undefined) checkRank(lora, model);
  return resolved;
}

/** The settings that are not the objective's. */
export type SettingNumbers = Omit<ResolvedSettings, 'objective'>;

/**
 * Checks every value that does not depend on the model: of a caller, or of a manifest.
 * @throws {ConfigError} naming the setting
 */
export function checkSettings(resolved: SettingNumbers): void {
  const { lora, baseBits } = resolved;
  const wholeNumbers = [
    'batchSize',
    'gradientAccumulation',
    'epochs',
    'maxSteps',
    'threads',
    'checkpointEvery',
    'keepCheckpoints',
    'evalExamples',
  ] as const;
  for (const name of wholeNumbers)
    if (name !== 'maxSteps' || resolved.maxSteps !== undefined)
      check(name, resolved[name], 'a whole number of 1 or more', (v) => Number.isSafeInteger(v) && v >= 1);
  const isStepCount = (v: number) => Number.isSafeInteger(v) && v >= 0;
  check('evalEvery', resolved.evalEvery, 'a whole number of 0 or more', isStepCount);
  checkKeptStep(resolved);
  check('estimatorDecay', resolved.estimatorDecay, 'a share from 0 to 1', (v) => v >= 0 && v <= 1);
  check('checkpointMinutes', resolved.checkpointMinutes, 'a positive number', (v) => v > 0);
  check('seed', resolved.seed, 'a whole number', Number.isSafeInteger);
  check('learningRate', resolved.learningRate, 'a positive number', (v) => v > 0 && Number.isFinite(v));
  check('maxGradientNorm', resolved.maxGradientNorm, 'a positive number', (v) => v > 0);
  check('weightDecay', resolved.weightDecay, 'a number of 0 or more', (v) => v >= 0 && Number.isFinite(v));
  for (const name of ['recompute', 'packing', 'groupByPrefix', 'keepBest'] as const)
    if (typeof resolved[name] !== 'boolean')
      throw new ConfigError(`${name}: expected true or false, got ${JSON.stringify(resolved[name])}`, {
        code: 'training/setting',
        hint: `Set ${name} to true or false.`,
      });
  if (!schedules.includes(resolved.schedule))
    throw new ConfigError(
      `schedule: expected one of ${schedules.join(', ')}, got ${JSON.stringify(resolved.schedule)}`,
      { code: 'training/setting', hint: 'Choose one of these names.' },
    );
  check('warmupRatio', resolved.warmupRatio, 'a share from 0 to 1', (v) => v >= 0 && v <= 1);
  if (baseBits !== undefined && lora === undefined)
    throw new ConfigError(`baseBits: expected lora beside it, got ${baseBits} alone`, {
      code: 'training/setting',
      hint: 'Add lora, or remove baseBits: without adapters there is no frozen base to quantise.',
    });
  if (baseBits !== undefined) check('baseBits', baseBits, '4 or 8', (v) => v === 4 || v === 8);
  if (lora !== undefined) {
    check('lora.rank', lora.rank, 'a whole number of 1 or more', (v) => Number.isInteger(v) && v >= 1);
    check('lora.loraAlpha', lora.loraAlpha, 'a positive number', (v) => v > 0 && Number.isFinite(v));
    check('lora.dropout', lora.dropout ?? 0, 'a share from 0 to below 1', (v) => v >= 0 && v < 1);
    if (resolved.packing && (lora.dropout ?? 0) > 0)
      throw new ConfigError(`packing: expected an adapter without dropout, got dropout ${lora.dropout}`, {
        code: 'training/setting',
        hint: 'Remove packing or lora.dropout: each example has masks of its own, so that nothing can be shared.',
      });
  }
}

/**
 * Checks what says which step's weights are kept.
 * @throws {ConfigError} for patience without keepBest, and keepBest without evaluations
 */
export function checkKeptStep({
  evalEvery = 0,
  keepBest = false,
  patience,
}: Pick<TrainingSettings, 'evalEvery' | 'keepBest' | 'patience'>): void {
  const fail = (what: string, hint: string) => new ConfigError(what, { code: 'training/setting', hint });
  if (keepBest && evalEvery === 0)
    throw fail(
      'keepBest: expected evalEvery beside it, got none',
      'Set evalEvery to the steps between measurements on validation rows, or remove keepBest.',
    );
  if (patience === undefined) return;
  check('patience', patience, 'a whole number of 1 or more', (v) => Number.isSafeInteger(v) && v >= 1);
  if (!keepBest)
    throw fail(
      `patience: expected keepBest beside it, got ${patience} alone`,
      'Add keepBest, or remove patience: the run would end with weights that are worse than earlier ones.',
    );
}

/** B·A of a higher rank than the widest layer says nothing more, and takes memory without bound. */
function checkRank(lora: LoraOptions, model: Model): void {
  const widest = Math.max(...adaptedLayers(model, lora).map(({ out, inputs }) => Math.min(out, inputs)));
  check(
    'lora.rank',
    lora.rank,
    `at most ${widest}, the full rank of this model's layers`,
    (v) => v <= widest,
  );
}

/** @throws {ConfigError} for settings of another estimator */
function checkEstimatorSettings(resolved: ResolvedSettings, given: TrainingSettings): void {
  const { estimator } = resolved.objective;
  const fail = (what: string, hint: string) =>
    new ConfigError(`estimator: ${what}`, { code: 'training/estimator', hint });
  if (given.estimatorModel !== undefined && estimator !== 'fixed')
    throw fail(`${estimator}: expected no estimatorModel, got one`, 'Set estimator to fixed.');
  if (given.estimatorDecay !== undefined && estimator !== 'moving-average')
    throw fail(`${estimator}: expected no estimatorDecay, got one`, 'Set estimator to moving-average.');
}

function check(
  name: string,
  value: number | undefined,
  expected: string,
  holds: (value: number) => boolean,
): void {
  if (typeof value === 'number' && holds(value)) return;
  throw new ConfigError(`${name}: expected ${expected}, got ${JSON.stringify(value)}`, {
    code: 'training/setting',
    hint: `Set ${name} to ${expected}.`,
  });
}
