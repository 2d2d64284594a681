/**
 * @file A thread beside this one that compiles graphs and runs them. ONNX Runtime holds the thread that calls it until a pass is
 * done; whoever must be heard meanwhile, such as a server, has its graphs here.
 */
import { Worker } from 'node:worker_threads';
import { type ErrorMessage, errorOfMessage } from '../../base/error-message.ts';
import { EngineError } from '../../base/errors.ts';
import type { Program } from '../onnx/program.ts';
import {
  type Feed,
  type HostTensor,
  type ResidentTensor,
  type Session,
  type SessionOptions,
  tellOpening,
} from './session.ts';
import type { MemoryEdit, TensorMemory } from './tensor-memory.ts';

/** Where graphs run. */
export interface ComputeThread extends AsyncDisposable {
  /** As `createSession` of this thread; its runs take their turn with those of all sessions here. */
  createSession(program: Program, options?: SessionOptions): Promise<Session>;
  /** Memory beside the sessions. @throws {EngineError} `engine/memory` when there is none */
  allocate(parts: number, size: number): Promise<TensorMemory>;
  /**
   * Keeps what feeds hold beside the sessions, so that no run copies it; nobody changes it any more. Feeds of other numbers
   * are copied with each run.
   * @returns what lets it go
   */
  keep(tensors: Readonly<Record<string, HostTensor>>): () => void;
  /** False once it has ended, by itself too: nothing is computed any more. */
  isAlive(): boolean;
}

/** A feed as it is sent: numbers, or where they lie. */
export type SentFeed = Feed | { readonly kept: number; readonly shape: readonly number[] };

/** What the thread is asked. */
export type ThreadRequest =
  | { readonly open: number; readonly program: Program; readonly options: SessionOptions }
  | {
      readonly run: number;
      readonly feeds: Readonly<Record<string, SentFeed>>;
      readonly into: Readonly<Record<string, ResidentTensor>>;
      readonly wanted: readonly string[] | undefined;
    }
  | { readonly close: number }
  | { readonly allocate: number; readonly parts: number; readonly size: number }
  | { readonly edit: number; readonly edits: readonly MemoryEdit[] }
  | { readonly release: number }
  | { readonly keep: number; readonly data: HostTensor['data'] }
  | { readonly drop: number }
  | { readonly end: true };

/** What it answers, in the order of what it was asked. */
export type ThreadReply =
  | { readonly result: Readonly<Record<string, HostTensor>> }
  | { readonly failure: ErrorMessage };

/** Two flags that both threads see: whether ONNX Runtime is at work, and whether the process ends. */
export type ThreadState = Int32Array<SharedArrayBuffer>;
export const AT_WORK = 0;
export const ENDING = 1;
/** A process that ends waits for so long for what is at work: ended in the middle, ONNX Runtime's binding aborts the process. */
const LAST_WORK_MS = 60_000;

/** What is installed is JavaScript; sources, in this repository, are run by tsx. */
function startWorker(workerData: ThreadState): Worker {
  if (!import.meta.url.endsWith('.ts'))
    return new Worker(new URL('./compute-thread-worker.js', import.meta.url), { workerData });
  const source = JSON.stringify(new URL('./compute-thread-worker.ts', import.meta.url));
  return new Worker(
    `import('tsx/esm/api').then(({ register }) => { register(); return import(${source}); })`,
    { eval: true, workerData },
  );
}

/** Starts a thread. It keeps the process alive only while it computes. */
export function openComputeThread(): ComputeThread {
  const state: ThreadState = new Int32Array(new SharedArrayBuffer(8));
  const worker = startWorker(state);
  const onProcessExit = () => {
    Atomics.store(state, ENDING, 1);
    Atomics.wait(state, AT_WORK, 1, LAST_WORK_MS);
  };
  process.once('exit', onProcessExit);
  worker.unref();
  interface Waiting {
    resolve(result: Readonly<Record<string, HostTensor>>): void;
    reject(error: unknown): void;
  }
  const waiting: Waiting[] = [];
  let gone: EngineError | undefined;
  let made = 0;
  const leave = (cause: unknown) => {
    gone ??= new EngineError('compute thread: expected it to run, got its end', {
      code: 'engine/thread',
      hint: 'Start the process again.',
      cause,
    });
    for (const { reject } of waiting.splice(0)) reject(gone);
  };
  worker.on('message', (reply: ThreadReply) => {
    const { resolve, reject } = waiting.shift()!;
    if (waiting.length === 0) worker.unref();
    if ('failure' in reply) reject(errorOfMessage(reply.failure));
    else resolve(reply.result);
  });
  worker.on('error', leave);
  const exited = new Promise<void>((resolve) => {
    worker.once('exit', (code) => {
      process.off('exit', onProcessExit);
      leave(`exit code ${code}`);
      resolve();
    });
  });
  const ask = (request: ThreadRequest) =>
    new Promise<Readonly<Record<string, HostTensor>>>((resolve, reject) => {
      if (gone !== undefined) return reject(gone);
      // What cannot be sent is not waited for.
      worker.postMessage(request);
      waiting.push({ resolve, reject });
      worker.ref();
    });
  /** Answered by nothing. */
  const tell = (request: ThreadRequest) => {
    if (gone === undefined) worker.postMessage(request);
  };

  /** Of numbers that are kept there, by themselves. */
  const kept = new WeakMap<HostTensor['data'], number>();
  const sent = (feed: Feed): SentFeed => {
    const place = 'data' in feed ? kept.get(feed.data) : undefined;
    return place === undefined ? feed : { kept: place, shape: feed.shape };
  };
  return {
    createSession: async (program, options = {}) => {
      made += 1;
      const session = made;
      tellOpening('opening', program);
      await ask({ open: session, program, options });
      tellOpening('open', program);
      return {
        program,
        run: async (feeds, into = {}, wanted) => {
          const places: Record<string, ResidentTensor> = {};
          for (const [name, feed] of Object.entries(into)) {
            if ('data' in feed)
              throw new EngineError(
                `${name}: expected memory of the compute thread, got memory of this one`,
                {
                  code: 'engine/memory',
                },
              );
            places[name] = feed;
          }
          const given = Object.entries(feeds).map(([name, feed]) => [name, sent(feed)] as const);
          return { ...(await ask({ run: session, feeds: Object.fromEntries(given), into: places, wanted })) };
        },
        [Symbol.asyncDispose]: async () => {
          if (gone === undefined) await ask({ close: session });
        },
      };
    },
    allocate: async (parts, size) => {
      made += 1;
      const memory = made;
      await ask({ allocate: memory, parts, size });
      return {
        view: (part, start, shape) => ({ memory, part, start, shape }),
        edit: (edits) => tell({ edit: memory, edits }),
        release: () => tell({ release: memory }),
      };
    },
    keep: (tensors) => {
      const places = Object.values(tensors).map(({ data }) => {
        made += 1;
        kept.set(data, made);
        tell({ keep: made, data });
        return { data, place: made };
      });
      return () => {
        for (const { data, place } of places) {
          kept.delete(data);
          tell({ drop: place });
        }
      };
    },
    isAlive: () => gone === undefined,
    [Symbol.asyncDispose]: async () => {
      // Whoever waits for the end is not the only one who keeps the process alive.
      if (gone === undefined) worker.ref();
      tell({ end: true });
      await exited;
    },
  };
}
