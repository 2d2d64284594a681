/** @file Training by PyTorch: a RunSpec is written, a worker takes the steps, and its events are those of any run. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../../base/errors.ts';
import { type FolderLock, lockForProcess } from '../../base/folder-lock.ts';
import type { ProgressListener } from '../../base/progress.ts';
import type { Notice } from '../../method/data/notice.ts';
import type { Manifest } from '../../method/runs/manifest.ts';
import type { TrainEvent } from '../../method/runs/run.ts';
import { runInfo } from '../../method/runs/run-info.ts';
import type { EngineRun, StepEngine } from '../../method/runs/step-engine.ts';
import { type TorchPython, torchVersions } from './python-env.ts';
import type { ComputeSpec } from './spec.ts';
import { LOGS } from './torchrun.ts';
import { writeTrainSpec } from './train-spec.ts';
import { type WorkerEnd, type WorkerEvent, type WorkerRunOptions, workerEvents } from './worker-run.ts';

/** How PyTorch is used. */
export interface TorchOptions extends Pick<WorkerRunOptions, 'maxRestarts' | 'graceSeconds' | 'lastSeconds'> {
  readonly python: TorchPython;
  readonly compute: ComputeSpec;
  /** Processes of this machine that share the work. */
  readonly processes: number;
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
    check: (settings) => {
      if (settings.objective.needs.other)
        throw new ConfigError(
          `objective: expected one without a preference with engine torch, got ${settings.objective.requested}`,
          { code: 'engine/objective', hint: 'Choose another objective, or train without --engine torch.' },
        );
      if (settings.baseBits !== undefined)
        throw new ConfigError(`baseBits: expected none with engine torch, got ${settings.baseBits}`, {
          code: 'engine/base-bits',
          hint: 'Leave baseBits out, or train without --engine torch: its blocks are read by ONNX Runtime only.',
        });
    },
    steps: (opened) => torchSteps(opened, options),
  };
}

/** What is computed on, where PyTorch may choose. */
export const deviceOf = ({ python, compute }: Pick<TorchOptions, 'python' | 'compute'>): string =>
  compute.device === 'auto' ? python.report.devices[0]!.device : compute.device;

async function* torchSteps(
  opened: EngineRun,
  { python, compute, processes, onProgress, ...limits }: TorchOptions,
): AsyncGenerator<TrainEvent, Partial<Manifest['machine']>> {
  const { run, manifest, settings, model, signal } = opened;
  const { threads } = settings;
  await rm(join(run, LOGS), { recursive: true, force: true });
  await writeTrainSpec(run, {
    ...opened,
    modelSource: manifest.model.source,
    compute,
    info: runInfo(manifest, model.tokenizer),
    version: manifest.versions.nextquill,
  });
  const locks: FolderLock[] = [];
  const events = workerEvents(run, {
    ...limits,
    python: python.executable,
    processes,
    threads,
    signal,
    // A worker that outlives this process works on the run still.
    onStart: async (pid) => void locks.push(await lockForProcess(run, pid)),
  });
  let next: IteratorResult<WorkerEvent, WorkerEnd> | undefined;
  try {
    for (next = await events.next(); !next.done; next = await events.next()) {
      const event = trainEvent(next.value, opened, onProgress);
      if (event !== undefined) yield event;
    }
  } finally {
    if (next?.done === false) await events.return({ status: 'stopped' });
    for (const lock of locks) await lock[Symbol.asyncDispose]();
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
