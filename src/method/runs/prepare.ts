/** @file What a run needs before its first step, the same for a run that begins and for one that is resumed. */
import { breathe } from '../../base/breathe.ts';
import { ConfigError } from '../../base/errors.ts';
import type { ProgressListener } from '../../base/progress.ts';
import type { Model } from '../../engine/models/model.ts';
import { withQuantisedBase } from '../../engine/quantisation/quantised-base.ts';
import type { PromptPair, PromptSettings } from '../prompts/pair.ts';
import type { EffectCache } from '../scoring/effect-cache.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';
import { type FixedEstimates, fixedEstimates } from '../training/estimators.ts';
import type { HeldOut } from '../training/held-out.ts';
import { checkMemory, type MemoryRecord } from '../training/memory/memory-check.ts';
import type { TrainingPrompts } from '../training/pairs.ts';
import type { ResolvedSettings } from '../training/settings.ts';
import type { DataRecord } from './manifest.ts';
import type { StepEngine } from './step-engine.ts';

/** What every way to train takes. */
export interface RunOptions {
  /** Stops the run, with a checkpoint where steps were taken. */
  readonly signal?: AbortSignal;
  /** Bytes that the run may have in all; by default what this process has and what the machine has left. */
  readonly maxMemory?: number;
  /** Milliseconds of a clock that only runs forward, for reported times and timed checkpoints; `performance.now` by default. */
  readonly clock?: () => number;
  /** Opens the model of a fixed estimator by its name: a model, or an adapter of the one that is trained. */
  readonly openEstimator?: (source: string, model: Model) => Promise<ScoredModel>;
  /** Where effects that are computed before training are looked up first, and kept. */
  readonly cache?: EffectCache;
  /** Takes the steps in another process; this one's engine where absent. */
  readonly engine?: StepEngine;
  /** Receives progress while prompts are made of many examples, and effects computed, before training. */
  readonly onProgress?: ProgressListener;
}

/** The data of a run as prompts, and as the manifest records them. */
export interface RunData extends Pick<TrainingPrompts, 'pairs' | 'others'> {
  readonly record: DataRecord;
  /** How the prompts were made; absent for token ids. */
  readonly prompt?: PromptSettings;
  /** What the loss is measured on beside, where the run asks for it. */
  readonly heldOut?: HeldOut & { readonly record: DataRecord };
}

/** What training starts from. */
export interface Prepared {
  /** Over its quantised base, where the run has one. */
  readonly model: Model;
  /** Effects that were computed before training. */
  readonly fixed: FixedEstimates | undefined;
  /** Absent where another engine has the memory. */
  readonly memory?: MemoryRecord;
}

/**
 * Checks the memory, quantises the base and computes the effects that are needed before the first step.
 * @param opened the model as the caller opened it
 * @throws {ConfigError} when the run does not fit into memory, or its estimator cannot be opened or used
 * @throws {AbortedError} when the signal says so
 */
export async function prepare(
  settings: ResolvedSettings,
  opened: Model,
  data: RunData,
  options: RunOptions,
): Promise<Prepared> {
  const prepared = await prepareModel(
    settings,
    opened,
    { pairs: data.pairs, heldOutPairs: data.heldOut?.pairs },
    options,
  );
  return { ...prepared, fixed: await prepareEstimates(settings, prepared.model, data, options) };
}

/** The model that is trained, over its quantised base where the run has one, and the memory that the run was checked for. */
export async function prepareModel(
  settings: ResolvedSettings,
  opened: Model,
  {
    pairs,
    heldOutPairs,
  }: Pick<RunData, 'pairs'> & { readonly heldOutPairs?: readonly PromptPair[] | undefined },
  { signal, onProgress, maxMemory, openEstimator, engine }: RunOptions,
): Promise<Omit<Prepared, 'fixed'>> {
  const { baseBits, estimatorModel: source } = settings;
  if (source !== undefined && openEstimator === undefined)
    throw new ConfigError(`estimatorModel ${source}: expected openEstimator beside it, got none`, {
      code: 'estimator/unopened',
      hint: 'Pass openEstimator, so that estimatorModel can be opened.',
    });
  await breathe(signal);
  const memory =
    engine === undefined
      ? checkMemory(settings, opened, { pairs, heldOut: heldOutPairs }, maxMemory)
      : undefined;
  const working = { ...(onProgress && { onProgress }), ...(signal && { signal }) };
  // All passes see the same base: those of training, of its anchor and of its estimators.
  const model =
    baseBits === undefined ? opened : await withQuantisedBase(opened, baseBits, undefined, working);
  await breathe(signal);
  return { model, ...(memory && { memory }) };
}

/** Effects that are needed before the first step; undefined where none are. */
export async function prepareEstimates(
  settings: ResolvedSettings,
  model: Model,
  { pairs, others }: Pick<RunData, 'pairs' | 'others'>,
  { signal, onProgress, cache, openEstimator }: RunOptions,
): Promise<FixedEstimates | undefined> {
  const { estimatorModel: source, threads } = settings;
  const fixed = await fixedEstimates(settings, {
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
    model,
    pairs,
    threads,
    ...(others && { others }),
    ...(source !== undefined && { estimatorModel: await openEstimator!(source, model) }),
    ...(cache && { cache }),
  });
  await breathe(signal);
  return fixed;
}
