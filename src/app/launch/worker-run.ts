/** @file One run of a worker on a RunSpec folder: its events as they come, and its end as a result or an error. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  AbortedError,
  CheckpointError,
  ConfigError,
  EngineError,
  throwIfAborted,
} from '../../base/errors.ts';
import { END_FILE, EVENTS_FILE, SPEC, STOP_FILE } from './spec-folder.ts';
import { DEFAULT_GRACE_SECONDS, DEFAULT_RESTARTS } from './torch-choices.ts';
import { LOGS, withoutPrefix, workerCommand } from './torchrun.ts';
import { type WorkerExit, watchProcess } from './worker-process.ts';

/** How a worker is started and stopped. */
export interface WorkerRunOptions {
  readonly python: string;
  readonly processes: number;
  readonly threads?: number | undefined;
  /** How often it is started again after a process has died. */
  readonly maxRestarts?: number;
  /** From the request to stop to SIGTERM, and from there until it is ended. */
  readonly graceSeconds?: number;
  readonly lastSeconds?: number;
  readonly signal?: AbortSignal | undefined;
  /** Told the id of each process that is started here. */
  readonly onStart?: (pid: number) => Promise<void>;
}

/** One line of a worker; what else it holds depends on its type. */
export interface WorkerEvent {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** end.json. */
export interface WorkerEnd {
  readonly status: 'done' | 'stopped' | 'failed';
  readonly step?: number;
  readonly code?: string;
  readonly message?: string;
  readonly hint?: string;
  /** What the run was computed on. */
  readonly record?: Readonly<Record<string, unknown>>;
}

/**
 * Runs a worker on the folder that holds `spec/`, and yields its events. A single process that dies is started again, as torchrun
 * does with several.
 * @returns its end, of status `done`
 * @throws {AbortedError} stopped by the signal
 * @throws {ConfigError} {CheckpointError} {EngineError} what its end, its last event or its trace says, in this order
 */
export async function* workerEvents(
  folder: string,
  options: WorkerRunOptions,
): AsyncGenerator<WorkerEvent, WorkerEnd> {
  const { python, processes, threads, signal, onStart } = options;
  const { maxRestarts = DEFAULT_RESTARTS, graceSeconds = DEFAULT_GRACE_SECONDS, lastSeconds = 10 } = options;
  const place = (name: string) => join(folder, SPEC, name);
  await rm(place(END_FILE), { force: true });
  await rm(place(STOP_FILE), { force: true });
  const command = workerCommand({
    python,
    run: folder,
    processes,
    maxRestarts,
    ...(threads !== undefined && { threads }),
  });
  for (let attempt = 0; ; attempt++) {
    throwIfAborted(signal);
    const exit = yield* parsedLines(
      watchProcess(command, {
        signal,
        graceSeconds,
        lastSeconds,
        onStart,
        onStop: () => writeFile(place(STOP_FILE), ''),
      }),
    );
    const end = await readEnd(folder);
    if (end?.status === 'done') return end;
    if (end?.status === 'failed') throw workerError(end);
    if (signal?.aborted || end?.status === 'stopped') throw stoppedError(end);
    if (processes === 1 && attempt < maxRestarts && isKilled(exit)) {
      const message = `a process was ended (${exit.signal ?? exit.code}); started again, ${attempt + 1} of ${maxRestarts}`;
      yield { type: 'warning', code: 'worker/restarted', message };
      continue;
    }
    throw await failure(folder, exit);
  }
}

/** Ended from outside, not by an error of its own: 137 and 143 are those of shells. */
export const isKilled = ({ code, signal }: WorkerExit) => signal !== null || code === 137 || code === 143;

/** Lines that are JSON objects with a type; whatever else is printed is none of ours. */
async function* parsedLines(
  lines: AsyncGenerator<string, WorkerExit>,
): AsyncGenerator<WorkerEvent, WorkerExit> {
  let next = await lines.next();
  try {
    for (; !next.done; next = await lines.next()) {
      const event = parseEvent(next.value);
      if (event !== undefined) yield event;
    }
    return next.value;
  } finally {
    if (!next.done) await lines.return({ code: null, signal: null, stderr: '' });
  }
}

/** The event of a line; undefined where it is none. */
export function parseEvent(line: string): WorkerEvent | undefined {
  try {
    const event = JSON.parse(withoutPrefix(line)) as Partial<WorkerEvent> | null;
    return typeof event?.type === 'string' ? (event as WorkerEvent) : undefined;
  } catch {
    return undefined;
  }
}

/** How a worker ended; undefined while it has not, or where it was killed. */
export async function readEnd(folder: string): Promise<WorkerEnd | undefined> {
  const text = await readFile(join(folder, SPEC, END_FILE), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const end = JSON.parse(text) as Partial<WorkerEnd> | null;
    return end?.status === 'done' || end?.status === 'stopped' || end?.status === 'failed'
      ? (end as WorkerEnd)
      : undefined;
  } catch {
    return undefined; // Torn by a kill.
  }
}

/** A worker that was asked to stop, and did. */
export const stoppedError = (end: WorkerEnd | undefined): AbortedError =>
  new AbortedError(`stopped${end?.step === undefined ? '' : ` after step ${end.step}`}`, { code: 'aborted' });

/** Why a worker has no last word: by its last error event, else by what it wrote before it died. */
export async function failure(folder: string, exit: WorkerExit): Promise<Error> {
  const event = await lastError(folder);
  if (event !== undefined) return workerError(event as Partial<WorkerEnd>);
  const trace = (await firstTrace(folder)) ?? exit.stderr.trim();
  const how = exit.signal === null ? `exit code ${exit.code}` : exit.signal;
  return new EngineError(
    `worker: expected it to end by itself, got ${how}${trace === '' ? '' : `:\n${trace}`}`,
    {
      code: 'worker/died',
      hint: `Look at ${join(folder, LOGS)} where it is there, then resume the run: it continues from its newest checkpoint.`,
    },
  );
}

/** Codes of what the user can put right before any work: exit code 2. */
const ofTheCaller: Readonly<Record<string, typeof ConfigError | typeof CheckpointError>> = {
  spec: CheckpointError,
  run: CheckpointError,
  checkpoint: CheckpointError,
  config: ConfigError,
  recipe: ConfigError,
  engine: ConfigError,
  model: ConfigError,
  lora: ConfigError,
  estimator: ConfigError,
  weights: CheckpointError,
};

/** The error that a worker tells of, with the class that its code stands for. */
export function workerError({ code = 'worker/failed', message, hint }: Partial<WorkerEnd>): Error {
  const Kind = ofTheCaller[code.split('/')[0]!] ?? EngineError;
  return new Kind(message ?? 'worker: expected it to work, got an error without words', {
    code,
    ...(hint && { hint }),
  });
}

/** The last error of any process; those of others than the first are in the file alone. */
export async function lastError(folder: string): Promise<WorkerEvent | undefined> {
  const text = await readFile(join(folder, SPEC, EVENTS_FILE), 'utf8').catch(() => '');
  return text
    .split('\n')
    .map(parseEvent)
    .findLast((event) => event?.type === 'error');
}

/** The trace of the process that failed first, of those that torchrun keeps. */
export async function firstTrace(folder: string): Promise<string | undefined> {
  const logs = join(folder, LOGS);
  const names = await readdir(logs, { recursive: true }).catch(() => []);
  const traces: { readonly time: number; readonly text: string }[] = [];
  for (const name of names.filter((each) => each.endsWith('error.json'))) {
    try {
      const { message } = JSON.parse(await readFile(join(logs, name), 'utf8')) as {
        message: { message: string; extraInfo: { py_callstack: string; timestamp: string } };
      };
      const { py_callstack: text, timestamp } = message.extraInfo;
      traces.push({ time: Number(timestamp), text: text.trim() });
    } catch {
      // Another kind of file, or torn: the others may say more.
    }
  }
  return traces.sort((a, b) => a.time - b.time)[0]?.text;
}
