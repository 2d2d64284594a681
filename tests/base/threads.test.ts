/** @file How many threads may be asked for. */
import { expect, it } from 'vitest';
import { checkThreads, MOST_THREADS } from '../../src/base/threads.ts';
import { createSession } from '../../src/engine/runtime/session.ts';

it('numbers up to the most are taken, nothing too', () => {
  for (const threads of [undefined, 1, MOST_THREADS]) expect(() => checkThreads(threads)).not.toThrow();
});

// A million threads once hung the process, which SIGTERM did not stop.
it.each([0, -1, 1.5, Number.NaN, MOST_THREADS + 1, 1_000_000])(
  '%d is refused, by the engine itself too',
  async (threads) => {
    expect(() => checkThreads(threads)).toThrowError(expect.objectContaining({ code: 'config/threads' }));
    const session = createSession({ bytes: new Uint8Array() } as never, { threads });
    await expect(session).rejects.toMatchObject({ code: 'config/threads' });
  },
);
