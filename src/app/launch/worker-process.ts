/** @file A child process that reports by lines: read as they come, asked to stop, and ended with all that it has started. */
import { type ChildProcess, type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning } from '../../base/process.ts';

/** What is started. */
export interface WorkerCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** Beside those of this process. */
  readonly env: Readonly<Record<string, string>>;
}

/** How a process is watched. */
export interface WatchOptions {
  readonly signal?: AbortSignal | undefined;
  /** Asks the process to stop, when the signal says so. */
  readonly onStop?: (() => Promise<void>) | undefined;
  /** Told the id of the process as soon as it has one. */
  readonly onStart?: ((pid: number) => Promise<void>) | undefined;
  /** What the process reads; nothing where absent. */
  readonly input?: Readable | undefined;
  /** From the request to stop to SIGTERM. */
  readonly graceSeconds: number;
  /** From SIGTERM to SIGKILL. */
  readonly lastSeconds: number;
}

/** How a process ended. */
export interface WorkerExit {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of what it wrote to stderr. */
  readonly stderr: string;
}

/** Characters of stderr that are kept. */
const STDERR_KEPT = 64 << 10;

/**
 * Runs a command, and yields the lines of its stdout. Leaving the loop early asks it to stop as the signal does.
 * @throws {NodeJS.ErrnoException} when it cannot be started
 */
export async function* watchProcess(
  { file, args, env }: WorkerCommand,
  { signal, onStop, onStart, input, ...seconds }: WatchOptions,
): AsyncGenerator<string, WorkerExit> {
  // A group of its own: Ctrl-C of the terminal is ours to pass on.
  const child = spawn(file, args, {
    env: { ...process.env, ...env },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    detached: true,
  }) as ChildProcessByStdio<Writable | null, Readable, Readable>;
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  ended.catch(() => {});
  await once(child, 'spawn');
  const killAll = () => killTree(child.pid!);
  process.once('exit', killAll);
  if (child.stdin !== null) {
    // A process that has ended reads no more: its end is told below.
    child.stdin.on('error', () => {});
    input!.pipe(child.stdin);
  }
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_KEPT);
  });
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= stopProcess(child, ended, { onStop, ...seconds });
    // Told by the end of the process; here it only must not be unheard.
    stopping.catch(() => {});
  };
  signal?.addEventListener('abort', stop);
  try {
    await onStart?.(child.pid!);
    if (signal?.aborted) stop();
    yield* createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY });
    const [code, killedBy] = await ended;
    await stopping;
    return { code, signal: killedBy, stderr };
  } finally {
    if (child.exitCode === null && child.signalCode === null) stop();
    await stopping;
    signal?.removeEventListener('abort', stop);
    process.removeListener('exit', killAll);
  }
}

/** Asks, then tells, then ends. */
async function stopProcess(
  child: ChildProcess,
  ended: Promise<unknown>,
  { onStop, graceSeconds, lastSeconds }: Pick<WatchOptions, 'onStop' | 'graceSeconds' | 'lastSeconds'>,
): Promise<void> {
  const hasEndedIn = async (seconds: number) => {
    const over = new AbortController();
    const late = sleep(seconds * 1000, false, { signal: over.signal }).catch(() => true);
    const isOver = await Promise.race([ended.then(() => true), late]);
    over.abort();
    return isOver;
  };
  await onStop?.();
  if (await hasEndedIn(graceSeconds)) return;
  child.kill('SIGTERM');
  if (await hasEndedIn(lastSeconds)) return;
  killTree(child.pid!);
}

/** Ends a process and all that it has started, those in sessions of their own among them; at once. */
export function killTree(pid: number): void {
  for (const each of [...descendants(pid), pid].filter(isRunning)) {
    try {
      process.kill(each, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** Ids of the processes below one, by the table of the system; none where that cannot be read. */
function descendants(pid: number): number[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  const rows = (stdout ?? '').split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  const below = (parent: number): number[] =>
    rows.flatMap(([id, of]) => (of === parent && id !== undefined ? [...below(id), id] : []));
  return below(pid);
}
