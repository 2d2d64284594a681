/** @file The commands that start a worker: one process, several on this machine, or several machines. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WorkerCommand } from './worker-process.ts';

/** The folder that holds the package nextquill_torch; the same from src and from dist. */
export const pythonFolder = fileURLToPath(new URL('../../../python', import.meta.url));

/** In the folder of a run: one folder for each process of torchrun. */
export const LOGS = 'logs';

/** How a worker is started. */
export interface LaunchOptions {
  readonly python: string;
  /** The folder that holds `spec/`. */
  readonly run: string;
  /** What the worker does there, with its flags; `work` by default. */
  readonly words?: readonly string[];
  readonly processes: number;
  /** How often torchrun starts all of them again when one dies. */
  readonly maxRestarts: number;
  /** Of the processor, all processes together; torch's own choice where absent. */
  readonly threads?: number;
}

/** The command of a worker on this machine. */
export function workerCommand(options: LaunchOptions): WorkerCommand {
  const { python, run, words = ['work'], processes, maxRestarts, threads } = options;
  const work = ['-m', 'nextquill_torch', ...words, run];
  const env = workerEnvironment(threads === undefined ? undefined : Math.ceil(threads / processes));
  if (processes === 1) return { file: python, args: work, env };
  return {
    file: python,
    args: [
      ...['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', String(processes)],
      ...['--max-restarts', String(maxRestarts)],
      // Every rank has its files; the first one is relayed, too.
      ...['--log-dir', join(run, LOGS), '--redirects', '3', '--tee', '0:3'],
      ...work,
    ],
    env,
  };
}

/** Variables that a worker needs: where its package is, and that it asks no network. */
export function workerEnvironment(threads?: number): Record<string, string> {
  const { PYTHONPATH } = process.env;
  return {
    PYTHONPATH: PYTHONPATH ? `${pythonFolder}:${PYTHONPATH}` : pythonFolder,
    PYTHONUNBUFFERED: '1',
    HF_HUB_OFFLINE: '1',
    TOKENIZERS_PARALLELISM: 'false',
    // A store of its own for every restart: torchrun's shared one keeps the addresses of processes that have died.
    TORCH_DISABLE_SHARE_RDZV_TCP_STORE: '1',
    // torchrun would set 1.
    ...(threads !== undefined && { OMP_NUM_THREADS: String(threads) }),
  };
}

/** torchrun puts the name of the process before the lines that it relays. */
export const withoutPrefix = (line: string): string => line.replace(/^\[[a-z_]+\d+\]:\s?/i, '');
