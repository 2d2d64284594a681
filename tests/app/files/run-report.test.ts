/** @file The report of a training run: the numbers before and after, the warning of the cold start, and what it does not hold. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasRunReport, writeRunReport } from '../../../src/app/files/run-report.ts';
import { loadModel, type Model } from '../../../src/engine/models/model.ts';
import type { Example } from '../../../src/method/data/example.ts';
import type { Notice } from '../../../src/method/data/notice.ts';
import { remediesFor } from '../../../src/method/evaluation/cold-start.ts';
import type { ObjectiveOptions } from '../../../src/method/objectives/objective-options.ts';
import type { ObjectiveName } from '../../../src/method/objectives/objectives.ts';
import { planObjective, recordOf } from '../../../src/method/objectives/plan.ts';
import { defaultPromptSettings, promptPair } from '../../../src/method/prompts/pair.ts';
import { readManifest } from '../../../src/method/runs/manifest.ts';
import { type TrainOptions, train } from '../../../src/method/runs/train.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { allEvents } from '../../support/train-runs.ts';
import { newUser, writtenUsers } from '../../support/written-users.ts';

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
  onNotice: (notice: Notice) => void = () => {},
): Promise<string> {
  const run = join(folder, name);
  const options = {
    model,
    modelSource: join(folder, 'model'),
    dataSource: 'written',
    examples,
    objective: 'sft' as const,
    ...(kind === 'lora' && { lora: { rank: 2, loraAlpha: 4, targetModules: ['q_proj', 'v_proj'] } }),
    threads: 1,
    ...changes,
  };
  await allEvents(train({ ...options, out: run }));
  expect(await hasRunReport(run)).toBe(false);
  const path = await writeRunReport(run, { model, examples, onNotice });
  expect(await hasRunReport(run)).toBe(true);
  return await readFile(path, 'utf8');
}

/** Before, after and change of a row of the table. */
const rowOf = (html: string, label: string) =>
  [
    ...(new RegExp(`<th scope="row">${label}</th>(.*?)</tr>`, 's').exec(html)?.[1] ?? '').matchAll(
      /<td>([^< ]*)/g,
    ),
  ].map((match) => match[1]);

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
    const html = await reportOf('validation', [first!, second!, ...held, tooLong], {
      evalEvery: 1,
      keepBest: true,
    });
    const { best } = (await readManifest(join(folder, 'validation'))).summary!;
    expect(html).toContain(`The run kept step ${best!.step}`);
    expect(html).toMatch(/aria-label="Loss; sft from .*held-out from /);
    expect(html).toContain('of 2 validation examples given the history');
    const before = (await nllWithoutHistory(held)).toFixed(3);
    expect(rowOf(html, 'NLL without history')[0]).toBe(before);
    expect(html).toContain('2 validation examples of 2 users');
    expect(html).not.toContain('Nothing here is held out');
    // A bug: absolute paths and raw JSON in a report that travels.
    expect(html).not.toContain(folder);
    expect(html.slice(html.indexOf('How this was made'), html.indexOf('</main>'))).not.toMatch(/[{}]/);
    expect(html).toContain((await readManifest(join(folder, 'validation'))).data.hash.slice(0, 12));
    expect(html).toContain('This file holds no text of a user.');
    for (const word of ['splendid', 'kettle', 'never again']) expect(html).not.toContain(word);
  });

  it('shows C beside A, and says so where too few users have a history', async () => {
    const html = await reportOf('named', writtenUsers, { maxSteps: 1 });
    for (const effect of ['A own history', 'C own − other']) expect(rowOf(html, effect)).toHaveLength(3);
    expect(html).toContain('C compares with 3 other histories');
    const alone = await reportOf('alone', writtenUsers.slice(0, 1), { maxSteps: 1 });
    expect(alone).toContain('is not known: too few users have a history');
  });

  // A user without a history counted as one whom the history gives nothing.
  it('tells A and C of the examples whose history shows, and the NLL of all', async () => {
    const named = await reportOf('shown', writtenUsers, { maxSteps: 1 });
    const html = await reportOf('new', [...writtenUsers, newUser], { maxSteps: 1 });
    for (const effect of ['A own history', 'C own − other'])
      expect(rowOf(html, effect)[0]).toBe(rowOf(named, effect)[0]);
    expect(html).toContain('5 training examples of 5 users; A and C: the 4 whose history is shown');
    const none = await reportOf('none', [newUser], { maxSteps: 1 });
    expect(rowOf(none, 'A own history')).toEqual([]);
    expect(none).toContain('is not known: no example shows one');
  });

  it('names what is not switched on yet, when text without history gets worse', () => {
    const of = (objective: ObjectiveName, options: ObjectiveOptions) =>
      remediesFor(recordOf(planObjective(objective, options)));
    const anchor = { code: 'anchor', above: 0 };
    expect(of('nextquill-code', {})).toEqual([{ code: 'stop-gradient' }, anchor]);
    expect(of('nextquill-code', { stopGradient: true })).toEqual([anchor]);
    expect(of('sft', {})).toEqual([anchor]);
    expect(of('sft', { calibrationWeight: 0.3 })).toEqual([{ code: 'stop-gradient' }, anchor]);
    expect(of('nextquill-model-side', { differenceFrom: 'otherHistory' })).toEqual([anchor]);
    expect(of('nextquill-paper', { stopGradient: true, anchorWeight: 0.2 })).toEqual([
      { code: 'anchor', above: 0.2 },
    ]);
  });

  it('says that nothing is held out where the data have no validation rows, for full training too', async () => {
    const html = await reportOf('training', writtenUsers, { maxSteps: 1 }, 'full');
    expect(html).toContain('4 training examples of 4 users');
    expect(html).toContain('Nothing here is held out');
  });

  it('warns when an objective has made text without history less likely', async () => {
    const shared = {
      objective: 'nextquill-code',
      objectiveOptions: { effectWeight: 50 },
      learningRate: 0.05,
      epochs: 6,
      warmupRatio: 0,
    } as const;
    const notices: Notice[] = [];
    const html = await reportOf('cold', writtenUsers, shared, 'lora', (notice) => notices.push(notice));
    expect(html.slice(0, html.indexOf('<details'))).toContain('Users without a history pay');
    expect(html).toContain('stopGradient=true');
    expect(notices).toMatchObject([
      {
        code: 'evaluation/cold-start',
        users: 4,
        remedies: [{ code: 'stop-gradient' }, { code: 'anchor', above: 0 }],
      },
    ]);
    expect(await reportOf('warm', writtenUsers)).not.toContain('stopGradient=true');
  });
});
