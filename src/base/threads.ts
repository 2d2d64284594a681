/** @file How many threads may be asked for: more than any processor has use for only hangs the engine. */
import { availableParallelism } from 'node:os';
import { ConfigError } from './errors.ts';

/** Eight for each processor, and at least 64, so that a run of a larger machine can be repeated on a smaller one. */
export const MOST_THREADS = Math.max(64, 8 * availableParallelism());

/**
 * Checks a number of threads, from whatever place it comes.
 * @param place what holds it, for the message
 * @throws {ConfigError} `config/threads`
 */
export function checkThreads(threads: number | undefined, place = 'threads'): void {
  if (threads === undefined) return;
  if (Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS) return;
  throw new ConfigError(
    `${place}: expected a whole number from 1 to ${MOST_THREADS}, got ${JSON.stringify(threads)}`,
    {
      code: 'config/threads',
      hint: `Set threads to the number of processors, ${availableParallelism()}, or fewer.`,
    },
  );
}
