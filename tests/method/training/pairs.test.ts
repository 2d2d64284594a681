/** @file Making the pairs of many examples: told as progress, and stopped by a signal. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import type { Progress } from '../../../src/base/progress.ts';
import { loadModel } from '../../../src/engine/models/model.ts';
import { defaultPromptSettings } from '../../../src/method/prompts/pair.ts';
import { trainingPairs } from '../../../src/method/training/pairs.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { writtenUsers } from '../../support/written-users.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-pairs-'));
await writeModelFolder(join(home, 'model'));
const model = await loadModel(join(home, 'model'), join(home, 'cache'));
const prompt = defaultPromptSettings(model.config.maxPositions);
afterEach(() => vi.restoreAllMocks());

/** A clock on which every look takes a second. */
const slowClock = () => {
  let seconds = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => 1000 * seconds++);
};

it('long work tells of each example, and gives the same pairs as work that nobody watches', async () => {
  const quiet = await trainingPairs(writtenUsers, model, prompt, { seed: 0 });
  slowClock();
  const told: Progress[] = [];
  const watched = await trainingPairs(writtenUsers, model, prompt, {
    seed: 0,
    onProgress: (progress) => told.push(progress),
  });
  expect(watched).toEqual(quiet);
  expect(told.map(({ done, total }) => [done, total])).toEqual([
    [1, 4],
    [2, 4],
    [3, 4],
    [4, 4],
  ]);
});

it('a signal stops it between two examples', async () => {
  slowClock();
  const controller = new AbortController();
  const told: number[] = [];
  const making = trainingPairs(writtenUsers, model, prompt, {
    seed: 0,
    onProgress: ({ done }) => {
      told.push(done);
      if (done === 2) controller.abort();
    },
    signal: controller.signal,
  });
  await expect(making).rejects.toMatchObject({ name: 'AbortedError' });
  expect(told).toEqual([1, 2]);
});
