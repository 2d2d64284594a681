/** @file Training by a preference between histories, and by their contrast: where it begins, what it moves, what it refuses, and that it resumes. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadModel } from '../../../src/engine/models/model.ts';
import { resume, type TrainOptions, train, trainPairs } from '../../../src/method/runs/train.ts';
import { simulate } from '../../../src/method/simulation/simulate.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { randomPairs, tinyModel } from '../../support/tiny-model.ts';
import { allEvents, outcomeOf, randomRun } from '../../support/train-runs.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-preference-'));
const folder = join(home, 'model');
await writeModelFolder(folder);
const model = await loadModel(folder, join(home, 'cache'));
const examples = simulate({ users: 5, seed: 3, historyItems: 2 });
// Nobody to be compared with: a user without a history.
examples[4] = { ...examples[4]!, history: [] };
const shared: Omit<TrainOptions, 'out'> = {
  model,
  modelSource: folder,
  dataSource: 'simulated',
  examples,
  objective: 'mipo',
  lora: { rank: 4, loraAlpha: 8, targetModules: ['q_proj', 'v_proj', 'down_proj'] },
  learningRate: 1e-2,
  schedule: 'constant',
  warmupRatio: 0,
  batchSize: 3,
  gradientAccumulation: 2,
  epochs: 6,
  checkpointEvery: 2,
  threads: 1,
};
let runs = 0;
const freshPlace = () => join(home, `run-${runs++}`);
const preferencesOf = async (changes: Partial<TrainOptions>, out = freshPlace()) => {
  const events = await allEvents(train({ ...shared, ...changes, out }));
  return events.flatMap((event) => (event.type === 'step' ? event.parts.preference! : []));
};
/** Stops after the third of its steps, and resumes. */
const stopAndResume = async (options: Omit<TrainOptions, 'out'>, out: string) => {
  for await (const event of train({ ...options, out })) if (event.type === 'step' && event.step === 3) break;
  await allEvents(resume(out, { open: { model: async () => model, examples: async () => examples } }));
};

describe('a contrast of histories', () => {
  const contrasted = {
    objective: 'sft',
    objectiveOptions: { contrastWeight: 0.5, contrastHistories: 2, contrastTemperature: 0.05 },
  } as const;

  it('falls as the text comes to be told by its author’s history, and is the same bit for bit after a stop', async () => {
    const [whole, stopped] = [freshPlace(), freshPlace()];
    const run = { ...shared, ...contrasted };
    const steps = await allEvents(train({ ...run, out: whole }));
    const losses = steps.flatMap((event) => (event.type === 'step' ? event.parts.contrast! : []));
    expect(losses).toHaveLength(6);
    expect(losses.at(-1)).toBeLessThan(losses[0]! - 0.05);
    await stopAndResume(run, stopped);
    expect(await outcomeOf(stopped)).toEqual(await outcomeOf(whole));
  });

  it('is refused where pairs hold fewer histories than it asks for, and where there are too few users', async () => {
    const tiny = await tinyModel();
    const pairs = randomPairs(4).map((pair) => ({ ...pair, otherHistoryIds: [5, 6, 7] }));
    const run = { ...randomRun, model: tiny, ...contrasted };
    await expect(allEvents(trainPairs({ ...run, pairs, out: freshPlace() }))).rejects.toMatchObject({
      code: 'objective/no-others',
    });
    const enough = pairs.map((pair) => ({ ...pair, furtherHistoryIds: [[8, 9]] }));
    const events = await allEvents(trainPairs({ ...run, pairs: enough, out: freshPlace() }));
    expect(events.at(-1)).toMatchObject({ type: 'done' });
    const two = train({ ...shared, ...contrasted, examples: examples.slice(0, 2), out: freshPlace() });
    await expect(allEvents(two)).rejects.toMatchObject({ code: 'data/too-few-others' });
  });
});

describe('a preference for the own history', () => {
  it('begins at ln 2 by the starting model’s margins, falls, and is the same bit for bit after a stop', async () => {
    const [whole, stopped] = [freshPlace(), freshPlace()];
    const preferences = await preferencesOf({}, whole);
    // Four of five texts are compared; the fifth is fitted plainly and has no part in it.
    expect(preferences[0]).toBeCloseTo(0.8 * Math.LN2, 4);
    expect(preferences.at(-1)).toBeLessThan(preferences[0]! - 0.02);
    await stopAndResume(shared, stopped);
    expect(await outcomeOf(stopped)).toEqual(await outcomeOf(whole));
  });

  it('begins elsewhere without a reference model, where the model already prefers one history', async () => {
    const [first] = await preferencesOf({ objectiveOptions: { startMargin: false }, epochs: 1 });
    expect(Math.abs(first! - 0.8 * Math.LN2)).toBeGreaterThan(1e-4);
  });

  it('is refused where only token ids are given, and no prompt with another user’s history among them', async () => {
    const tiny = await tinyModel();
    const pairs = randomPairs(4);
    const run = { ...randomRun, model: tiny, objective: 'mipo' } as const;
    await expect(allEvents(trainPairs({ ...run, pairs, out: freshPlace() }))).rejects.toMatchObject({
      code: 'objective/no-others',
    });
    const compared = pairs.map((pair) => ({ ...pair, otherHistoryIds: [5, 6, 7] }));
    const events = await allEvents(trainPairs({ ...run, pairs: compared, out: freshPlace() }));
    expect(events.at(-1)).toMatchObject({ type: 'done' });
  });

  it('is refused where all users are one', async () => {
    const alone = examples.slice(0, 2).map((example) => ({ ...example, user: 'one' }));
    await expect(preferencesOf({ examples: alone })).rejects.toMatchObject({ code: 'data/too-few-others' });
  });
});
