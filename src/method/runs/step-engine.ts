/** @file Training whose steps another process takes, such as a PyTorch worker: the same events, folder and endings. */
import { AbortedError } from '../../base/errors.ts';
import type { Model } from '../../engine/models/model.ts';
import type { ScoredPrompt } from '../prompts/collate.ts';
import type { PromptPair } from '../prompts/pair.ts';
import type { FixedEstimates } from '../training/estimators.ts';
import type { HeldOut } from '../training/held-out.ts';
import type { ResolvedSettings } from '../training/settings.ts';
import { type Manifest, type RunStatus, type TrainSummary, writeManifest } from './manifest.ts';
import { ended, summarise, type TrainEvent } from './run.ts';
import { readStepLog } from './step-log.ts';

/** A run with everything that another engine's steps need. */
export interface EngineRun {
  readonly run: string;
  readonly manifest: Manifest;
  readonly settings: ResolvedSettings;
  readonly model: Model;
  readonly pairs: readonly PromptPair[];
  /** Prompts with other users' histories for each pair, where an objective compares effects with them. */
  readonly others?: readonly (readonly ScoredPrompt[])[] | undefined;
  readonly fixed: FixedEstimates | undefined;
  readonly heldOut: HeldOut | undefined;
  readonly isResumed: boolean;
  readonly signal: AbortSignal | undefined;
}

/** What the manifest records of an engine. */
export interface EngineRecord {
  readonly engine: 'torch';
  readonly device: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** The code of the way in which a run leaves this process while it goes on elsewhere: no failure, its manifest stays as it is. */
export const HANDED_OVER = 'run/handed-over';

/** Takes the steps of runs in another process. */
export interface StepEngine {
  readonly record: EngineRecord;
  /** Whether somebody else's machines work on a run: its folder is then not ours to tidy. */
  isElsewhere(run: string): Promise<boolean>;
  /** @throws {ConfigError} for settings that it does not have */
  check(settings: ResolvedSettings): void;
  /**
   * Takes the steps that are left after the newest whole checkpoint, and writes log, checkpoints and result as this package does.
   * Yields every event but the last, `done`.
   * @returns what the run was computed on, for the manifest
   * @throws {AbortedError} when the signal says so, after a checkpoint; `run/handed-over` where the run goes on elsewhere
   */
  steps(opened: EngineRun): AsyncGenerator<TrainEvent, Partial<Manifest['machine']>>;
}

/**
 * Runs what is left of a run on an engine; the manifest has one author, and that is this process.
 * @throws as `runSteps` does
 */
export async function* runOnEngine(
  engine: StepEngine,
  opened: EngineRun,
): AsyncGenerator<TrainEvent, TrainSummary> {
  const { run, manifest } = opened;
  const { totalSteps } = manifest;
  let step = manifest.step ?? 0;
  let hasEnded = false;
  const end = async (status: RunStatus, extra: Partial<Manifest> = {}) => {
    hasEnded = true;
    await writeManifest(run, { ...manifest, status, step, ...extra });
  };
  const stop = () => end('stopped');
  try {
    const steps = engine.steps(opened);
    let next = await steps.next();
    try {
      for (; !next.done; next = await steps.next()) {
        if (next.value.type === 'started') step = next.value.startStep;
        if (next.value.type === 'step') step = next.value.step;
        yield next.value;
      }
    } finally {
      // A caller who stops reading stops the run.
      await steps.return({});
    }
    const { run: _, ...summary } = summarise(run, manifest, await readStepLog(run), { step });
    await end('done', { summary, machine: { ...manifest.machine, ...next.value } });
    yield { type: 'done', summary: { run, ...summary } };
    return { run, ...summary };
  } catch (error) {
    if (error instanceof AbortedError && error.code === HANDED_OVER) {
      hasEnded = true;
      throw error;
    }
    throw await ended(error, { run, step, totalSteps, stop, end });
  } finally {
    if (!hasEnded) await stop();
  }
}
