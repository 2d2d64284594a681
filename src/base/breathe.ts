/** @file A pause in long work, in which the process hears signals and draws progress. */
import { setImmediate } from 'node:timers/promises';
import { throwIfAborted } from './errors.ts';

/** Lets everything that waits run. @throws {AbortedError} when the signal says so */
export async function breathe(signal: AbortSignal | undefined): Promise<void> {
  await setImmediate();
  throwIfAborted(signal);
}

/** Milliseconds of work between pauses, in which the process hears Ctrl-C, and a server its clients. */
const PAUSE_MS = 50;

/** A function to call after each piece of work: it lets the process breathe where it is time to. */
export function pauses(signal: AbortSignal | undefined): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < PAUSE_MS) return;
    await breathe(signal);
    last = performance.now();
  };
}

/** The result of work that yields between its pieces, done at once. */
export function runAtOnce<T>(work: Generator<void, T>): T {
  let piece = work.next();
  while (!piece.done) piece = work.next();
  return piece.value;
}

/** The same with pauses between pieces. @throws {AbortedError} when the signal says so */
export async function runWithPauses<T>(
  work: Generator<void, T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const pause = pauses(signal);
  for (;;) {
    const piece = work.next();
    if (piece.done) return piece.value;
    await pause();
  }
}
