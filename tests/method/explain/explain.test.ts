/** @file From an example to its heat map: the same numbers as its rows, the history that was shown, the causes that are known. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../../src/engine/models/model.ts';
import type { Example } from '../../../src/method/data/example.ts';
import { type ExplainOptions, explain, explainAll } from '../../../src/method/explain/explain.ts';
import { defaultPromptSettings } from '../../../src/method/prompts/pair.ts';
import type { CachedScores, EffectCache } from '../../../src/method/scoring/effect-cache.ts';
import { type EffectRow, effectRows } from '../../../src/method/scoring/rows.ts';
import type { ScoredModel } from '../../../src/method/scoring/scored-model.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { newUser, writtenUsers } from '../../support/written-users.ts';

const example = writtenUsers[0]!;
const options: ExplainOptions = { prompt: defaultPromptSettings(1024), modelName: 'tiny', threads: 1 };
let folder: string;
let scored: ScoredModel;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nextquill-explain-'));
  await writeModelFolder(folder);
  scored = { model: await loadModel(folder, join(folder, 'cache')) };
});
afterAll(() => rm(folder, { recursive: true }));

describe('a heat map', () => {
  it('has the numbers of the rows of effects, those of others where they were asked for', async () => {
    const asked = { ...options, pool: writtenUsers, others: 2 };
    const rows: EffectRow[] = [];
    for await (const row of effectRows(scored, [example], asked)) rows.push(row);
    const { tokens } = await explain(scored, example, asked);
    expect(
      tokens.map(({ text, start, end, values, weight, logProbWithHistory, logProbWithoutHistory }) => ({
        text,
        start,
        end,
        ...values,
        weight,
        logProbWithHistory,
        logProbWithoutHistory,
      })),
    ).toEqual(
      rows.map((row) => ({
        text: row.token,
        start: row.start,
        end: row.end,
        logRatio: row.effectLogRatio,
        probability: row.effectProbability,
        divergence: row.effectDivergence,
        generic: row.effectPlacebo,
        userSpecific: row.effectUserSpecific,
        weight: row.weight,
        logProbWithHistory: row.logProbWithHistory,
        logProbWithoutHistory: row.logProbWithoutHistory,
      })),
    );
    const plain = await explain(scored, example, options);
    expect(Object.keys(plain.tokens[0]!.values).sort()).toEqual(['divergence', 'logRatio', 'probability']);
  });

  it('shows the items of the history that the model saw, the latest', async () => {
    const one = await explain(scored, example, { ...options, prompt: { ...options.prompt, maxHistory: 1 } });
    expect(one.history).toEqual(example.history.slice(-1));
    expect(one.meta).toMatchObject({ historyItems: 1, reference: 'removed' });
    expect((await explain(scored, example, options)).history).toEqual(example.history);
    expect((await explain(scored, newUser, options)).history).toEqual([]);
  });

  it('has what every item does where items were asked for: its tokens have the mean among random others', async () => {
    const { items, history, tokens } = await explain(scored, example, { ...options, items: true });
    expect(items).toHaveLength(history.length);
    for (const [i, { mean, low, high }] of items!.entries()) {
      const sum = tokens.reduce((total, token) => total + token.itemEffects![i]!, 0);
      expect(sum / tokens.length).toBeCloseTo(mean, 6);
      expect(low).toBeLessThanOrEqual(high);
    }
    expect((await explain(scored, newUser, { ...options, items: true })).items).toEqual([]);
    expect((await explain(scored, example, options)).items).toBeUndefined();
  });

  it('names the cause of every token where the causes are known, and of no other', async () => {
    const { response } = example;
    const known: Example = {
      ...example,
      causes: [
        { start: 0, end: 2, cause: 'neither' },
        { start: 2, end: response.length, cause: 'user' },
      ],
    };
    const { tokens } = await explain(scored, known, options);
    for (const { start, end, cause } of tokens) {
      const text = response.slice(start, end);
      expect(cause, text).toBe(text.trim() === '' ? undefined : end <= 2 ? 'neither' : 'user');
    }
    const unknown = await explain(scored, example, options);
    expect(unknown.tokens.every((token) => token.cause === undefined)).toBe(true);
  });

  it('is called by its example, or as the caller wants', async () => {
    expect((await explain(scored, example, options)).title).toBe('Example e0');
    expect(await explain(scored, example, { ...options, title: 'A mug' })).toMatchObject({
      title: 'A mug',
      example: 'e0',
      user: 'u0',
      model: 'tiny',
      query: example.query,
      response: example.response,
    });
  });

  it('comes in the order of the examples', async () => {
    const maps = await explainAll(scored, writtenUsers, options);
    expect(maps.map((map) => map.example)).toEqual(writtenUsers.map(({ id }) => id));
  });
});

it('finds what the items do in the cache of effects', async () => {
  // The cache once held the rows alone, though most passes are those of the items.
  const books = new Map<string, Map<string, CachedScores>>();
  let added = 0;
  const cache: EffectCache = {
    read: async ({ key }) => books.get(key) ?? new Map(),
    add: async ({ key }, entries) => {
      added += entries.size;
      books.set(key, new Map([...(books.get(key) ?? []), ...entries]));
    },
  };
  const withItems = { ...options, items: { subsets: 2 }, cache };
  const first = await explain(scored, example, withItems);
  expect(added).toBeGreaterThan(first.items!.length + 1);
  const before = added;
  expect(await explain(scored, example, withItems)).toEqual(first);
  expect(added).toBe(before);
});
