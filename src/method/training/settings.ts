/** @file The numbers of a training run: what a caller may leave out, where each default comes from, and their checks. */
import { availableParallelism } from 'node:os';
import { ConfigError } from '../../base/errors.ts';
import { adaptedLayers, blockModules } from '../../engine/lora/layers.ts';
import type { Model } from '../../engine/models/model.ts';
import type { LoraOptions } from '../../engine/models/parameters.ts';
import { type Schedule, schedules } from '../../engine/optim/learning-rate.ts';
import type { BaseBits } from '../../engine/quantisation/blocks.ts';
import {
  checkObjectiveOptions,
  type ObjectiveOptions,
  resolveObjectiveOptions,
} from '../objectives/objective-options.ts';
import {
  type ObjectiveName,
  optionsOfName,
  resolveObjective,
  weighsByEffects,
} from '../objectives/objectives.ts';
import { checkOptionsInUse } from '../objectives/options-in-use.ts';

/** An adapter's options; `targetModules` are all linear layers of the model's blocks when left out. */
export type LoraSettings = Omit<LoraOptions, 'targetModules'> & Partial<Pick<LoraOptions, 'targetModules'>>;

/** Settings of a run; "reference" is the paper's reference code. */
export interface TrainingSettings {
  /** Name or alias of an objective. */
  readonly objective: string;
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
  /** The newest so many checkpoints are kept, older ones removed once a new one is in place; 2. */
  readonly keepCheckpoints?: number;
}

export type EstimatorName = 'dynamic' | 'fixed' | 'moving-average';

export const estimatorNames: readonly EstimatorName[] = ['dynamic', 'fixed', 'moving-average'];

/** Settings with nothing left open, but for what may be absent. */
export interface ResolvedSettings
  extends Required<
    Omit<
      TrainingSettings,
      'lora' | 'baseBits' | 'maxSteps' | 'objective' | 'objectiveOptions' | 'estimatorModel'
    >
  > {
  readonly objective: ObjectiveName;
  readonly objectiveOptions: Required<ObjectiveOptions>;
  readonly estimatorModel?: string;
  readonly lora?: LoraOptions;
  readonly baseBits?: BaseBits;
  readonly maxSteps?: number;
}

/**
 * Fills in the defaults and checks every number.
 * @throws {ConfigError} naming the setting
 */
export function resolveSettings(settings: TrainingSettings, model: Model): ResolvedSettings {
  const { baseBits, maxSteps, estimatorModel } = settings;
  const lora = settings.lora && {
    ...settings.lora,
    targetModules: settings.lora.targetModules ?? blockModules(model),
  };
  const brought = optionsOfName(settings.objective);
  const resolved: ResolvedSettings = {
    objective: resolveObjective(settings.objective),
    objectiveOptions: resolveObjectiveOptions({ ...brought, ...settings.objectiveOptions }),
    estimator: settings.estimator ?? 'dynamic',
    ...(estimatorModel === undefined ? {} : { estimatorModel }),
    estimatorDecay: settings.estimatorDecay ?? 0.99,
    ...(lora === undefined ? {} : { lora }),
    ...(baseBits === undefined ? {} : { baseBits }),
    recompute: settings.recompute ?? false,
    learningRate: settings.learningRate ?? (lora === undefined ? 5e-5 : 2e-4),
    schedule: settings.schedule ?? 'linear',
    warmupRatio: settings.warmupRatio ?? 0.01,
    weightDecay: settings.weightDecay ?? 0.025,
    maxGradientNorm: settings.maxGradientNorm ?? 1,
    batchSize: settings.batchSize ?? 4,
    gradientAccumulation: settings.gradientAccumulation ?? 4,
    epochs: settings.epochs ?? 1,
    ...(maxSteps === undefined ? {} : { maxSteps }),
    seed: settings.seed ?? 0,
    threads: settings.threads ?? availableParallelism(),
    checkpointEvery: settings.checkpointEvery ?? 50,
    keepCheckpoints: settings.keepCheckpoints ?? 2,
  };
  checkObjectiveOptions(resolved.objectiveOptions);
  checkOptionsInUse(resolved.objective, settings.objectiveOptions ?? {}, brought);
  checkEstimator(resolved, settings);
  const wholeNumbers = [
    'batchSize',
    'gradientAccumulation',
    'epochs',
    'maxSteps',
    'threads',
    'checkpointEvery',
    'keepCheckpoints',
  ] as const;
  for (const name of wholeNumbers)
    check(name, resolved[name] ?? 1, 'a whole number of 1 or more', (v) => Number.isInteger(v) && v >= 1);
  check('seed', resolved.seed, 'a whole number', Number.isSafeInteger);
  check('learningRate', resolved.learningRate, 'a positive number', (v) => v > 0 && Number.isFinite(v));
  check('maxGradientNorm', resolved.maxGradientNorm, 'a positive number', (v) => v > 0);
  check('weightDecay', resolved.weightDecay, 'a number of 0 or more', (v) => v >= 0 && Number.isFinite(v));
  if (!schedules.includes(resolved.schedule))
    throw new ConfigError(
      `schedule: expected one of ${schedules.join(', ')}, got ${JSON.stringify(resolved.schedule)}`,
      { code: 'training/setting', hint: 'Choose one of these names.' },
    );
  check('warmupRatio', resolved.warmupRatio, 'a share from 0 to 1', (v) => v >= 0 && v <= 1);
  if (baseBits !== undefined)
    check(
      'baseBits',
      baseBits,
      lora === undefined ? 'nothing without lora: all weights are trained' : '4 or 8',
      (v) => lora !== undefined && (v === 4 || v === 8),
    );
  if (lora !== undefined) {
    check('lora.rank', lora.rank, 'a whole number of 1 or more', (v) => Number.isInteger(v) && v >= 1);
    check('lora.loraAlpha', lora.loraAlpha, 'a positive number', (v) => v > 0 && Number.isFinite(v));
    check('lora.dropout', lora.dropout ?? 0, 'a share from 0 to below 1', (v) => v >= 0 && v < 1);
    // B·A of a higher rank than the widest layer says nothing more, and takes memory without bound.
    const widest = Math.max(...adaptedLayers(model, lora).map(({ out, inputs }) => Math.min(out, inputs)));
    check(
      'lora.rank',
      lora.rank,
      `at most ${widest}, the full rank of this model's layers`,
      (v) => v <= widest,
    );
  }
  return resolved;
}

/** @throws {ConfigError} for an estimator that nothing asks, and for settings of another */
function checkEstimator(resolved: ResolvedSettings, given: TrainingSettings): void {
  const { objective, objectiveOptions, estimator } = resolved;
  const fail = (what: string, hint: string) =>
    new ConfigError(`estimator: ${what}`, { code: 'training/estimator', hint });
  if (!estimatorNames.includes(estimator))
    throw fail(
      `expected one of ${estimatorNames.join(', ')}, got ${JSON.stringify(estimator)}`,
      'Choose one of these names.',
    );
  if (estimator !== 'dynamic' && !weighsByEffects(objective, objectiveOptions))
    throw fail(
      `${estimator}: expected an objective whose token weights are made of effects, got ${objective}`,
      'Leave the estimator away, or choose another objective, such as nextquill-paper.',
    );
  if (estimator !== 'dynamic' && objectiveOptions.weightGradient)
    throw fail(
      `${estimator}: expected no weightGradient, got one`,
      'Gradients flow through weights only where the model in training estimates them.',
    );
  if (given.estimatorModel !== undefined && estimator !== 'fixed')
    throw fail(`${estimator}: expected no estimatorModel, got one`, 'Set estimator to fixed.');
  if (given.estimatorDecay !== undefined && estimator !== 'moving-average')
    throw fail(`${estimator}: expected no estimatorDecay, got one`, 'Set estimator to moving-average.');
  check('estimatorDecay', resolved.estimatorDecay, 'a share from 0 to 1', (v) => v >= 0 && v <= 1);
}

function check(name: string, value: number, expected: string, holds: (value: number) => boolean): void {
  if (typeof value === 'number' && holds(value)) return;
  throw new ConfigError(`${name}: expected ${expected}, got ${JSON.stringify(value)}`, {
    code: 'training/setting',
    hint: `Set ${name} to ${expected}.`,
  });
}
