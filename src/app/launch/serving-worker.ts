/** @file A worker that stays for many requests: started by the first one, asked one at a time, ended when its owner is. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { AbortedError, throwIfAborted } from '../../base/errors.ts';
import { SPEC } from './spec-folder.ts';
import { DEFAULT_GRACE_SECONDS, DEFAULT_RESTARTS } from './torch-choices.ts';
import { LOGS, workerCommand } from './torchrun.ts';
import { type WorkerExit, watchProcess } from './worker-process.ts';
import {
  failure,
  firstTrace,
  isKilled,
  lastError,
  parseEvent,
  stoppedError,
  type WorkerEnd,
  type WorkerEvent,
  type WorkerRunOptions,
  workerError,
} from './worker-run.ts';

/** How a worker is started and stopped. */
export interface ServingOptions extends Omit<WorkerRunOptions, 'signal' | 'onStart' | 'threads'> {
  readonly device: string;
  readonly threads?: number | undefined;
}

/** One request. */
export interface AskOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: WorkerEvent) => void) | undefined;
  /** Whether a worker that was killed is started and asked again; true by default. */
  readonly isRepeatable?: boolean;
}

export interface ServingWorker extends AsyncDisposable {
  /** A new folder for requests, for this user alone: it holds texts as ids. */
  newFolder(): Promise<string>;
  /**
   * Asks, and waits for the answer behind those of the requests before.
   * @throws {AbortedError} stopped by the signal; the worker ends then
   * @throws what the worker answers, or what it died of
   */
  ask(request: Readonly<Record<string, unknown>>, options?: AskOptions): Promise<void>;
}

/** A process that waits for requests. */
interface Running {
  readonly input: PassThrough;
  readonly lines: AsyncGenerator<string, WorkerExit>;
  readonly stop: AbortController;
}

/** A worker that starts nothing before it is asked. */
export function servingWorker(options: ServingOptions): ServingWorker {
  const { python, processes, threads, device } = options;
  const { maxRestarts = DEFAULT_RESTARTS, graceSeconds = DEFAULT_GRACE_SECONDS, lastSeconds = 10 } = options;
  let home: Promise<string> | undefined;
  let running: Running | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  let restarts = 0;
  let folders = 0;

  const homeFolder = () => {
    home ??= mkdtemp(join(tmpdir(), 'nextquill-torch-'));
    return home;
  };
  const start = async (): Promise<Running> => {
    const folder = await homeFolder();
    // Where it tells errors that it cannot answer with; those of one before it say nothing of this one.
    for (const name of [SPEC, LOGS]) await rm(join(folder, name), { recursive: true, force: true });
    await mkdir(join(folder, SPEC));
    const command = workerCommand({
      python,
      run: folder,
      words: ['serve', '--device', device],
      processes,
      // Requests that were read are lost with a process: it is started and asked again from here.
      maxRestarts: 0,
      ...(threads !== undefined && { threads }),
    });
    const input = new PassThrough();
    const stop = new AbortController();
    const onStop = async () => void input.end();
    const lines = watchProcess(command, { signal: stop.signal, graceSeconds, lastSeconds, input, onStop });
    return { input, lines, stop };
  };
  /** The answer, or how the process was killed before it gave one. */
  const answerOf = async (
    { input, lines, stop }: Running,
    request: Readonly<Record<string, unknown>>,
    { signal, onEvent }: AskOptions,
  ): Promise<{ readonly answer: Partial<WorkerEnd> } | { readonly killed: WorkerExit }> => {
    const onAbort = () => stop.abort();
    signal?.addEventListener('abort', onAbort);
    try {
      input.write(`${JSON.stringify(request)}\n`);
      for (;;) {
        const next = await lines.next();
        if (next.done) {
          running = undefined;
          const folder = await homeFolder();
          throwIfAborted(signal);
          const hasReason = (await lastError(folder)) ?? (await firstTrace(folder));
          // Of a process that torchrun has started, torchrun says no more than that it failed.
          if (hasReason === undefined && (isKilled(next.value) || processes > 1))
            return { killed: next.value };
          throw await failure(folder, next.value);
        }
        const event = parseEvent(next.value);
        if (event?.type === 'answered') return { answer: event as Partial<WorkerEnd> };
        if (event !== undefined) onEvent?.(event);
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  };
  const end = async () => {
    const ended = running;
    running = undefined;
    ended?.input.end();
    await ended?.lines.return({ code: null, signal: null, stderr: '' });
  };
  const answered = async (request: Readonly<Record<string, unknown>>, asking: AskOptions): Promise<void> => {
    for (;;) {
      throwIfAborted(asking.signal);
      running ??= await start();
      const got = await answerOf(running, request, asking);
      if ('killed' in got) {
        if (asking.isRepeatable === false || restarts++ >= maxRestarts) throw died(got.killed);
        continue;
      }
      const { answer } = got;
      if (answer.status === 'done' && asking.signal?.aborted !== true) return;
      // It ends after whatever is not done, and when it was told to.
      await end();
      throw answer.status === 'failed' ? workerError(answer) : stoppedError(undefined);
    }
  };

  return {
    newFolder: async () => {
      const folder = join(await homeFolder(), String(folders++));
      await mkdir(folder);
      return folder;
    },
    ask: async (request, asking = {}) => {
      const before = turn;
      const mine = (async () => {
        await before.catch(() => {});
        await answered(request, asking);
      })();
      turn = mine.catch(() => {});
      return mine;
    },
    [Symbol.asyncDispose]: async () => {
      // What is asked still is stopped, not waited for.
      running?.stop.abort(new AbortedError('worker: closed', { code: 'aborted' }));
      await turn;
      await end();
      if (home !== undefined) await rm(await home, { recursive: true, force: true });
      home = undefined;
    },
  };
}

/** A process that was ended from outside, with the end of what it said. */
const died = ({ signal, code, stderr }: WorkerExit) =>
  workerError({
    code: 'worker/died',
    message:
      `worker: expected an answer, got ${signal ?? `exit code ${code}`}\n${stderr.trim().slice(-2000)}`.trim(),
    hint: 'Start the command again; where the system ended it for its memory, use --dtype bf16 or a smaller model.',
  });
