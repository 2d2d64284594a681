/** @file Training by PyTorch: a RunSpec is written, a worker takes the steps, and its events are those of any run. */
import { rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { makeFolder } from '../../base/atomic-folder.ts';
import { type FolderLock, lockForProcess } from '../../base/folder-lock.ts';
import type { ProgressListener } from '../../base/progress.ts';
import { checkBase } from '../../engine/quantisation/quantised-base.ts';
import type { Notice } from '../../method/data/notice.ts';
import type { Manifest } from '../../method/runs/manifest.ts';
import type { TrainEvent } from '../../method/runs/run.ts';
import { runInfo } from '../../method/runs/run-info.ts';
import type { EngineRun, StepEngine } from '../../method/runs/step-engine.ts';
import { followedEvents, type HandOver, handedOver, readHandOver, writeHandOver } from './hand-over.ts';
import { type TorchPython, torchVersions } from './python-env.ts';
import { shellLine, shellWord } from './shell.ts';
import { JOB_FILE, slurmScript, submit } from './slurm.ts';
import type { ComputeSpec } from './spec.ts';
import { SPEC } from './spec-folder.ts';
import { DEFAULT_RESTARTS, type LaunchName } from './torch-choices.ts';
import { LOGS, workerCommand } from './torchrun.ts';
import { writeTrainSpec } from './train-spec.ts';
import {
  readEnd,
  type WorkerEnd,
  type WorkerEvent,
  type WorkerRunOptions,
  workerEvents,
} from './worker-run.ts';

/** How PyTorch is used. */
export interface TorchOptions extends Pick<WorkerRunOptions, 'maxRestarts' | 'graceSeconds' | 'lastSeconds'> {
  readonly python: TorchPython;
  readonly compute: ComputeSpec;
  /** Processes of a machine that share the work. */
  readonly processes: number;
  /** Who starts the worker; `torchrun` by default: this process. */
  readonly launch?: LaunchName;
  /** Whether a run that was given to somebody else is taken back; else it is followed. */
  readonly takesOver?: boolean;
  /** Machines, with `slurm`. */
  readonly nodes?: number;
  /** Further settings of sbatch. */
  readonly slurm?: readonly string[];
  readonly onProgress?: ProgressListener;
}

/** The engine for `train` and `resume`. */
export function torchEngine(options: TorchOptions): StepEngine {
  const { python } = options;
  return {
    record: {
      engine: 'torch',
      device: deviceOf(options),
      versions: torchVersions(python.report),
    },
    isElsewhere: async (run) => options.takesOver !== true && (await isGiven(run)),
    check: ({ baseBits }) => checkBase({ bits: baseBits, engine: 'torch' }),
    steps: (opened) => torchSteps(opened, options),
  };
}

/** What is computed on, where PyTorch may choose. */
export const deviceOf = ({ python, compute }: Pick<TorchOptions, 'python' | 'compute'>): string =>
  compute.device === 'auto' ? python.report.devices[0]! : compute.device;

async function* torchSteps(
  opened: EngineRun,
  options: TorchOptions,
): AsyncGenerator<TrainEvent, Partial<Manifest['machine']>> {
  const { run, signal, isResumed } = opened;
  const { launch = 'torchrun', takesOver = false } = options;
  if (isResumed && !takesOver && (await isGiven(run)))
    return yield* trainEvents(followedEvents(run, signal), opened, options);
  await writeOwnSpec(opened, options);
  if (launch === 'torchrun') return yield* ownSteps(opened, options);
  await makeFolder(join(run, LOGS));
  const launched = await giveAway(opened, { ...options, launch });
  if (launched.job === undefined) throw handedOver(`${run}: ready to be started elsewhere`, launched.command);
  yield {
    type: 'notice',
    notice: { code: 'engine/warning', message: `job ${launched.job} of Slurm is submitted` },
  };
  return yield* trainEvents(followedEvents(run, signal), opened, options);
}

/** Whether a run was given to others, and is theirs still: one that has stopped or failed there can be begun again here. */
async function isGiven(run: string): Promise<boolean> {
  if ((await readHandOver(run)) === undefined) return false;
  return ((await readEnd(run))?.status ?? 'done') === 'done';
}

/** Gives a run to Slurm, or to whoever starts the command. */
async function giveAway(
  { run }: EngineRun,
  options: TorchOptions & { readonly launch: HandOver['launch'] },
): Promise<{ readonly command: string; readonly job?: string }> {
  const {
    launch,
    python,
    processes,
    nodes = 1,
    slurm: settings = [],
    maxRestarts = DEFAULT_RESTARTS,
  } = options;
  const place = resolve(run);
  if (launch === 'print') {
    await writeHandOver(run, { launch });
    return {
      command: shellLine(workerCommand({ python: python.executable, run: place, processes, maxRestarts })),
    };
  }
  const usesGpu = deviceOf(options) !== 'cpu';
  const script = join(place, SPEC, JOB_FILE);
  const job = { python: python.executable, run: place, nodes, processes, usesGpu, maxRestarts, settings };
  await writeFile(script, slurmScript(job), { mode: 0o755 });
  const id = await submit(script);
  await writeHandOver(run, { launch, ...(id !== undefined && { job: id }) });
  return { command: `sbatch ${shellWord(script)}`, ...(id !== undefined && { job: id }) };
}

async function writeOwnSpec(opened: EngineRun, { compute }: TorchOptions): Promise<void> {
  const { run, manifest, model } = opened;
  await rm(join(run, LOGS), { recursive: true, force: true });
  await writeTrainSpec(run, {
    ...opened,
    modelSource: manifest.model.source,
    compute,
    info: runInfo(manifest, model.tokenizer),
    version: manifest.versions.nextquill,
  });
}

/** Steps that processes of this machine take. */
async function* ownSteps(
  opened: EngineRun,
  options: TorchOptions,
): AsyncGenerator<TrainEvent, Partial<Manifest['machine']>> {
  const { run, settings, signal } = opened;
  const { python, processes, maxRestarts, graceSeconds, lastSeconds } = options;
  const locks: FolderLock[] = [];
  const events = workerEvents(run, {
    ...(maxRestarts !== undefined && { maxRestarts }),
    ...(graceSeconds !== undefined && { graceSeconds }),
    ...(lastSeconds !== undefined && { lastSeconds }),
    python: python.executable,
    processes,
    threads: settings.threads,
    signal,
    // A worker that outlives this process works on the run still.
    onStart: async (pid) => void locks.push(await lockForProcess(run, pid)),
  });
  try {
    return yield* trainEvents(events, opened, options);
  } finally {
    for (const lock of locks) await lock[Symbol.asyncDispose]();
  }
}

/** A worker's events in the words of a run; returns what it was computed on. */
async function* trainEvents(
  events: AsyncGenerator<WorkerEvent, WorkerEnd>,
  opened: EngineRun,
  { processes, onProgress }: TorchOptions,
): AsyncGenerator<TrainEvent, Partial<Manifest['machine']>> {
  let next: IteratorResult<WorkerEvent, WorkerEnd> | undefined;
  try {
    for (next = await events.next(); !next.done; next = await events.next()) {
      const event = trainEvent(next.value, opened, onProgress);
      if (event !== undefined) yield event;
    }
  } finally {
    if (next?.done === false) await events.return({ status: 'stopped' });
  }
  return recordOf(next.value, processes);
}

/** A worker's event in the words of a run; undefined where it is progress, or told at the end. */
function trainEvent(
  event: WorkerEvent,
  { run, pairs, isResumed }: EngineRun,
  onProgress: ProgressListener | undefined,
): TrainEvent | undefined {
  switch (event.type) {
    case 'started':
      return { ...event, type: 'started', run, isResumed, examples: pairs.length } as unknown as TrainEvent;
    case 'step':
    case 'evaluation':
    case 'checkpoint':
      return event as unknown as TrainEvent;
    case 'notice':
      return { type: 'notice', notice: event.notice as Notice };
    case 'warning':
      return { type: 'notice', notice: { code: 'engine/warning', message: String(event.message) } };
    case 'progress':
      onProgress?.({
        stage: String(event.stage),
        done: Number(event.done),
        total: Number(event.total),
        unit: String(event.unit),
      });
      return undefined;
    default:
      return undefined;
  }
}

function recordOf({ record = {} }: WorkerEnd, processes: number): Partial<Manifest['machine']> {
  const text = (name: string) => (typeof record[name] === 'string' ? { [name]: record[name] } : {});
  return {
    processes: typeof record.processes === 'number' ? record.processes : processes,
    ...text('device'),
    ...text('dtype'),
    ...text('parallel'),
  };
}
