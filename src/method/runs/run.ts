/** @file Runs the remaining steps of a run and writes log, checkpoints and result. However it ends, the folder can be resumed. */
import { join } from 'node:path';
import { AbortedError, EngineError, NextQuillError } from '../../base/errors.ts';
import type { Model } from '../../engine/models/model.ts';
import type { Notice } from '../data/notice.ts';
import type { PromptPair } from '../prompts/pair.ts';
import { addTokens, type TokenCount } from '../scoring/token-count.ts';
import { createEstimator, type FixedEstimates } from '../training/estimators.ts';
import { createValidation, type HeldOut } from '../training/held-out.ts';
import type { MemoryRecord } from '../training/memory/memory-check.ts';
import { peakMemoryBytes } from '../training/memory/training-memory.ts';
import { trainingRowCost } from '../training/packing.ts';
import type { ResolvedSettings } from '../training/settings.ts';
import { type StepRecord, trainingLoop } from '../training/trainer.ts';
import type { TrainingGraph } from '../training/training-graph.ts';
import { type BestSoFar, bestOf, withEvaluation } from './best-step.ts';
import { pruneBest, pruneCheckpoints, restoreBest, writeBest, writeCheckpoint } from './checkpoint.ts';
import { type Manifest, type RunStatus, type TrainSummary, writeManifest } from './manifest.ts';
import { resultOf, saveResult } from './run-folder.ts';
import { openStepLog, type StepLine } from './step-log.ts';

/** What training reports while it runs. */
export type TrainEvent =
  | {
      readonly type: 'started';
      readonly run: string;
      readonly steps: number;
      /** Steps that were done before: 0 for a fresh run, and for one that is resumed from the beginning. */
      readonly startStep: number;
      readonly isResumed: boolean;
      readonly examples: number;
      readonly trainedParameters: number;
      /** Bytes predicted, and what there is. */
      readonly memory?: MemoryRecord;
    }
  | (StepRecord &
      Omit<StepLine, keyof StepRecord> & {
        readonly type: 'step';
        /** Since the first step of this process. */
        readonly elapsedSeconds: number;
      })
  | {
      /** The loss on held-out rows; that of a step is in its own event, too. */
      readonly type: 'evaluation';
      readonly step: number;
      /** Mean over users, nats a response token. */
      readonly validationLoss: number;
      readonly examples: number;
      readonly users: number;
      /** Whether no step before was as good; of runs that keep the best step. */
      readonly isBest?: boolean;
    }
  | { readonly type: 'checkpoint'; readonly step: number; readonly path: string }
  | { readonly type: 'notice'; readonly notice: Notice }
  | { readonly type: 'done'; readonly summary: TrainSummary };

/** A run with everything that its steps need. */
export interface OpenedRun {
  readonly run: string;
  readonly manifest: Manifest;
  readonly settings: ResolvedSettings;
  /** Over its quantised base, where the run has one. */
  readonly model: Model;
  readonly pairs: readonly PromptPair[];
  /** Effects that were computed before training. */
  readonly fixed: FixedEstimates | undefined;
  /** What the loss is measured on beside, where the run asks for it. */
  readonly heldOut: HeldOut | undefined;
  readonly signal: AbortSignal | undefined;
  /** Milliseconds of a clock that only runs forward; `performance.now` by default. */
  readonly clock: (() => number) | undefined;
}

/** The steps that were taken already. */
export interface StepsBefore {
  readonly startStep: number;
  /** Their lines in the log. */
  readonly lines: readonly StepLine[];
  /** The best of them, where the run keeps it: its weights are in place. */
  readonly best?: BestSoFar;
  readonly isResumed?: boolean;
}

/**
 * Takes the steps that are left.
 * @param graph holds the weights and moments of `startStep`
 * @throws {AbortedError} after a checkpoint of the last finished step, when the signal says so; a caller who stops
 *   reading the events stops the run in the same way
 * @throws {EngineError} `training/nan-loss`, `training/nan-gradient`, `training/disk-full`: the reason is in the
 *   manifest and the last checkpoint is whole
 */
export async function* runSteps(
  opened: OpenedRun,
  graph: TrainingGraph,
  { startStep, lines: before, best: bestBefore, isResumed = false }: StepsBefore,
): AsyncGenerator<TrainEvent, TrainSummary> {
  const { run, manifest, settings, model, pairs, fixed, heldOut, signal } = opened;
  const { clock = () => performance.now() } = opened;
  const { totalSteps } = manifest;
  const lines = [...before];
  let step = startStep;
  let best = bestBefore;
  let saved = { step: startStep, time: clock() };
  let hasEnded = false;
  await using log = await openStepLog(run);
  await using tokenEstimator = createEstimator(settings, graph.parameters, fixed, {
    model,
    pairs,
    threads: settings.threads,
    ...(signal && { signal }),
  });
  await using validation = heldOut && createValidation(settings, graph.parameters, model, heldOut, signal);
  const isEvaluated = (at: number) => at % settings.evalEvery === 0 || at === totalSteps;
  const evaluation = (validationLoss: number) => ({
    type: 'evaluation' as const,
    step,
    validationLoss,
    examples: heldOut!.pairs.length,
    users: new Set(heldOut!.users).size,
    ...(settings.keepBest && { isBest: best?.step === step }),
  });
  /** Takes note of the loss of this step, whose weights are still in place. */
  const consider = async (validationLoss: number | undefined) => {
    if (!settings.keepBest || validationLoss === undefined) return;
    const before = best;
    best = withEvaluation(before, { step, validationLoss });
    // The last step's weights are written right away, as the result.
    if (best.step === before?.step || step === totalSteps) return;
    await writeBest(run, step, graph.parameters);
    await pruneBest(run, best);
  };
  const isPatient = () =>
    best === undefined || best.evaluationsSince < (settings.patience ?? Number.POSITIVE_INFINITY);
  const checkpoint = async () => {
    await log.sync();
    const path = await writeCheckpoint(run, step, graph.parameters, best);
    saved = { step, time: clock() };
    await pruneCheckpoints(run, settings.keepCheckpoints);
    if (best !== undefined) await pruneBest(run, best);
    return path;
  };
  const { checkpointEvery, checkpointMinutes } = settings;
  const isCheckpointDue = (now: number) =>
    step % checkpointEvery === 0 || now - saved.time >= checkpointMinutes * 60_000;
  const end = async (status: RunStatus, extra: Partial<Manifest> = {}) => {
    hasEnded = true;
    await writeManifest(run, { ...manifest, status, step, ...extra });
  };
  const stop = async () => {
    if (step > saved.step) await checkpoint();
    await end('stopped');
  };
  try {
    yield {
      type: 'started',
      run,
      steps: totalSteps,
      startStep,
      isResumed,
      examples: pairs.length,
      trainedParameters: graph.parameters.tensors.reduce((sum, { size }) => sum + size, 0),
      ...(manifest.memory && { memory: manifest.memory }),
    };
    const last = lines.at(-1);
    // Stopped between the step and its evaluation, or before the checkpoint knew of it: the weights are still those of the step.
    if (validation && last?.step === startStep && isEvaluated(startStep)) {
      const validationLoss = last.validationLoss ?? (await validation.loss());
      const line = { ...last, validationLoss };
      if (last.validationLoss === undefined) await log.replaceLast(last, line);
      lines[lines.length - 1] = line;
      await consider(validationLoss);
      if (last.validationLoss === undefined) yield evaluation(validationLoss);
    }
    const start = clock();
    let stepStart = start;
    const steps = trainingLoop(graph, pairs, {
      ...settings,
      // None, where patience had ended before.
      startStep: isPatient() ? startStep : totalSteps,
      padId: model.tokenizer.padId,
      ...(settings.packing && { rowCost: trainingRowCost(model) }),
      ...(tokenEstimator && { tokenEstimator }),
      ...(signal && { signal }),
    });
    for await (const { totalSteps: _, ...record } of steps) {
      const now = clock();
      let line = lineOf(record, (now - stepStart) / 1000);
      try {
        if (validation && isEvaluated(record.step))
          line = { ...line, validationLoss: await validation.loss() };
      } finally {
        // The step is taken, whatever becomes of its evaluation.
        await log.append(line);
        lines.push(line);
        step = record.step;
      }
      await consider(line.validationLoss);
      yield { type: 'step', totalSteps, ...line, elapsedSeconds: (now - start) / 1000 };
      if (line.validationLoss !== undefined) yield evaluation(line.validationLoss);
      if (!isPatient()) break;
      // The last step's weights are written right away, as the result.
      if (isCheckpointDue(now) && step < totalSteps)
        yield { type: 'checkpoint', step, path: await checkpoint() };
      stepStart = clock();
    }
    if (best !== undefined && best.step < step) {
      // No checkpoint of this step can be written from here on: the weights are another's.
      saved = { step, time: clock() };
      await restoreBest(run, best.step, graph.parameters);
    }
    await saveResult(run, manifest, model, graph.parameters);
    const { run: _, ...summary } = summarise(run, manifest, lines, { step, ...(best && { best }) });
    await end('done', { summary });
    yield { type: 'done', summary: { run, ...summary } };
    return { run, ...summary };
  } catch (error) {
    throw await ended(error, { run, step, totalSteps, stop, end });
  } finally {
    if (!hasEnded) await stop();
  }
}

const lineOf = (record: Omit<StepRecord, 'totalSteps'>, seconds: number): StepLine => ({
  ...record,
  seconds,
  tokensPerSecond: record.tokens / seconds,
  peakMemoryBytes: peakMemoryBytes(),
});

/**
 * The summary of a run from all lines of its log.
 * @param end the last step, and the one whose weights are the result; that of the lines where the run keeps it and nothing is said
 */
export function summarise(
  run: string,
  manifest: Manifest,
  lines: readonly StepLine[],
  {
    step,
    best = manifest.recipe.keepBest ? bestOf(lines) : undefined,
  }: { readonly step: number; readonly best?: BestSoFar },
): TrainSummary {
  const sum = (of: (line: StepLine) => number) => lines.reduce((total, line) => total + of(line), 0);
  const seconds = sum((line) => line.seconds);
  const last = lines.at(-1)!;
  return {
    run,
    steps: lines.length,
    examplesPerSecond: sum((line) => line.examples) / seconds,
    tokensPerSecond: sum((line) => line.tokens) / seconds,
    ...countedTokens(lines),
    peakMemoryBytes: lines.reduce((most, line) => Math.max(most, line.peakMemoryBytes), peakMemoryBytes()),
    finalLoss: last.loss,
    ...(last.validationLoss !== undefined && { validationLoss: last.validationLoss }),
    ...(best && { best: { step: best.step, validationLoss: best.validationLoss } }),
    ...(step < manifest.totalSteps && { endedBy: 'patience' as const }),
    ...resultOf(run, manifest),
  };
}

/** What was computed and saved; nothing where a line does not tell. */
function countedTokens(lines: readonly StepLine[]): Partial<TokenCount> {
  let total: TokenCount = { tokensComputed: 0, tokensSaved: 0 };
  for (const { tokensComputed, tokensSaved } of lines) {
    if (tokensComputed === undefined || tokensSaved === undefined) return {};
    total = addTokens(total, { tokensComputed, tokensSaved });
  }
  return total;
}

interface Ending {
  readonly run: string;
  readonly step: number;
  readonly totalSteps: number;
  stop(): Promise<void>;
  end(status: RunStatus, extra: Partial<Manifest>): Promise<void>;
}

/** Records how a run ended, and returns the error that says so. */
export async function ended(error: unknown, ending: Ending): Promise<unknown> {
  const { run, step, totalSteps, stop, end } = ending;
  if (error instanceof AbortedError) {
    try {
      await stop();
    } catch (failure) {
      return ended(failure, ending);
    }
    return new AbortedError(`${run}: stopped after step ${step} of ${totalSteps}`, {
      code: 'aborted',
      hint: 'Resume the run to continue from there.',
      cause: error,
    });
  }
  const told = describe(error, run, step);
  // On a full disk the status may not fit either; the error that stopped the run says more.
  await end('failed', { reason: told instanceof Error ? told.message : String(told) }).catch(() => undefined);
  return told;
}

function describe(error: unknown, run: string, step: number): unknown {
  if (!(error instanceof NextQuillError)) return error;
  if (error.code === 'training/nan-loss' || error.code === 'training/nan-gradient') {
    const place = `step ${step + 1}: `;
    return new EngineError(error.message.startsWith(place) ? error.message : place + error.message, {
      code: error.code,
      hint: `Start a new run with a lower learning rate; the last checkpoint is in ${join(run, 'checkpoints')}.`,
      cause: error,
    });
  }
  if (error.code === 'file/disk-full')
    return new EngineError(`${run}: the disk is full after step ${step}: ${error.message}`, {
      code: 'training/disk-full',
      hint: 'Free some space, then resume the run: it continues from its newest checkpoint, or else from the start.',
      cause: error,
    });
  return error;
}
