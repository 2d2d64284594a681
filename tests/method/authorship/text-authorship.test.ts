/** @file Authorship of a text: sentences by hand through the scorer, passages of a long text, an author told from another. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { embeddedModelFolder } from '../../../src/app/open/model-source.ts';
import { loadModel } from '../../../src/engine/models/model.ts';
import { textAuthorship } from '../../../src/method/authorship/text-authorship.ts';
import { defaultPromptSettings, promptPair } from '../../../src/method/prompts/pair.ts';
import type { ScoredModel } from '../../../src/method/scoring/scored-model.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { simulate } from '../../../src/method/simulation/simulate.ts';

let folder: string;
let scored: ScoredModel;
let prompt: ReturnType<typeof defaultPromptSettings>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nextquill-authorship-'));
  scored = { model: await loadModel(embeddedModelFolder, join(folder, 'cache')) };
  prompt = { ...defaultPromptSettings(scored.model.config.maxPositions), reference: 'removed' };
});
afterAll(() => rm(folder, { recursive: true }));

// Users that the embedded model has never seen.
const users = simulate({ users: 8, seed: 3_100_000, historyItems: 3 });
const histories = users.map(({ history }) => history);

describe('authorship', () => {
  it('sums over the tokens of each sentence what the scorer says of the whole', async () => {
    const [own, ...others] = histories.slice(0, 3);
    const { query, response } = users[0]!;
    const result = await textAuthorship(scored, response, own!, others, { prompt, query, threads: 1 });
    const pairs = [own!, ...others].map((history) =>
      promptPair(
        { ...users[0]!, history: history.slice(-result.historyItems) },
        scored.model.tokenizer,
        prompt,
      ),
    );
    await using scorer = createScorer(scored, { threads: 1 });
    const { responseIds } = pairs[0]!;
    const sums = (
      await scorer.logProbabilities([
        { promptIds: pairs[0]!.withoutHistoryIds, responseIds },
        ...pairs.map(({ withHistoryIds }) => ({ promptIds: withHistoryIds, responseIds })),
      ])
    ).map((values) => values.slice(0, -1).reduce((sum, value) => sum + value, 0));
    const [without, mine, first, second] = sums as [number, number, number, number];
    const over = (of: (sentence: (typeof result.sentences)[number]) => number) =>
      result.sentences.reduce((sum, sentence) => sum + of(sentence), 0);
    expect(over(({ tokens }) => tokens)).toBe(responseIds.length - 1);
    expect(over(({ total }) => total)).toBeCloseTo(mine - without, 3);
    expect(over(({ userSpecific }) => userSpecific)).toBeCloseTo(mine - (first + second) / 2, 3);
    expect(result.sentences.map(({ start, end }) => response.slice(start, end)).join(' ')).toBe(response);
    expect(result.others).toBe(2);
  });

  it('tells authors from others, and cuts a long text into passages', async () => {
    const text = users[1]!.response;
    const long = Array.from({ length: 12 }, () => text).join(' ');
    const others = histories.slice(3, 6);
    const mine = await textAuthorship(scored, long, histories[1]!, others, { prompt, threads: 1 });
    const notMine = await textAuthorship(scored, long, histories[2]!, [histories[1]!], {
      prompt,
      threads: 1,
    });
    expect(scored.model.tokenizer.encode(long).ids.length).toBeGreaterThan(prompt.maxTokens / 3);
    expect(mine.verdict).toBe('yours');
    expect(notMine.verdict).toBe('somebody else’s');
    expect(mine.userSpecific.low).toBeGreaterThan(0);
  });

  it('refuses a text without sentences, nobody to compare with, and histories that do not fit', async () => {
    const of = (text: string, others: typeof histories, own = histories[0]!) =>
      textAuthorship(scored, text, own, others, { prompt, threads: 1 });
    await expect(of(' ', histories)).rejects.toMatchObject({ code: 'data/authorship' });
    await expect(of('A text.', [])).rejects.toMatchObject({ code: 'data/authorship' });
    await expect(of('A text.', [histories[1]!], [])).rejects.toMatchObject({ code: 'data/authorship' });
  });
});
