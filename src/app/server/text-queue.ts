/**
 * @file The queue before the batch: bounded, users in turn, first come first served within a user. A text starts when the
 * cache has its rows.
 */
import type { BatchTask, RunningTask, Scheduler } from '../../engine/generate/scheduler.ts';
import { ApiError } from './api-error.ts';

export interface TextQueue {
  /**
   * Starts a task when its turn has come.
   * @param turn whose turn it takes: tasks of one name wait for each other
   * @throws {ApiError} 503 `overloaded`, `queue_timeout`, `shutting_down`, or the reason of the signal
   */
  start(turn: string, task: BatchTask, signal: AbortSignal): Promise<RunningTask>;
  /**
   * Whether a task may wait, before anything of its answer is sent: a status can then still tell.
   * @throws {ApiError} 503 `overloaded`, `shutting_down`
   */
  check(task: Pick<BatchTask, 'prompts'>): void;
  waiting(): number;
  /** Refuses all that wait, and all that come. */
  close(): void;
}

interface Waiting {
  readonly turn: string;
  readonly task: BatchTask;
  readonly rows: number;
  readonly begin: (running: RunningTask) => void;
  readonly refuse: (error: unknown) => void;
}

export function textQueue(
  scheduler: Pick<Scheduler, 'rowsFor' | 'rowsFree' | 'start'>,
  { maxQueue, queueTimeout }: { readonly maxQueue: number; readonly queueTimeout: number },
): TextQueue {
  /** By turn, in the order in which their turns come. */
  const turns = new Map<string, Waiting[]>();
  let isClosed = false;
  const count = () => [...turns.values()].reduce((sum, of) => sum + of.length, 0);
  const remove = (entry: Waiting) => {
    const of = turns.get(entry.turn);
    const place = of?.indexOf(entry) ?? -1;
    if (of === undefined || place < 0) return;
    of.splice(place, 1);
    if (of.length === 0) turns.delete(entry.turn);
  };
  const begin = (entry: Waiting) => {
    try {
      const running = scheduler.start(entry.task);
      running.done.then(pump, pump);
      entry.begin(running);
    } catch (error) {
      entry.refuse(error);
    }
  };
  /** Starts what has its turn as long as there is room; nobody who needs more room is passed by others. */
  function pump(): void {
    for (;;) {
      const next = turns.entries().next().value;
      if (next === undefined) return;
      const [turn, [entry]] = next;
      if (entry!.rows > scheduler.rowsFree()) return;
      const rest = turns.get(turn)!.slice(1);
      turns.delete(turn);
      if (rest.length > 0) turns.set(turn, rest);
      begin(entry!);
    }
  }
  const shuttingDown = () =>
    new ApiError(503, 'server: expected to be running, got shutting down', {
      code: 'shutting_down',
      retryAfter: 5,
    });
  const check = (task: Pick<BatchTask, 'prompts'>) => {
    if (isClosed) throw shuttingDown();
    const isFree = turns.size === 0 && scheduler.rowsFor(task) <= scheduler.rowsFree();
    if (!isFree && count() >= maxQueue)
      throw new ApiError(503, `queue: expected at most ${maxQueue} waiting requests, got one more`, {
        code: 'overloaded',
        retryAfter: 1,
      });
  };
  return {
    check,
    waiting: count,
    start: (turn, task, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        check(task);
        const rows = scheduler.rowsFor(task);
        const end = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', leave);
        };
        const entry: Waiting = {
          turn,
          task,
          rows,
          begin: (running) => {
            end();
            resolve(running);
          },
          refuse: (error) => {
            end();
            reject(error);
          },
        };
        const leave = () => {
          remove(entry);
          entry.refuse(signal.reason);
          pump();
        };
        const timer = setTimeout(() => {
          remove(entry);
          entry.refuse(
            new ApiError(503, `queue: expected a turn within ${queueTimeout} s, got none`, {
              code: 'queue_timeout',
              retryAfter: 5,
            }),
          );
          pump();
        }, queueTimeout * 1000);
        signal.addEventListener('abort', leave, { once: true });
        turns.set(turn, [...(turns.get(turn) ?? []), entry]);
        pump();
      }),
    close: () => {
      isClosed = true;
      for (const entry of [...turns.values()].flat()) entry.refuse(shuttingDown());
      turns.clear();
    },
  };
}
