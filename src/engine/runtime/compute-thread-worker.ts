/** @file What runs in a compute thread: sessions, memory beside them, and requests in their order. */
import { parentPort, workerData } from 'node:worker_threads';
import { errorMessage } from '../../base/error-message.ts';
import { EngineError } from '../../base/errors.ts';
import {
  AT_WORK,
  ENDING,
  type SentFeed,
  type ThreadReply,
  type ThreadRequest,
  type ThreadState,
} from './compute-thread.ts';
import { createSession, type HostTensor, type ResidentTensor, type Session } from './session.ts';
import { hostMemory, type TensorMemory } from './tensor-memory.ts';

const port = parentPort!;
const state = workerData as ThreadState;
const sessions = new Map<number, Session>();
const memories = new Map<number, TensorMemory>();
const kept = new Map<number, HostTensor['data']>();

/** The tensor that lies here. */
const resident = ({ memory, part, start, shape }: ResidentTensor): HostTensor =>
  memories.get(memory)!.view(part, start, shape) as HostTensor;
const received = (feed: SentFeed): HostTensor => {
  if ('kept' in feed) return { data: kept.get(feed.kept)!, shape: feed.shape };
  return 'memory' in feed ? resident(feed) : feed;
};
const each = <T, R>(record: Readonly<Record<string, T>>, map: (value: T) => R): Record<string, R> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));

/** Begins nothing where the process ends, and lets it wait for what has begun. */
async function atWork<T>(work: () => Promise<T>): Promise<T> {
  Atomics.store(state, AT_WORK, 1);
  try {
    if (Atomics.load(state, ENDING) === 1)
      throw new EngineError('compute thread: expected the process to run, got its end', {
        code: 'engine/thread',
      });
    return await work();
  } finally {
    Atomics.store(state, AT_WORK, 0);
    Atomics.notify(state, AT_WORK);
  }
}

/** What is answered; nothing where nobody waits. */
async function serve(request: ThreadRequest): Promise<Record<string, HostTensor> | undefined> {
  if ('run' in request) {
    const { run, feeds, into, wanted } = request;
    const outputs = await atWork(() =>
      sessions.get(run)!.run(each(feeds, received), each(into, resident), wanted),
    );
    return Object.fromEntries(Object.entries(outputs).filter(([name]) => !(name in into)));
  }
  if ('open' in request) {
    sessions.set(request.open, await atWork(() => createSession(request.program, request.options)));
    return {};
  }
  if ('close' in request) {
    await sessions.get(request.close)![Symbol.asyncDispose]();
    sessions.delete(request.close);
    return {};
  }
  if ('allocate' in request) {
    const { allocate, parts, size } = request;
    try {
      memories.set(allocate, hostMemory(parts, size));
    } catch (cause) {
      throw new EngineError(
        `memory: expected ${((parts * size * 4) / 2 ** 30).toFixed(1)} GiB beside the sessions, got none`,
        { code: 'engine/memory', cause },
      );
    }
    return {};
  }
  if ('edit' in request) memories.get(request.edit)?.edit(request.edits);
  else if ('release' in request) {
    memories.get(request.release)?.release();
    memories.delete(request.release);
  } else if ('keep' in request) kept.set(request.keep, request.data);
  else if ('drop' in request) kept.delete(request.drop);
  else port.close();
  return undefined;
}

const answer = (reply: ThreadReply, transferred: readonly ArrayBuffer[] = []) =>
  port.postMessage(reply, transferred);
let last: Promise<void> = Promise.resolve();
port.on('message', (request: ThreadRequest) => {
  last = last.then(async () => {
    try {
      const result = await serve(request);
      if (result === undefined) return;
      answer(
        { result },
        Object.values(result).map(({ data }) => data.buffer as ArrayBuffer),
      );
    } catch (error) {
      answer({ failure: errorMessage(error) });
    }
  });
});
