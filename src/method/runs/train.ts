/** @file Training as users call it: from examples, from prompt pairs, and on from a run that was stopped or killed. */
import { CheckpointError, ConfigError, throwIfAborted } from '../../base/errors.ts';
import type { ProgressListener } from '../../base/progress.ts';
import type { Model } from '../../engine/models/model.ts';
import { withQuantisedBase } from '../../engine/quantisation/quantised-base.ts';
import type { Example } from '../data/example.ts';
import { forTraining } from '../data/splits.ts';
import { defaultPromptSettings, type PromptPair, type PromptSettings } from '../prompts/pair.ts';
import type { EffectCache } from '../scoring/effect-cache.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';
import { restoreNewest } from './checkpoint.ts';
import { checkUnchanged, dataRecord, recordedItems } from './data-record.ts';
import { type FixedEstimates, fixedEstimates } from '../training/estimators.ts';
import {
  currentMachine,
  currentVersions,
  type DataRecord,
  type Manifest,
  readManifest,
  recipeOf,
  settingsOf,
  type TrainSummary,
  writeManifest,
} from './manifest.ts';
import { checkMemory, graphOptions } from '../training/memory/memory-check.ts';
import { checkPairs, type TrainingPrompts, trainingPrompts } from '../training/pairs.ts';
import { itemsOfRun } from '../training/plan.ts';
import { type Job, type TrainEvent, workOff } from './run.ts';
import { checkFree, createRunFolder, isFinished, tidyRunFolder } from './run-folder.ts';
import { lockRun } from './run-lock.ts';
import { type ResolvedSettings, resolveSettings, type TrainingSettings } from '../training/settings.ts';
import { cutStepLog } from './step-log.ts';
import { totalSteps } from '../training/trainer.ts';
import { createTrainingGraph } from '../training/training-graph.ts';

/** What every way to train needs. */
interface RunOptions {
  readonly signal?: AbortSignal;
  /** Bytes that the run may have in all; by default what this process has and what the machine has left. */
  readonly maxMemory?: number;
  /** Milliseconds from any origin, for the times that are reported; `performance.now` by default. */
  readonly clock?: () => number;
  /** Opens the model of a fixed estimator by its name: a model, or an adapter of the one that is trained. */
  readonly openEstimator?: (source: string, model: Model) => Promise<ScoredModel>;
  /** Where effects that are computed before training are looked up first, and kept. */
  readonly cache?: EffectCache;
  /** Told while prompts are made of many examples, and effects computed, before training. */
  readonly onProgress?: ProgressListener;
}

interface FreshOptions extends TrainingSettings, RunOptions {
  /** Opened. */
  readonly model: Model;
  /** How the caller named the model: `resume` opens it again by this. */
  readonly modelSource: string;
  /** How the caller named the data. */
  readonly dataSource: string;
  /** The run folder; must be new or empty. */
  readonly out: string;
}

/** Options of {@link train}. */
export interface TrainOptions extends FreshOptions {
  readonly examples: readonly Example[];
  /** How prompts are made; {@link defaultPromptSettings} for what is left out. */
  readonly prompt?: Partial<PromptSettings>;
}

/** Options of {@link trainPairs}. */
export interface TrainPairsOptions extends FreshOptions {
  readonly pairs: readonly PromptPair[];
}

/** What every way to go on takes. */
interface AgainOptions extends RunOptions {
  /** In place of the run's number; the last digits may then differ from a run that was never stopped. */
  readonly threads?: number;
}

/** Options of {@link resume}. */
export interface ResumeOptions extends AgainOptions {
  /** How model and data are opened again by the names in the manifest. */
  readonly open: {
    model(source: string): Promise<Model>;
    examples(source: string): Promise<readonly Example[]>;
  };
}

/**
 * Fine-tunes a model on examples: on the `train` rows where they name splits, else on all; where `maxSteps` ends the run
 * within its first epoch, on a random part of them that is drawn by the seed.
 * Yields events, and returns the summary; leaving the loop early stops the run with a checkpoint, as the signal does.
 * @throws {ConfigError} a setting is wrong, or `out` is in use; nothing has been written then
 * @throws {DataError} there is nothing to train on, or an example does not fit; nothing has been written then
 * @throws {AbortedError} stopped by the signal, after a checkpoint
 * @throws {EngineError} NaN loss or gradient, a full disk; the last checkpoint is whole
 */
export async function* train(options: TrainOptions): AsyncGenerator<TrainEvent, TrainSummary> {
  const { examples: given, prompt: settings, model, dataSource } = options;
  throwIfAborted(options.signal);
  const resolved = resolveSettings(options, model);
  const { seed } = resolved;
  const examples = itemsOfRun(forTraining(given), resolved);
  const prompt = { ...defaultPromptSettings(model.config.maxPositions), ...settings };
  const { onProgress, signal } = options;
  const asked = { seed, others: othersOf(resolved), onProgress, signal };
  const { pairs, others, warnings } = await trainingPrompts(examples, model, prompt, asked);
  const record = dataRecord(dataSource, examples.map(asItem), pairs);
  for (const message of warnings) yield { type: 'warning', message };
  return yield* begin(options, pairs, record, prompt, others);
}

/** Fine-tunes a model on token ids, for callers who make their own; see {@link train}. */
export async function* trainPairs(options: TrainPairsOptions): AsyncGenerator<TrainEvent, TrainSummary> {
  const { pairs, dataSource } = options;
  throwIfAborted(options.signal);
  return yield* begin(options, pairs, dataRecord(dataSource, pairs.map(pairItem), pairs));
}

/**
 * Goes on with a run from its newest whole checkpoint, or from the beginning before the first: the result is bit for
 * bit that of a run that was never stopped, on the same machine and versions. A finished run gives its summary again.
 * @throws {CheckpointError} there is no run, another process works on it, or its model or data have changed
 * @throws as {@link train} otherwise
 */
export async function* resume(run: string, options: ResumeOptions): AsyncGenerator<TrainEvent, TrainSummary> {
  throwIfAborted(options.signal);
  const manifest = await readManifest(run);
  const { prompt, seed } = manifest.recipe;
  if (prompt === undefined)
    throw new CheckpointError(`${run}: expected a run on examples, got one on token ids`, {
      code: 'run/pairs',
      hint: 'Resume it with resumePairs.',
    });
  const model = await options.open.model(manifest.model.source);
  const found = await options.open.examples(manifest.data.source);
  const examples = recordedItems(manifest.data, found);
  const { onProgress, signal } = options;
  const asked = { seed, others: othersOf(settingsOf(manifest.recipe)), onProgress, signal };
  const { pairs, others } = await trainingPrompts(examples, model, prompt, asked);
  const record = dataRecord(manifest.data.source, examples.map(asItem), pairs);
  return yield* goOn(run, manifest, model, pairs, record, options, others);
}

/** Goes on with a run of {@link trainPairs}; see {@link resume}. */
export async function* resumePairs(
  run: string,
  options: AgainOptions & { readonly model: Model; readonly pairs: readonly PromptPair[] },
): AsyncGenerator<TrainEvent, TrainSummary> {
  throwIfAborted(options.signal);
  const manifest = await readManifest(run);
  const { model, pairs } = options;
  const record = dataRecord(manifest.data.source, pairs.map(pairItem), pairs);
  return yield* goOn(run, manifest, model, pairs, record, options);
}

const asItem = (example: Example) => ({ id: example.id, content: example });
const pairItem = (pair: PromptPair, index: number) => ({ id: String(index), content: pair });

async function* begin(
  options: FreshOptions,
  pairs: readonly PromptPair[],
  data: DataRecord,
  prompt?: PromptSettings,
  others?: OthersPrompts,
): AsyncGenerator<TrainEvent, TrainSummary> {
  const { modelSource, out } = options;
  const settings = resolveSettings(options, options.model);
  checkPairs(pairs, data.examples, options.model);
  await checkFree(out);
  const memory = checkMemory(settings, options.model, pairs, options.maxMemory);
  const model = await onItsBase(options.model, settings, options);
  const fixed = await estimatesBefore(settings, model, pairs, others, options);
  const manifest: Manifest = {
    formatVersion: 1,
    status: 'running',
    step: 0,
    totalSteps: totalSteps(pairs.length, settings),
    recipe: recipeOf(settings, prompt),
    model: { source: modelSource, hash: model.hash, tokenizerHash: model.tokenizer.hash },
    data,
    ...(fixed && { estimates: { hash: fixed.hash, modelHash: fixed.modelHash } }),
    versions: await currentVersions(),
    machine: currentMachine(settings.threads),
    memory,
  };
  const job = { ...jobOf(out, manifest, model, pairs, options), ...(fixed && { fixed }) };
  await using graph = await createTrainingGraph(graphOptions(settings, model));
  // Again: compiling takes seconds, in which another run may have begun there.
  await checkFree(out);
  await createRunFolder(out, manifest);
  await using _lock = await lockRun(out);
  return yield* workOff(job, graph, [], 0);
}

async function* goOn(
  run: string,
  manifest: Manifest,
  opened: Model,
  pairs: readonly PromptPair[],
  data: DataRecord,
  options: AgainOptions,
  others?: OthersPrompts,
): AsyncGenerator<TrainEvent, TrainSummary> {
  const sameTokenizer = opened.tokenizer.hash === manifest.model.tokenizerHash;
  if (opened.hash !== manifest.model.hash || !sameTokenizer)
    throw new CheckpointError(
      `model ${manifest.model.source}: expected the one that the run began with, got another ${sameTokenizer ? 'config or weights' : 'tokenizer'}`,
      { code: 'run/model-changed', hint: 'Restore the model, or start a new run.' },
    );
  checkUnchanged(manifest.data, data);
  if (await isFinished(run, manifest)) {
    const summary = { run, ...manifest.summary! };
    yield { type: 'done', summary };
    return summary;
  }
  await using _lock = await lockRun(run);
  await tidyRunFolder(run);
  const { reason: _, summary: __, ...rest } = manifest;
  const threads = options.threads ?? manifest.recipe.threads;
  const settings = { ...settingsOf(manifest.recipe), threads };
  const current: Manifest = {
    ...rest,
    status: 'running',
    recipe: { ...rest.recipe, threads },
    machine: { ...rest.machine, threads },
    memory: checkMemory(settings, opened, pairs, options.maxMemory),
  };
  const model = await onItsBase(opened, settings, options);
  const fixed = await estimatesBefore(settings, model, pairs, others, options);
  if (fixed?.modelHash !== manifest.estimates?.modelHash)
    throw new CheckpointError(
      `${run}: estimator: expected the model that the run began with, got another config, adapter or weights`,
      { code: 'run/estimator-changed', hint: 'Restore the estimator, or start a new run.' },
    );
  if (fixed?.hash !== manifest.estimates?.hash)
    yield {
      type: 'warning',
      message: `${run}: the estimated effects differ in their last digits from those that the run began with`,
    };
  const job = { ...jobOf(run, current, model, pairs, options), ...(fixed && { fixed }) };
  await using graph = await createTrainingGraph(graphOptions(settings, model));
  const { step, damaged } = await restoreNewest(run, graph.parameters);
  const lines = await cutStepLog(run, step);
  for (const message of [...damaged, ...(await differences(manifest, threads))])
    yield { type: 'warning', message };
  if (lines.length < step)
    yield {
      type: 'warning',
      message: `${run}: steps.jsonl has lost the lines after step ${lines.length}; training goes on from step ${step}`,
    };
  await writeManifest(run, { ...job.manifest, step });
  return yield* workOff(job, graph, lines, step);
}

/** What computes otherwise than when the run began, so that bits may differ. */
async function differences({ versions, machine }: Manifest, threads: number): Promise<string[]> {
  const now = { ...(await currentVersions()), ...currentMachine(threads) };
  const then = { ...versions, ...machine };
  return Object.entries(now).flatMap(([name, value]) =>
    then[name as keyof typeof then] === value
      ? []
      : `${name} is ${value} now and was ${then[name as keyof typeof then]} when the run began: the last digits may differ`,
  );
}

function jobOf(
  run: string,
  manifest: Manifest,
  model: Model,
  pairs: readonly PromptPair[],
  { signal, clock = () => performance.now() }: RunOptions,
): Job {
  return { run, manifest, model, pairs, clock, ...(signal === undefined ? {} : { signal }) };
}

/** The model as all passes of a run see it: those of training, of its anchor and of its estimators. */
async function onItsBase(
  model: Model,
  { baseBits }: Pick<ResolvedSettings, 'baseBits'>,
  { onProgress, signal }: RunOptions,
): Promise<Model> {
  if (baseBits === undefined) return model;
  return withQuantisedBase(model, baseBits, undefined, {
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
  });
}

type OthersPrompts = NonNullable<TrainingPrompts['others']>;

/** Other users' histories for each example: where weights are made of C. */
const othersOf = ({ objective }: Pick<ResolvedSettings, 'objective'>): number | undefined =>
  objective.needs.generic ? objective.options.others : undefined;

/** Effects that a run needs before its first step. @throws {ConfigError} when its estimator cannot be opened or asked */
async function estimatesBefore(
  settings: ResolvedSettings,
  model: Model,
  pairs: readonly PromptPair[],
  others: OthersPrompts | undefined,
  { openEstimator, cache, signal, onProgress }: RunOptions,
): Promise<FixedEstimates | undefined> {
  const { estimatorModel: source, threads } = settings;
  if (source !== undefined && openEstimator === undefined)
    throw new ConfigError(`estimatorModel ${source}: expected openEstimator beside it, got none`, {
      code: 'estimator/unopened',
      hint: 'Say how the estimator is opened.',
    });
  return fixedEstimates(settings, {
    model,
    pairs,
    threads,
    ...(others && { others }),
    ...(source !== undefined && { estimatorModel: await openEstimator!(source, model) }),
    ...(cache && { cache }),
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  });
}
