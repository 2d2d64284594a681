/** @file Work that measures effects: one at a time, so that it takes no more than its share from running texts; bounded. */
import { ApiError } from './api-error.ts';

export interface EffectsDesk {
  /** Does a piece of work when its turn has come. @throws {ApiError} 503 `overloaded`, or the reason of the signal */
  run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>;
  waiting(): number;
}

export function effectsDesk({ maxQueue }: { readonly maxQueue: number }): EffectsDesk {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return {
    waiting: () => waiting,
    run: async (signal, work) => {
      if (waiting >= maxQueue)
        throw new ApiError(503, `effects: expected at most ${maxQueue} waiting requests, got one more`, {
          code: 'overloaded',
          retryAfter: 5,
        });
      waiting += 1;
      const before = last;
      let leave = () => {};
      last = new Promise<void>((resolve) => {
        leave = resolve;
      });
      try {
        await before;
        if (signal.aborted) throw signal.reason;
        return await work();
      } finally {
        waiting -= 1;
        leave();
      }
    },
  };
}
