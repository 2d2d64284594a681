/** @file Summaries of histories: once for each history, from the history alone, and shown in the place of its items. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../../src/engine/models/model.ts';
import { summarise, withSummaries } from '../../../src/method/generation/summaries.ts';
import { defaultPromptSettings, promptPair } from '../../../src/method/prompts/pair.ts';
import type { ScoredModel } from '../../../src/method/scoring/scored-model.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { newUser, writtenUsers } from '../../support/written-users.ts';

const prompt = { ...defaultPromptSettings(1024), maxHistory: 1 };
const options = { prompt, maxNewTokens: 6, threads: 1 };
let folder: string;
let scored: ScoredModel;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nextquill-summaries-'));
  await writeModelFolder(folder);
  scored = { model: await loadModel(folder, join(folder, 'cache')) };
});
afterAll(() => rm(folder, { recursive: true }));

describe('summaries', () => {
  it('are written once for equal histories, and know nothing of query and response', async () => {
    const [first, second] = writtenUsers as [(typeof writtenUsers)[0], (typeof writtenUsers)[0]];
    const again = { ...first, id: 'again', query: 'Something else', response: 'entirely' };
    let histories = 0;
    const summaries = await summarise(scored, [first, second, again, newUser], {
      ...options,
      onProgress: ({ total }) => {
        histories = total!;
      },
    });
    expect(histories).toBe(2);
    expect(summaries[2]).toEqual(summaries[0]);
    expect(summaries[1]!.text).not.toBe(summaries[0]!.text);
    expect(summaries[3]).toEqual({ text: '', tokensRead: 0, tokensWritten: 0 });
    expect(summaries[0]!.tokensWritten).toBeLessThanOrEqual(6);
    // Both items are read, however few a prompt shows.
    const { tokenizer } = scored.model;
    const items = first.history.reduce((sum, { text }) => sum + tokenizer.encode(text).ids.length, 0);
    expect(summaries[0]!.tokensRead).toBeGreaterThan(items);
  });

  it('stand in a prompt in the place of the items; without them it is refused', () => {
    const { tokenizer } = scored.model;
    const settings = { ...prompt, template: 'summary' };
    const [example] = withSummaries(writtenUsers.slice(0, 1), [{ text: 'Short and cheerful.' }]);
    const pair = promptPair(example!, tokenizer, settings);
    const shown = tokenizer.decode(pair.withHistoryIds);
    expect(shown).toContain('Short and cheerful.');
    for (const { text } of example!.history) expect(shown).not.toContain(text);
    expect(pair.withoutHistoryIds).toEqual(promptPair(example!, tokenizer, prompt).withoutHistoryIds);
    expect(() => promptPair(writtenUsers[0]!, tokenizer, settings)).toThrow(
      expect.objectContaining({ code: 'prompt/no-summary' }),
    );
  });
});
