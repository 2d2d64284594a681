/** @file Author identification of written texts: users' own texts give evaluate's number, empty ones count as chance. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../../src/engine/models/model.ts';
import { evaluate } from '../../../src/method/evaluation/evaluate.ts';
import { writtenAuthors } from '../../../src/method/generation/written-authors.ts';
import { defaultPromptSettings } from '../../../src/method/prompts/pair.ts';
import type { ScoredModel } from '../../../src/method/scoring/scored-model.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { writtenUsers } from '../../support/written-users.ts';

const prompt = defaultPromptSettings(1024);
const options = { prompt, pool: writtenUsers, others: 2, threads: 1 };
let folder: string;
let judge: ScoredModel;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nextquill-written-authors-'));
  await writeModelFolder(folder);
  judge = { model: await loadModel(folder, join(folder, 'cache')) };
});
afterAll(() => rm(folder, { recursive: true }));

describe('authors of written texts', () => {
  it('are identified as evaluate identifies those of users’ own texts, whatever the system’s retrieval', async () => {
    const { system } = await evaluate('own', judge, writtenUsers, options);
    const own = writtenUsers.map((example) => ({ example, text: example.response }));
    const authors = await writtenAuthors(judge, own, {
      ...options,
      prompt: { ...prompt, retrieval: 'random' },
    });
    expect(authors).toEqual({
      // Four users give no interval.
      identified: {
        value: system.authorIdentification!.value,
        low: system.authorIdentification!.value,
        high: system.authorIdentification!.value,
      },
      candidates: 3,
      texts: 4,
      leftOut: 0,
    });
  });

  it('count an empty text as chance', async () => {
    const texts = writtenUsers.map((example, n) => ({ example, text: n < 3 ? '' : example.response }));
    const authors = await writtenAuthors(judge, texts, options);
    expect(authors!.texts).toBe(4);
    // Three of four at one third, the fourth right, wrong or shared.
    expect([1 / 4, 1 / 2]).toContainEqual(authors!.identified.value);
  });

  it('says nothing where nobody can be compared', async () => {
    const texts = writtenUsers.slice(0, 1).map((example) => ({ example, text: 'mine' }));
    expect(
      await writtenAuthors(judge, texts, { ...options, pool: writtenUsers.slice(0, 1) }),
    ).toBeUndefined();
    expect(await writtenAuthors(judge, [{ ...texts[0]!, text: '' }], options)).toBeUndefined();
  });
});
