/**
 * @file One task of a request from the queue to its last token: its times, what it cost, and a reader that may be slow, stall
 * or leave.
 */
import { performance } from 'node:perf_hooks';
import type { BatchTask, RunningTask } from '../../engine/generate/scheduler.ts';
import type { LiveRequest, ServerContext } from './context.ts';

/** What a task has taken so far; milliseconds. */
export interface TextTimes {
  queueMs: number;
  firstTokenMs: number | undefined;
}

/** The flow of a task as its reader steers it. */
export interface TextFlow {
  pause(): void;
  resume(): void;
}

/**
 * Runs a task to its end.
 * @param turn whose turn in the queue it takes
 * @param onFlow told when the task runs
 * @throws the reason of the request's signal, what the queue refuses, what the engine throws
 */
export async function runText(
  server: ServerContext,
  live: LiveRequest,
  turn: string,
  task: BatchTask,
  times: TextTimes,
  onFlow: (flow: TextFlow) => void = () => {},
): Promise<void> {
  const begun = performance.now();
  let before: number | undefined;
  const { metrics } = server;
  const running: RunningTask = await server.queue.start(
    turn,
    {
      ...task,
      onStep: (text, step) => {
        const now = performance.now();
        if (times.firstTokenMs === undefined) {
          times.firstTokenMs = Math.round(now - begun);
          metrics.firstToken((now - begun) / 1000);
        } else if (before !== undefined) metrics.token((now - before) / 1000);
        before = now;
        task.onStep?.(text, step);
      },
    },
    live.signal,
  );
  times.queueMs = Math.max(times.queueMs, Math.round(performance.now() - begun));
  onFlow(running);
  const stop = () => running.cancel(live.signal.reason);
  if (live.signal.aborted) stop();
  live.signal.addEventListener('abort', stop, { once: true });
  try {
    await running.done;
  } catch (error) {
    // What ended the request says more than that the task was cancelled.
    throw live.signal.aborted ? live.signal.reason : error;
  } finally {
    live.signal.removeEventListener('abort', stop);
  }
}
