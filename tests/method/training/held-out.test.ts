/** @file The loss on held-out rows while a run trains: what it is, on which rows, and that the run does not notice. */
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AbortedError, CheckpointError, DataError } from '../../../src/base/errors.ts';
import { loadAdapter } from '../../../src/engine/lora/adapter-folder.ts';
import { loadModel } from '../../../src/engine/models/model.ts';
import { takeAcrossUsers } from '../../../src/method/data/splits.ts';
import { evaluate } from '../../../src/method/evaluation/evaluate.ts';
import { defaultPromptSettings } from '../../../src/method/prompts/pair.ts';
import { readManifest } from '../../../src/method/runs/manifest.ts';
import {
  resume,
  resumePairs,
  type TrainPairsOptions,
  train,
  trainPairs,
} from '../../../src/method/runs/train.ts';
import { simulate } from '../../../src/method/simulation/simulate.ts';
import { takeFitting } from '../../../src/method/training/held-out.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { randomPairs } from '../../support/tiny-model.ts';
import { abortAtClock, allEvents, childRun, outcomeOf } from '../../support/train-runs.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-held-out-'));

/** The steps of an outcome without their evaluations, and those alone by step. */
function splitSteps(steps: readonly unknown[]) {
  const lines = steps as readonly { step: number; validationLoss?: number }[];
  return {
    plain: lines.map(({ validationLoss: _, ...line }) => line),
    losses: lines.flatMap(({ step, validationLoss }) =>
      validationLoss === undefined ? [] : [[step, validationLoss] as const],
    ),
  };
}

describe.each(['lora', 'full'] as const)('a run that measures its held-out loss (%s)', async (method) => {
  const { fresh, again } = await childRun({ method });
  const validation = randomPairs(12, 5);
  const shared = { ...fresh, epochs: 1, checkpointEvery: 100 };
  const measuring = { ...shared, validation, evalEvery: 5, evalExamples: 8 };
  const runOf = async (name: string, options: Omit<TrainPairsOptions, 'out'>) => {
    const run = join(home, `${method}-${name}`);
    const events = await allEvents(trainPairs({ ...options, out: run }));
    return { run, events, outcome: await outcomeOf(run) };
  };
  const plain = await runOf('plain', shared);
  const measured = await runOf('measured', measuring);

  it('gives the same weights and steps, bit for bit', async () => {
    expect(measured.outcome.files).toEqual(plain.outcome.files);
    expect(splitSteps(measured.outcome.steps).plain).toEqual(plain.outcome.steps);
    const memory = async (run: string) => (await readManifest(run)).memory!.evaluation;
    expect(await memory(measured.run)).toBeGreaterThan(0);
    expect(await memory(plain.run)).toBe(0);
  });

  it('measures every so many steps and at the end, and tells it', async () => {
    const { losses } = splitSteps(measured.outcome.steps);
    expect(losses.map(([step]) => step)).toEqual([5, 10, 12]);
    expect(new Set(losses.map(([, loss]) => loss)).size).toBe(3);
    const told = measured.events.filter((event) => event.type === 'evaluation');
    expect(told).toEqual(
      losses.map(([step, validationLoss]) => {
        return { type: 'evaluation', step, validationLoss, examples: 8, users: 8 };
      }),
    );
    const { summary, validation: record } = await readManifest(measured.run);
    expect(summary!.validationLoss).toBe(losses.at(-1)![1]);
    expect(record!.examples).toHaveLength(8);
  });

  it.each([1, 2])(
    'resumes with the same evaluations, stopped after a step or while it measures (%i)',
    async (calls) => {
      const run = join(home, `${method}-stopped-${calls}`);
      const stopped = abortAtClock({ ...measuring, out: run }, { step: 4, calls });
      await expect(stopped).rejects.toThrow(AbortedError);
      expect((await readManifest(run)).step).toBe(3 + calls);
      const events = await allEvents(resumePairs(run, { ...again, validation }));
      expect(events.filter(({ type }) => type === 'evaluation')).toHaveLength(3);
      expect(await outcomeOf(run)).toEqual(measured.outcome);
    },
  );

  it('refuses other held-out pairs on resuming', async () => {
    const run = join(home, `${method}-changed`);
    for await (const event of trainPairs({ ...measuring, out: run })) if (event.type === 'step') break;
    const other = resumePairs(run, { ...again, validation: randomPairs(12, 6) });
    await expect(allEvents(other)).rejects.toThrow(CheckpointError);
  });
});

describe('held-out examples', async () => {
  const folder = join(home, 'model');
  await writeModelFolder(folder);
  const model = await loadModel(folder);
  const all = simulate({ users: 12, seed: 3, historyItems: 2 });
  const users = [...new Set(all.map(({ user }) => user))];
  const examples = all.map((example) => {
    return {
      ...example,
      split: users.indexOf(example.user) < 8 ? ('train' as const) : ('validation' as const),
    };
  });
  const held = examples.filter(({ split }) => split === 'validation');
  const options = {
    ...{
      model,
      modelSource: folder,
      examples,
      dataSource: 'simulated',
      objective: 'sft' as const,
      threads: 1,
    },
    lora: { rank: 2, loraAlpha: 4, targetModules: ['q_proj', 'v_proj'] },
    ...{ batchSize: 2, gradientAccumulation: 1, maxSteps: 3, evalEvery: 2, evalExamples: 6 },
  };

  it('are spread over users, and their loss is that of evaluate', async () => {
    const run = join(home, 'examples');
    for await (const event of train({ ...options, out: run })) if (event.type === 'step') break;
    const opening = { open: { model: () => loadModel(folder), examples: async () => examples } };
    const events = await allEvents(resume(run, opening));
    const rows = takeAcrossUsers(held, 6);
    expect((await readManifest(run)).validation!.examples).toEqual(rows.map(({ id }) => id));
    const measured = events.flatMap((event) => (event.type === 'evaluation' ? event : []));
    expect(measured.map(({ step }) => step)).toEqual([2, 3]);
    const adapter = await loadAdapter(join(run, 'adapter'), model);
    const prompt = defaultPromptSettings(model.config.maxPositions);
    const { system } = await evaluate('trained', { model, adapter }, rows, { prompt, pool: all, threads: 1 });
    expect(measured.at(-1)!.validationLoss).toBeCloseTo(system.nllWithHistory.value, 5);
  });

  it('are required where the loss is asked for', async () => {
    const run = join(home, 'none');
    const refused = async (of: typeof examples | typeof all) => {
      await expect(allEvents(train({ ...options, examples: of, out: run }))).rejects.toMatchObject({
        constructor: DataError,
        code: 'data/no-validation',
      });
      expect(existsSync(run)).toBe(false);
    };
    await refused(all);
    await refused(examples.filter(({ split }) => split === 'train'));
    const tooLong = held.map((example) => ({ ...example, response: 'mug '.repeat(2000) }));
    await refused([...examples.filter(({ split }) => split === 'train'), ...tooLong]);
  });

  it('that do not fit give way to others of their user', () => {
    const [first, ...rest] = takeAcrossUsers(held, 4);
    const tooLong = { ...first!, response: 'mug '.repeat(2000) };
    const rows = held.map((example) => (example === first ? tooLong : example));
    const prompt = defaultPromptSettings(model.config.maxPositions);
    const taken = takeFitting(rows, 4, model.tokenizer, prompt);
    const fitting = held.filter((example) => example !== first);
    expect(taken).toEqual(takeAcrossUsers(fitting, 4));
    expect(taken).toEqual(expect.arrayContaining(rest));
  });
});
