/** @file The report of a training run: the numbers before and after, the warning of the cold start, and what it does not hold. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasRunReport, writeRunReport } from '../../src/app/run-report.ts';
import { loadModel, type Model } from '../../src/engine/models/model.ts';
import type { Example } from '../../src/method/data/example.ts';
import { createScorer } from '../../src/method/effects/scorer.ts';
import { defaultPromptSettings, promptPair } from '../../src/method/prompts/pair.ts';
import { readManifest } from '../../src/method/training/manifest.ts';
import { type TrainOptions, train } from '../../src/method/training/train.ts';
import { writeModelFolder } from '../support/model-folder.ts';
import { allEvents } from '../support/train-runs.ts';
import { writtenUsers } from '../support/written-users.ts';

let folder: string;
let model: Model;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nextquill-run-report-'));
  await writeModelFolder(join(folder, 'model'));
  model = await loadModel(join(folder, 'model'), join(folder, 'cache'));
});
afterAll(() => rm(folder, { recursive: true }));

async function reportOf(
  name: string,
  examples: readonly Example[],
  changes: Partial<TrainOptions> = {},
  kind: 'lora' | 'full' = 'lora',
): Promise<string> {
  const run = join(folder, name);
  const options = {
    model,
    modelSource: join(folder, 'model'),
    dataSource: 'written',
    examples,
    objective: 'sft',
    ...(kind === 'lora' && { lora: { rank: 2, loraAlpha: 4, targetModules: ['q_proj', 'v_proj'] } }),
    threads: 1,
    ...changes,
  };
  await allEvents(train({ ...options, out: run }));
  expect(await hasRunReport(run)).toBe(false);
  const path = await writeRunReport(run, { model, examples });
  expect(await hasRunReport(run)).toBe(true);
  return await readFile(path, 'utf8');
}

async function nllWithoutHistory(examples: readonly Example[]): Promise<number> {
  await using scorer = createScorer({ model }, { threads: 1 });
  const values = await scorer.logProbabilities(
    examples.map((example) => {
      const pair = promptPair(example, model.tokenizer, defaultPromptSettings(1024));
      return { promptIds: pair.withoutHistoryIds, responseIds: pair.responseIds };
    }),
  );
  const means = values.map((of) => -of.reduce((a, b) => a + b, 0) / of.length);
  return means.reduce((a, b) => a + b, 0) / means.length;
}

describe('the report of a run', () => {
  it('says what the held-out text cost without history before training and after, on validation rows', async () => {
    const [first, second, ...rest] = writtenUsers.map((example) => ({ ...example, split: 'train' as const }));
    const held = rest.map((example) => ({ ...example, split: 'validation' as const }));
    const tooLong = { ...held[0]!, id: 'long', response: 'mug '.repeat(2000) };
    const html = await reportOf('validation', [first!, second!, ...held, tooLong]);
    const before = (await nllWithoutHistory(held)).toFixed(3);
    expect(html).toContain(`On 2 validation examples, NLL without history, nats a token: ${before} before, `);
    expect(html).not.toContain('trained on: the data have no validation rows');
    expect(html).toContain('The loss went from ');
    expect(html).toContain((await readManifest(join(folder, 'validation'))).data.hash.slice(0, 12));
    expect(html).toContain('This file holds no text of a user.');
    for (const word of ['splendid', 'kettle', 'never again']) expect(html).not.toContain(word);
  });

  it('says that nothing is held out where the data have no validation rows, for full training too', async () => {
    const html = await reportOf('training', writtenUsers, { maxSteps: 1 }, 'full');
    expect(html).toContain('On 4 training examples, NLL with the history');
    expect(html).toContain('nothing here is held out');
  });

  it('warns when an objective has made text without history less likely', async () => {
    const shared = {
      objective: 'nextquill-code',
      objectiveOptions: { effectWeight: 50 },
      learningRate: 0.05,
      epochs: 6,
      warmupRatio: 0,
    };
    expect(await reportOf('cold', writtenUsers, shared)).toContain(
      'Warning: without a history the text became',
    );
    expect(await reportOf('warm', writtenUsers)).not.toContain('Warning');
  });
});
