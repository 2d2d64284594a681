/** @file A run folder from its beginning, or from where it was stopped, to its result, by a training graph that is there already. */
import { CheckpointError } from '../../base/errors.ts';
import type { Model } from '../../engine/models/model.ts';
import type { Notice } from '../data/notice.ts';
import { checkCopied } from '../objectives/copied.ts';
import type { FixedEstimates } from '../training/estimators.ts';
import { noValidation } from '../training/held-out.ts';
import { checkCompared, checkPairs } from '../training/pairs.ts';
import type { ResolvedSettings } from '../training/settings.ts';
import { totalSteps } from '../training/trainer.ts';
import type { TrainingGraph } from '../training/training-graph.ts';
import { restoreNewest } from './checkpoint.ts';
import { checkUnchanged } from './data-record.ts';
import {
  currentMachine,
  currentVersions,
  type Manifest,
  recipeOf,
  type TrainSummary,
  writeManifest,
} from './manifest.ts';
import type { Prepared, RunData } from './prepare.ts';
import { type OpenedRun, runSteps, type TrainEvent } from './run.ts';
import { createRunFolder, isFinished, resultOf } from './run-folder.ts';
import { lockRun } from './run-lock.ts';
import { type EngineRun, runOnEngine, type StepEngine } from './step-engine.ts';
import { cutStepLog } from './step-log.ts';

/** A run with all that it is made of. */
export interface RunParts extends Pick<OpenedRun, 'signal' | 'clock'> {
  readonly manifest: Manifest;
  readonly settings: ResolvedSettings;
  readonly data: RunData;
  readonly prepared: Prepared;
}

/**
 * Checks that there is something to learn, and to measure on where the run measures, before anything is written.
 * @throws {DataError} when there is not
 * @throws {ConfigError} when the objective compares with other users' histories, and there is none
 */
export function checkRunData(settings: ResolvedSettings, data: RunData, model: Model): void {
  const { pairs, record, heldOut } = data;
  checkPairs(pairs, record.examples, model);
  checkCompared(pairs, settings.objective);
  checkCopied(pairs, settings.objective);
  if (heldOut === undefined) return;
  if (heldOut.pairs.length === 0) throw noValidation('got none');
  checkPairs(heldOut.pairs, heldOut.record.examples, model);
}

/** The manifest of a run that has not begun. */
export async function freshManifest(
  settings: ResolvedSettings,
  { pairs, record, heldOut, prompt }: RunData,
  { model, fixed, memory }: Prepared,
  modelSource: string,
  engine?: StepEngine,
): Promise<Manifest> {
  return {
    formatVersion: 1,
    status: 'running',
    step: 0,
    totalSteps: totalSteps(pairs.length, settings),
    recipe: recipeOf(settings, prompt),
    model: { source: modelSource, hash: model.hash, tokenizerHash: model.tokenizer.hash },
    data: record,
    ...(heldOut && { validation: heldOut.record }),
    ...(fixed && { estimates: { hash: fixed.hash, modelHash: fixed.modelHash } }),
    ...(await computedBy(settings.threads, model, engine)),
    ...(memory && { memory }),
  };
}

/** Makes the folder and takes all steps. @param graph holds the starting weights */
export async function* startRun(
  run: string,
  parts: RunParts,
  graph: TrainingGraph,
): AsyncGenerator<TrainEvent, TrainSummary> {
  await createRunFolder(run, parts.manifest);
  await using _lock = await lockRun(run);
  return yield* runSteps(openedRun(run, parts), graph, { startStep: 0, lines: [] });
}

/** As {@link startRun}, by another engine. */
export async function* startOnEngine(
  run: string,
  parts: RunParts,
  engine: StepEngine,
): AsyncGenerator<TrainEvent, TrainSummary> {
  await createRunFolder(run, parts.manifest);
  await using _lock = await lockRun(run);
  return yield* runOnEngine(engine, engineRun(run, parts, false));
}

/** As {@link continueSteps}, by another engine. */
export async function* continueOnEngine(
  run: string,
  parts: RunParts,
  engine: StepEngine,
): AsyncGenerator<TrainEvent, TrainSummary> {
  const { manifest, notices } = await continuedManifest(parts, engine);
  for (const notice of notices) yield { type: 'notice', notice };
  await writeManifest(run, manifest);
  return yield* runOnEngine(engine, engineRun(run, { ...parts, manifest }, true));
}

const engineRun = (
  run: string,
  { manifest, settings, data: { pairs, others, heldOut }, prepared: { model, fixed }, signal }: RunParts,
  isResumed: boolean,
): EngineRun => ({ run, manifest, settings, model, pairs, others, fixed, heldOut, isResumed, signal });

/** The manifest of a run that goes on, and what computes it otherwise than before. */
async function continuedManifest(
  { manifest, settings: { threads }, prepared: { model, memory } }: RunParts,
  engine?: StepEngine,
): Promise<{ manifest: Manifest; notices: Notice[] }> {
  const { reason: _, summary: __, memory: ___, ...rest } = manifest;
  const now = await computedBy(threads, model, engine);
  const { platform, processor } = rest.machine;
  return {
    manifest: {
      ...rest,
      status: 'running',
      recipe: { ...rest.recipe, threads },
      versions: { ...rest.versions, ...(engine && now.versions) },
      machine: { ...now.machine, platform, processor },
      ...(memory && { memory }),
    },
    notices: differences(manifest, now),
  };
}

/**
 * Takes the steps that are left of a run whose folder is locked and tidy.
 * @param graph holds the starting weights
 */
export async function* continueSteps(
  run: string,
  parts: RunParts,
  graph: TrainingGraph,
): AsyncGenerator<TrainEvent, TrainSummary> {
  const { manifest: current, notices } = await continuedManifest(parts);
  const { step, best, damaged } = await restoreNewest(run, graph.parameters);
  const lines = await cutStepLog(run, step);
  for (const notice of [...damaged, ...notices]) yield { type: 'notice', notice };
  if (lines.length < step)
    yield { type: 'notice', notice: { code: 'run/step-log-cut', run, lines: lines.length, step } };
  await writeManifest(run, { ...current, step });
  const resumed = openedRun(run, { ...parts, manifest: current });
  return yield* runSteps(resumed, graph, {
    startStep: step,
    lines,
    ...(best && { best }),
    isResumed: true,
  });
}

const openedRun = (
  run: string,
  { manifest, settings, data: { pairs, heldOut }, prepared: { model, fixed }, signal, clock }: RunParts,
): OpenedRun => ({ run, manifest, settings, model, pairs, fixed, heldOut, signal, clock });

/** The summary of a run that has ended with its result in place. */
export async function finishedSummary(run: string, manifest: Manifest): Promise<TrainSummary | undefined> {
  // The folder may have been moved since.
  return (await isFinished(run, manifest))
    ? { run, ...manifest.summary!, ...resultOf(run, manifest) }
    : undefined;
}

/** @throws {CheckpointError} when the model or the data are not those that the run began with */
export function checkSameRun(manifest: Manifest, opened: Model, { record, heldOut }: RunData): void {
  checkSameModel(manifest, opened);
  checkUnchanged(manifest.data, record);
  if (manifest.validation && heldOut) checkUnchanged(manifest.validation, heldOut.record);
}

/** @throws {CheckpointError} when another model was opened than the one that a run began with */
export function checkSameModel({ model }: Pick<Manifest, 'model'>, opened: Model): void {
  const isSameTokenizer = opened.tokenizer.hash === model.tokenizerHash;
  if (opened.hash === model.hash && isSameTokenizer) return;
  throw new CheckpointError(
    `model ${model.source}: expected the one that the run began with, got another ${isSameTokenizer ? 'config or weights' : 'tokenizer'}`,
    { code: 'run/model-changed', hint: 'Restore the model, or start a new run.' },
  );
}

/** @throws {CheckpointError} when another model estimates; other digits of the same model are a warning */
export function* checkEstimates(
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

/** What computes a run: this process, or the engine that takes its steps. */
async function computedBy(
  threads: number,
  model: Model,
  engine: StepEngine | undefined,
): Promise<Pick<Manifest, 'versions' | 'machine'>> {
  const versions = await currentVersions();
  const machine = currentMachine(threads, model);
  if (engine === undefined) return { versions, machine };
  const { versions: theirs, ...record } = engine.record;
  return { versions: { ...versions, ...theirs }, machine: { ...machine, ...record } };
}

/** What computes otherwise than when the run began, so that bits may differ. */
function differences(
  { versions, machine }: Manifest,
  current: Pick<Manifest, 'versions' | 'machine'>,
): Notice[] {
  const now = { engine: 'onnx', ...current.versions, ...current.machine };
  const then: Readonly<Record<string, unknown>> = { engine: 'onnx', device: 'cpu', ...versions, ...machine };
  return Object.entries(now).flatMap(([name, value]) => {
    const before = then[name];
    // A version that the run did not have says no more than the engine does.
    if (before === undefined) return [];
    return before === value
      ? []
      : { code: 'run/environment-changed' as const, name, before: String(before), now: String(value) };
  });
}
