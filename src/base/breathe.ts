/** @file A pause in long work, in which the process hears signals and draws progress. */
import { setImmediate } from 'node:timers/promises';
import { throwIfAborted } from './errors.ts';

/** Lets everything that waits run. @throws {AbortedError} when the signal says so */
export async function breathe(signal: AbortSignal | undefined): Promise<void> {
  await setImmediate();
  throwIfAborted(signal);
}
