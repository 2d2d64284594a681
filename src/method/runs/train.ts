/** @file Training as users call it: from examples, from prompt pairs, and from a run that was stopped or killed. */
import { breathe } from '../../base/breathe.ts';
import { CheckpointError, ConfigError, throwIfAborted } from '../../base/errors.ts';
import { checkThreads } from '../../base/threads.ts';
import type { Model } from '../../engine/models/model.ts';
import type { Example } from '../data/example.ts';
import { forTraining } from '../data/splits.ts';
import { defaultPromptSettings, type PromptPair, type PromptSettings } from '../prompts/pair.ts';
import { heldOutRows } from '../training/held-out.ts';
import { graphOptions } from '../training/memory/memory-check.ts';
import { itemsOfRun } from '../training/plan.ts';
import { type ResolvedSettings, resolveSettings, type TrainingSettings } from '../training/settings.ts';
import { createTrainingGraph } from '../training/training-graph.ts';
import { recordedItems } from './data-record.ts';
import { type Manifest, readManifest, settingsOf, type TrainSummary } from './manifest.ts';
import { prepare, type RunData, type RunOptions } from './prepare.ts';
import type { TrainEvent } from './run.ts';
import {
  asEvents,
  examplesRecord,
  fittingPrompts,
  heldOutOf,
  heldOutPairs,
  heldOutPrompts,
  pairsRecord,
  promptsOf,
} from './run-data.ts';
import { checkFree, tidyRunFolder } from './run-folder.ts';
import { lockRun } from './run-lock.ts';
import {
  checkEstimates,
  checkRunData,
  checkSameRun,
  continueOnEngine,
  continueSteps,
  finishedSummary,
  freshManifest,
  startOnEngine,
  startRun,
} from './start-run.ts';

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
  /** Refuses a text that is too long in place of leaving it out; false by default. */
  readonly strict?: boolean;
}

/** Options of {@link trainPairs}. */
export interface TrainPairsOptions extends FreshOptions {
  readonly pairs: readonly PromptPair[];
  /** Held-out pairs for `evalEvery`, the first `evalExamples` of them; each counts as a user's. */
  readonly validation?: readonly PromptPair[];
}

/** What every way to resume a run takes. */
export interface ContinueOptions extends RunOptions {
  /** In place of the run's number; the last digits may then differ from a run that was never stopped. */
  readonly threads?: number;
}

/** Options of {@link resume}. */
export interface ResumeOptions extends ContinueOptions {
  /** How model and data are opened again by the names in the manifest. */
  readonly open: {
    /** The model that the run began from. */
    model(source: string): Promise<Model>;
    /** All examples of the data. */
    examples(source: string): Promise<readonly Example[]>;
  };
}

/**
 * Fine-tunes a model on examples: on the `train` rows where they name splits, else on all; where `maxSteps` ends the run
 * within its first epoch, on a random part of them that is drawn by the seed. With `evalEvery` the loss is measured on their
 * `validation` rows: on at most `evalExamples` that fit, taken in turn from every user.
 * Yields events, and returns the summary; leaving the loop early stops the run with a checkpoint, as the signal does.
 * @throws {ConfigError} a setting is wrong, or `out` is in use; nothing has been written then
 * @throws {DataError} there is nothing to train on or, with `evalEvery`, to measure on, or an example does not fit; nothing has
 *   been written then
 * @throws {AbortedError} stopped by the signal, after a checkpoint
 * @throws {EngineError} NaN loss or gradient, a full disk; the last checkpoint is whole
 */
export async function* train(options: TrainOptions): AsyncGenerator<TrainEvent, TrainSummary> {
  const { examples: given, model, dataSource, signal, onProgress } = options;
  throwIfAborted(signal);
  await checkFree(options.out);
  const settings = freshSettings(options, model);
  const chosen = itemsOfRun(forTraining(given), settings, ({ user }) => user);
  const prompt = { ...defaultPromptSettings(model.config.maxPositions), ...options.prompt };
  const measured = settings.evalEvery > 0 ? heldOutRows(given) : undefined;
  const making = { model, dataSource, prompt, settings, onProgress, signal };
  const { examples, ...prompts } = yield* asEvents(
    fittingPrompts(chosen, { ...making, strict: options.strict }),
  );
  const record = examplesRecord(dataSource, examples, prompts.pairs);
  const heldOut = measured && (await heldOutOf(measured, making));
  return yield* begin(options, settings, { ...prompts, record, prompt, ...(heldOut && { heldOut }) });
}

/** Fine-tunes a model on token ids, for callers who make their own; see {@link train}. */
export async function* trainPairs(options: TrainPairsOptions): AsyncGenerator<TrainEvent, TrainSummary> {
  const { pairs, validation, dataSource, model } = options;
  throwIfAborted(options.signal);
  await checkFree(options.out);
  const record = pairsRecord(dataSource, pairs);
  const settings = freshSettings(options, model);
  const heldOut =
    settings.evalEvery > 0
      ? heldOutPairs((validation ?? []).slice(0, settings.evalExamples), dataSource)
      : undefined;
  return yield* begin(options, settings, { pairs, record, ...(heldOut && { heldOut }) });
}

/**
 * Resumes a run from its newest intact checkpoint, or from the beginning if there is none: the result is bit for bit that
 * of a run that was never stopped, on the same machine and versions. A finished run gives its summary again.
 * @throws {CheckpointError} there is no run, its manifest is damaged, another process works on it, or its model or data
 *   have changed
 * @throws as {@link train} otherwise
 */
export async function* resume(run: string, options: ResumeOptions): AsyncGenerator<TrainEvent, TrainSummary> {
  const { open, signal, onProgress } = options;
  throwIfAborted(signal);
  const manifest = await readManifest(run);
  const settings = resumedSettings(manifest, options);
  const { prompt } = manifest.recipe;
  if (prompt === undefined)
    throw new CheckpointError(`${run}: expected a run on examples, got one on token ids`, {
      code: 'run/pairs',
      hint: 'Resume it from TypeScript by resumePairs, with the same token ids.',
    });
  const model = await open.model(manifest.model.source);
  const { source: dataSource } = manifest.data;
  const found = await open.examples(dataSource);
  const examples = recordedItems(manifest.data, found);
  const making = { model, dataSource, prompt, settings, onProgress, signal };
  const { notices: _, ...prompts } = await promptsOf(examples, making);
  const record = examplesRecord(dataSource, examples, prompts.pairs);
  const heldOut =
    manifest.validation && (await heldOutPrompts(recordedItems(manifest.validation, found), making));
  const data = { ...prompts, record, prompt, ...(heldOut && { heldOut }) };
  return yield* continueRun(run, manifest, settings, model, data, options);
}

/** Resumes a run of {@link trainPairs}; see {@link resume}. */
export async function* resumePairs(
  run: string,
  options: ContinueOptions & Pick<TrainPairsOptions, 'model' | 'pairs' | 'validation'>,
): AsyncGenerator<TrainEvent, TrainSummary> {
  throwIfAborted(options.signal);
  const manifest = await readManifest(run);
  const { model, pairs, validation = [] } = options;
  const { source } = manifest.data;
  const record = pairsRecord(source, pairs);
  const settings = resumedSettings(manifest, options);
  const heldOut = manifest.validation && heldOutPairs(validation.slice(0, settings.evalExamples), source);
  const data = { pairs, record, ...(heldOut && { heldOut }) };
  return yield* continueRun(run, manifest, settings, model, data, options);
}

/** The settings of a run that begins: another engine makes rows in a way of its own, so that its runs record none. */
function freshSettings({ engine, ...settings }: FreshOptions, model: Model): ResolvedSettings {
  if (engine === undefined) return resolveSettings(settings, model);
  if (settings.packing)
    throw new ConfigError(`packing: expected none with engine ${engine.record.engine}, got true`, {
      code: 'training/setting',
      hint: 'Leave training.packing out, or train without --engine.',
    });
  return resolveSettings({ ...settings, packing: false }, model);
}

/** The settings of a run that is there, on as many threads as the caller wants. */
function resumedSettings(
  { recipe }: Manifest,
  { threads = recipe.threads }: ContinueOptions,
): ResolvedSettings {
  checkThreads(threads);
  return { ...settingsOf(recipe), threads };
}

async function* begin(
  options: FreshOptions,
  settings: ResolvedSettings,
  data: RunData,
): AsyncGenerator<TrainEvent, TrainSummary> {
  const { out, signal, model: opened, modelSource, clock, engine } = options;
  engine?.check(settings);
  checkRunData(settings, data, opened);
  const prepared = await prepare(settings, opened, data, options);
  const manifest = await freshManifest(settings, data, prepared, modelSource, engine);
  if (engine !== undefined) {
    await checkFree(out);
    return yield* startOnEngine(out, { manifest, settings, data, prepared, signal, clock }, engine);
  }
  await using graph = await createTrainingGraph(graphOptions(settings, prepared.model));
  await breathe(signal);
  // Again: compiling takes seconds, in which another run may have begun there.
  await checkFree(out);
  return yield* startRun(out, { manifest, settings, data, prepared, signal, clock }, graph);
}

async function* continueRun(
  run: string,
  manifest: Manifest,
  settings: ResolvedSettings,
  opened: Model,
  data: RunData,
  options: ContinueOptions,
): AsyncGenerator<TrainEvent, TrainSummary> {
  const { signal, clock, engine } = options;
  engine?.check(settings);
  checkSameRun(manifest, opened, data);
  const finished = await finishedSummary(run, manifest);
  if (finished !== undefined) {
    yield { type: 'done', summary: finished };
    return finished;
  }
  await using _lock = await lockRun(run);
  if (!(await engine?.isElsewhere(run))) await tidyRunFolder(run);
  const prepared = await prepare(settings, opened, data, options);
  yield* checkEstimates(run, manifest, prepared.fixed);
  const parts = { manifest, settings, data, prepared, signal, clock };
  if (engine !== undefined) return yield* continueOnEngine(run, parts, engine);
  await using graph = await createTrainingGraph(graphOptions(settings, prepared.model));
  await breathe(signal);
  return yield* continueSteps(run, parts, graph);
}
