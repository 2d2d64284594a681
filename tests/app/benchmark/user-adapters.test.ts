/** @file OPPU in a benchmark: what users' adapters may learn from, and that own and strangers' adapters are told apart. */
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { benchmark } from '../../../src/app/benchmark/benchmark.ts';
import { historiesBeforeAll } from '../../../src/app/benchmark/user-adapters.ts';
import type { BenchmarkRecipe } from '../../../src/app/config/benchmark-recipe.ts';
import type { Example } from '../../../src/method/data/example.ts';

describe('the texts of a user’s adapter', () => {
  it('lie before every text that is scored', () => {
    const item = (id: string, time: string) => ({ id, time, query: 'q', text: `text ${id}` });
    const early = [item('a', '2020-01-01'), item('b', '2020-02-01')];
    const row = (id: string, history: Example['history']): Example => ({
      id,
      user: 'ann',
      query: 'q',
      response: id,
      split: 'test',
      history,
    });
    // The later row's history holds the text that the earlier row is scored on.
    const rows = [row('2', [...early, item('c', '2020-03-01')]), row('1', early)];
    const [only, ...others] = historiesBeforeAll(rows);
    expect(others).toEqual([]);
    expect(only!.history.map(({ id }) => id)).toEqual(['a', 'b']);
    // The rows are no training rows: a split would leave them out.
    expect(only!.split).toBeUndefined();
  });
});

describe('oppu', () => {
  it('reads a history by its own user’s adapter, on a base that knows the task, and counts its cost', async () => {
    const out = join(await mkdtemp(join(tmpdir(), 'nextquill-oppu-')), 'out');
    const recipe: BenchmarkRecipe = {
      out,
      models: [{ name: 'embedded', source: 'embedded' }],
      data: [
        { name: 'simulated', simulated: { seed: 1, historyItems: 3 }, train: 4, validation: 3, test: 3 },
      ],
      systems: ['sft-no-history', 'oppu'],
      prompt: { maxTokens: 256, maxHistory: 1 },
      training: { learningRates: [0.003], maxSteps: 2, batchSize: 2, loraRank: 2, userEpochs: 2 },
      others: 1,
      generate: { texts: 1, maxNewTokens: 3 },
      threads: 1,
    };
    const { boards } = await benchmark(recipe);
    const { leaderboard, systems } = boards[0]!;
    expect(leaderboard.examples).toBe(3);
    const [base, alone] = leaderboard.rows.map(({ means }) => means);
    // Without an adapter, OPPU is its base.
    expect(alone!.nllWithoutHistory.value).toBeCloseTo(base!.nllWithHistory.value, 5);
    expect(alone!.nllWithHistory.value).not.toBe(alone!.nllOtherHistory.value);
    expect(alone!.nllWithHistory.value).not.toBe(alone!.nllWithoutHistory.value);
    const [plain, personal] = systems.map(({ cells }) => cells[0]!);
    // Three texts of three users, twice over, beside what the base has read.
    expect(personal!.trainingTokens).toBeGreaterThan(plain!.trainingTokens! * 2);
    expect(personal!.trainingSeconds).toBeGreaterThan(plain!.trainingSeconds!);
    expect(personal!.written!.texts).toHaveLength(1);
    const runs = await readdir(join(out, 'runs'));
    expect(runs.filter((name) => name.endsWith('-test'))).toHaveLength(1);
    const again = await benchmark(recipe);
    expect(again.boards).toEqual(boards);
  });
});
