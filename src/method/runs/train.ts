/** @file Training as users call it: from examples, from prompt pairs, and from a run that was stopped or killed. */
import { breathe } from '../../base/breathe.ts';
import { CheckpointError, throwIfAborted } from '../../base/errors.ts';
import { checkThreads } from '../../base/threads.ts';
import type { Model } from '../../engine/models/model.ts';
import type { Example } from '../data/example.ts';
import type { Notice } from '../data/notice.ts';
import { forTraining } from '../data/splits.ts';
import { examplesThatFit, tooLongNotice } from '../prompts/left-out.ts';
import { defaultPromptSettings, type PromptPair, type PromptSettings } from '../prompts/pair.ts';
import type { FixedEstimates } from '../training/estimators.ts';
import { heldOutRows, noValidation, takeFitting } from '../training/held-out.ts';
import { graphOptions } from '../training/memory/memory-check.ts';
import { checkCompared, checkPairs, trainingPrompts } from '../training/pairs.ts';
import { itemsOfRun } from '../training/plan.ts';
import { type ResolvedSettings, resolveSettings, type TrainingSettings } from '../training/settings.ts';
import { totalSteps } from '../training/trainer.ts';
import { createTrainingGraph } from '../training/training-graph.ts';
import { restoreNewest } from './checkpoint.ts';
import { checkUnchanged, dataRecord, recordedItems } from './data-record.ts';
import {
  currentMachine,
  currentVersions,
  type Manifest,
  readManifest,
  recipeOf,
  settingsOf,
  type TrainSummary,
  writeManifest,
} from './manifest.ts';
import { prepare, type RunData, type RunOptions } from './prepare.ts';
import { runSteps, type TrainEvent } from './run.ts';
import { checkFree, createRunFolder, isFinished, resultOf, tidyRunFolder } from './run-folder.ts';
import { lockRun } from './run-lock.ts';
import { cutStepLog } from './step-log.ts';

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
  const settings = resolveSettings(options, model);
  const chosen = itemsOfRun(forTraining(given), settings);
  const prompt = { ...defaultPromptSettings(model.config.maxPositions), ...options.prompt };
  const measured = settings.evalEvery > 0 ? heldOutRows(given) : undefined;
  const fitting = await examplesThatFit(chosen, model.tokenizer, prompt, { strict: options.strict, signal });
  const examples = fitting.used;
  const tooLong = tooLongNotice(fitting.leftOut, chosen.length, prompt);
  if (tooLong !== undefined) yield { type: 'notice', notice: tooLong };
  const { notices, ...prompts } = await trainingPrompts(examples, model, prompt, {
    seed: settings.seed,
    ...comparisonsOf(settings),
    isAboutHistory: isAboutHistory(settings),
    onProgress,
    signal,
  });
  for (const notice of notices) yield { type: 'notice', notice };
  const users = examples.map(({ user }) => user);
  const record = dataRecord(dataSource, examples.map(asItem), prompts.pairs, users);
  const heldOut =
    measured &&
    (await heldOutPrompts(
      takeFitting(measured, settings.evalExamples, model.tokenizer, prompt),
      { model, source: dataSource, prompt, seed: settings.seed },
      options,
    ));
  return yield* begin(options, settings, { ...prompts, record, prompt, ...(heldOut && { heldOut }) });
}

/** Fine-tunes a model on token ids, for callers who make their own; see {@link train}. */
export async function* trainPairs(options: TrainPairsOptions): AsyncGenerator<TrainEvent, TrainSummary> {
  const { pairs, validation, dataSource, model } = options;
  throwIfAborted(options.signal);
  await checkFree(options.out);
  const record = dataRecord(dataSource, pairs.map(pairItem), pairs);
  const settings = resolveSettings(options, model);
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
  const found = await open.examples(manifest.data.source);
  const examples = recordedItems(manifest.data, found);
  const { pairs, others } = await trainingPrompts(examples, model, prompt, {
    seed: settings.seed,
    ...comparisonsOf(settings),
    onProgress,
    signal,
  });
  const record = dataRecord(manifest.data.source, examples.map(asItem), pairs);
  const heldOut =
    manifest.validation &&
    (await heldOutPrompts(
      recordedItems(manifest.validation, found),
      { model, source: manifest.data.source, prompt, seed: settings.seed },
      options,
    ));
  const data = { pairs, ...(others && { others }), record, prompt, ...(heldOut && { heldOut }) };
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
  const record = dataRecord(source, pairs.map(pairItem), pairs);
  const settings = resumedSettings(manifest, options);
  const heldOut = manifest.validation && heldOutPairs(validation.slice(0, settings.evalExamples), source);
  const data = { pairs, record, ...(heldOut && { heldOut }) };
  return yield* continueRun(run, manifest, settings, model, data, options);
}

/** Held-out rows as a run shows them: with the history, chosen as for the rows that are trained on. */
async function heldOutPrompts(
  rows: readonly Example[],
  {
    model,
    source,
    prompt,
    seed,
  }: {
    readonly model: Model;
    readonly source: string;
    readonly prompt: PromptSettings;
    readonly seed: number;
  },
  { onProgress, signal }: RunOptions,
): Promise<RunData['heldOut']> {
  // The prompt without history is not asked for: another user's in its place neither.
  const settings: PromptSettings = { ...prompt, reference: 'removed' };
  const { pairs } = await trainingPrompts(rows, model, settings, { seed, onProgress, signal });
  return { pairs, users: rows.map(({ user }) => user), record: dataRecord(source, rows.map(asItem), pairs) };
}

const heldOutPairs = (pairs: readonly PromptPair[], source: string): RunData['heldOut'] => ({
  pairs,
  users: pairs.map((_, index) => String(index)),
  record: dataRecord(source, pairs.map(pairItem), pairs),
});

const asItem = (example: Example) => ({ id: example.id, content: example });
const pairItem = (pair: PromptPair, index: number) => ({ id: String(index), content: pair });

/** Other users' histories for each example: where weights are made of C, or the own history is preferred to another. */
const comparisonsOf = ({ objective: { needs, options } }: ResolvedSettings) => ({
  others: needs.generic ? options.others : undefined,
  comparesOther: needs.other,
});

/** Whether the objective compares the pass with the history to another one. */
const isAboutHistory = ({ objective: { passes, needs } }: ResolvedSettings): boolean =>
  passes === 'pair' || needs.other;

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
  const { modelSource, out, signal, clock } = options;
  const { pairs, record, heldOut } = data;
  checkPairs(pairs, record.examples, options.model);
  checkCompared(pairs, settings.objective);
  if (heldOut !== undefined) {
    if (heldOut.pairs.length === 0) throw noValidation('got none');
    checkPairs(heldOut.pairs, heldOut.record.examples, options.model);
  }
  const { model, fixed, memory } = await prepare(settings, options.model, data, options);
  const manifest: Manifest = {
    formatVersion: 1,
    status: 'running',
    step: 0,
    totalSteps: totalSteps(pairs.length, settings),
    recipe: recipeOf(settings, data.prompt),
    model: { source: modelSource, hash: model.hash, tokenizerHash: model.tokenizer.hash },
    data: record,
    ...(heldOut && { validation: heldOut.record }),
    ...(fixed && { estimates: { hash: fixed.hash, modelHash: fixed.modelHash } }),
    versions: await currentVersions(),
    machine: currentMachine(settings.threads, model),
    memory,
  };
  await using graph = await createTrainingGraph(graphOptions(settings, model));
  await breathe(signal);
  // Again: compiling takes seconds, in which another run may have begun there.
  await checkFree(out);
  await createRunFolder(out, manifest);
  await using _lock = await lockRun(out);
  const opened = { run: out, manifest, settings, model, pairs, fixed, heldOut, signal, clock };
  return yield* runSteps(opened, graph, { startStep: 0, lines: [] });
}

async function* continueRun(
  run: string,
  manifest: Manifest,
  settings: ResolvedSettings,
  opened: Model,
  data: RunData,
  options: ContinueOptions,
): AsyncGenerator<TrainEvent, TrainSummary> {
  const { signal, clock } = options;
  checkSameModel(manifest, opened);
  checkUnchanged(manifest.data, data.record);
  const { pairs, heldOut } = data;
  if (manifest.validation && heldOut) checkUnchanged(manifest.validation, heldOut.record);
  if (await isFinished(run, manifest)) {
    // The folder may have been moved since.
    const summary = { run, ...manifest.summary!, ...resultOf(run, manifest) };
    yield { type: 'done', summary };
    return summary;
  }
  await using _lock = await lockRun(run);
  await tidyRunFolder(run);
  const { model, fixed, memory } = await prepare(settings, opened, data, options);
  yield* checkEstimates(run, manifest, fixed);
  const { threads } = settings;
  const { reason: _, summary: __, ...rest } = manifest;
  const current: Manifest = {
    ...rest,
    status: 'running',
    recipe: { ...rest.recipe, threads },
    machine: { ...rest.machine, threads, device: model.device ?? 'cpu' },
    memory,
  };
  await using graph = await createTrainingGraph(graphOptions(settings, model));
  await breathe(signal);
  const { step, damaged } = await restoreNewest(run, graph.parameters);
  const lines = await cutStepLog(run, step);
  for (const notice of [...damaged, ...(await differences(manifest, threads, model))])
    yield { type: 'notice', notice };
  if (lines.length < step)
    yield { type: 'notice', notice: { code: 'run/step-log-cut', run, lines: lines.length, step } };
  await writeManifest(run, { ...current, step });
  const resumed = { run, manifest: current, settings, model, pairs, fixed, heldOut, signal, clock };
  return yield* runSteps(resumed, graph, { startStep: step, lines, isResumed: true });
}

function checkSameModel({ model }: Manifest, opened: Model): void {
  const isSameTokenizer = opened.tokenizer.hash === model.tokenizerHash;
  if (opened.hash === model.hash && isSameTokenizer) return;
  throw new CheckpointError(
    `model ${model.source}: expected the one that the run began with, got another ${isSameTokenizer ? 'config or weights' : 'tokenizer'}`,
    { code: 'run/model-changed', hint: 'Restore the model, or start a new run.' },
  );
}

/** @throws {CheckpointError} when another model estimates; other digits of the same model are a warning */
function* checkEstimates(
  run: string,
  { estimates }: Manifest,
  fixed: FixedEstimates | undefined,
): Generator<TrainEvent, void> {
  if (fixed?.modelHash !== estimates?.modelHash)
    throw new CheckpointError(
      `${run}: estimator: expected the model that the run began with, got another config, adapter or weights`,
      { code: 'run/estimator-changed', hint: 'Restore the estimator, or start a new run.' },
    );
  if (fixed?.hash !== estimates?.hash)
    yield { type: 'notice', notice: { code: 'run/estimates-differ', run } };
}

/** What computes otherwise than when the run began, so that bits may differ. */
async function differences(
  { versions, machine }: Manifest,
  threads: number,
  model: Model,
): Promise<Notice[]> {
  const now = { ...(await currentVersions()), ...currentMachine(threads, model) };
  const then = { device: 'cpu', ...versions, ...machine };
  return Object.entries(now).flatMap(([name, value]) => {
    const before = then[name as keyof typeof then];
    return before === value
      ? []
      : { code: 'run/environment-changed' as const, name, before: String(before), now: String(value) };
  });
}
