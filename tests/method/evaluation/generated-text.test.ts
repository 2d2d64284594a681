/** @file Author identification of generated texts: the texts that users wrote give evaluate's own numbers; empty ones are counted. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../../src/engine/models/model.ts';
import { evaluate } from '../../../src/method/evaluation/evaluate.ts';
import { evaluateGenerated } from '../../../src/method/evaluation/generated-text.ts';
import { defaultPromptSettings } from '../../../src/method/prompts/pair.ts';
import type { ScoredModel } from '../../../src/method/scoring/scored-model.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { writtenUsers } from '../../support/written-users.ts';

const options = { prompt: defaultPromptSettings(1024), threads: 1, bootstrap: { resamples: 100 } };
let folder: string;
let scored: ScoredModel;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nextquill-generated-'));
  await writeModelFolder(folder);
  scored = { model: await loadModel(folder, join(folder, 'cache')) };
});
afterAll(() => rm(folder, { recursive: true }));

describe('generated texts', () => {
  it('are scored in the place of responses, beside the same histories', async () => {
    const same = writtenUsers.map((example) => ({ example, text: example.response }));
    const written = await evaluate('tiny', scored, writtenUsers, options);
    const generated = await evaluateGenerated('tiny', scored, same, options);
    expect(generated).toEqual({ ...written, empty: 0 });
  });

  it('that are empty are counted and left out; none at all is an error', async () => {
    const texts = writtenUsers.map((example, n) => ({ example, text: n === 0 ? ' ' : 'something else' }));
    const { empty, scores } = await evaluateGenerated('tiny', scored, texts, options);
    expect(empty).toBe(1);
    expect(scores.map(({ example }) => example)).toEqual(writtenUsers.slice(1).map(({ id }) => id));
    const none = writtenUsers.map((example) => ({ example, text: '' }));
    await expect(evaluateGenerated('tiny', scored, none, options)).rejects.toMatchObject({
      code: 'data/empty',
    });
  });
});
