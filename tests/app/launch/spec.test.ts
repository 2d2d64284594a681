/** @file The RunSpec: what is written is read back, schema and examples agree, and a changed byte is refused. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeScoreSpec } from '../../../src/app/launch/score-spec.ts';
import { defaultCompute, runSpecJsonSchema } from '../../../src/app/launch/spec.ts';
import { parseSpec, readSpec } from '../../../src/app/launch/spec-folder.ts';
import { objectiveSpec, writeTrainSpec } from '../../../src/app/launch/train-spec.ts';
import { CheckpointError } from '../../../src/base/errors.ts';
import { openSafetensors, readPlain, readTensor } from '../../../src/engine/weights/safetensors.ts';
import { objectiveNames } from '../../../src/method/objectives/objectives.ts';
import { planObjective } from '../../../src/method/objectives/plan.ts';
import type { RunInfo } from '../../../src/method/runs/run-info.ts';
import { resolveSettings } from '../../../src/method/training/settings.ts';
import { plannedSteps } from '../../../src/method/training/trainer.ts';
import { createTrainingGraph } from '../../../src/method/training/training-graph.ts';
import { randomPairs, tinyModel } from '../../support/tiny-model.ts';

const root = resolve(import.meta.dirname, '../../..');
const golden = join(root, 'tests/golden/run-specs');
const home = await mkdtemp(join(tmpdir(), 'nextquill-spec-'));
const about = JSON.parse(await readFile(join(golden, 'about.json'), 'utf8')) as {
  right: string[];
  wrong: { file: string; key: string }[];
};
const lora = { rank: 4, loraAlpha: 8, targetModules: ['q_proj', 'v_proj'] };
const info = { formatVersion: 1, objective: 'sft' } as RunInfo;
const loop = { batchSize: 2, gradientAccumulation: 2, epochs: 2, threads: 1, seed: 7 };

/** The error that reading gives. */
async function errorOf(work: () => unknown): Promise<CheckpointError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof CheckpointError) return error;
    throw error;
  }
  throw new Error('expected an error, got none');
}

describe('the schema', () => {
  it('is current for workers: npx tsx scripts/recipe-schema.ts writes it', async () => {
    const written = await readFile(join(root, 'python/nextquill_torch/run-spec.schema.json'), 'utf8');
    expect(JSON.parse(written)).toEqual(runSpecJsonSchema());
  });

  it('takes the examples that are right, every file as run.json says', async () => {
    expect(about.right).toHaveLength(3);
    for (const name of about.right)
      expect(Object.keys((await readSpec(join(golden, name))).files).sort()).toEqual(
        (await readdir(join(golden, name, 'spec'))).filter((file) => file !== 'run.json').sort(),
      );
  });

  it('refuses the examples that are wrong, by their key', async () => {
    expect(about.wrong).toHaveLength(10);
    for (const { file, key } of about.wrong) {
      const text = await readFile(join(golden, file), 'utf8');
      const error = await errorOf(() => parseSpec(file, text));
      expect([error.code, error.message]).toEqual([
        'spec/invalid',
        expect.stringContaining(`${file}: ${key}:`),
      ]);
    }
  });
});

describe('the folder', () => {
  const copyOf = async (name: string) => {
    const folder = await mkdtemp(join(home, 'copy-'));
    await cp(join(golden, name), folder, { recursive: true });
    return folder;
  };

  it('is refused when a byte of a file has changed, or a file is gone', async () => {
    const folder = await copyOf('train-lora');
    const file = join(folder, 'spec/plan.safetensors');
    const bytes = await readFile(file);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(file, bytes);
    expect(await errorOf(() => readSpec(folder))).toMatchObject({
      code: 'spec/changed',
      message: expect.stringContaining(file),
    });
    await rm(file);
    expect(await errorOf(() => readSpec(folder))).toMatchObject({ code: 'spec/changed' });
  });

  it('is refused when there is none, or it is no JSON', async () => {
    expect(await errorOf(() => readSpec(home))).toMatchObject({ code: 'spec/missing' });
    expect(await errorOf(() => parseSpec('run.json', '{'))).toMatchObject({ code: 'spec/invalid' });
  });
});

describe('a training', async () => {
  const model = await tinyModel();
  const pairs = randomPairs(10);
  const shared = { model, modelSource: 'tiny', pairs, compute: defaultCompute, version: '1', info };

  it('has the ids, the order, the rates and the first values that the engine here would have', async () => {
    const run = await mkdtemp(join(home, 'run-'));
    const settings = resolveSettings({ ...loop, objective: 'nextquill-code', lora }, model);
    const spec = await writeTrainSpec(run, { ...shared, settings });
    expect(await readSpec(run)).toEqual(JSON.parse(JSON.stringify(spec)));
    const open = (name: string) => openSafetensors(join(run, 'spec', `${name}.safetensors`));

    const file = await open('pairs');
    for (const [name, key] of [
      ['withHistory', 'withHistoryIds'],
      ['withoutHistory', 'withoutHistoryIds'],
      ['response', 'responseIds'],
    ] as const) {
      const values = await readPlain(file, `${name}.values`, 'I32');
      const offsets = await readPlain(file, `${name}.offsets`, 'I64');
      const lists = pairs.map((_, i) => [...values.slice(Number(offsets[i]), Number(offsets[i + 1]))]);
      expect(lists).toEqual(pairs.map((pair) => pair[key]));
    }
    expect([...(await readPlain(file, 'hasHistory', 'U8'))]).toEqual(
      pairs.map(({ hasHistory }) => Number(hasHistory)),
    );
    expect(file.tensors.has('fitted')).toBe(false);

    const plan = await open('plan');
    const steps = [...plannedSteps(pairs, settings)];
    expect(steps).toHaveLength(spec.totalSteps);
    expect([...(await readPlain(plan, 'learningRate', 'F64'))]).toEqual(steps.map((s) => s.learningRate));
    const [step, example] = [await readPlain(plan, 'step', 'I32'), await readPlain(plan, 'example', 'I32')];
    for (const planned of steps)
      expect([...example].filter((_, row) => step[row] === planned.step)).toEqual(
        planned.microbatches.flat(),
      );

    await using graph = await createTrainingGraph({ model, objective: settings.objective, lora, seed: 7 });
    expect(spec.result).toMatchObject({
      folder: 'adapter',
      files: { 'adapter_config.json': { r: 4 }, 'nextquill.json': info },
    });
    const initial = await open('initial');
    expect([...initial.tensors.keys()].sort()).toEqual(
      graph.parameters.tensors.map(({ name }) => name).sort(),
    );
    for (const { name, offset, size } of graph.parameters.tensors)
      expect(await readTensor(initial, name)).toEqual(
        graph.parameters.weights.subarray(offset, offset + size),
      );
  });

  it('has masks, held-out rows by user, and estimates where there are some', async () => {
    const run = await mkdtemp(join(home, 'run-'));
    const settings = resolveSettings(
      { ...loop, objective: 'perce', estimator: 'fixed', evalEvery: 1 },
      model,
    );
    const masked = pairs.map((pair, i) =>
      i === 0 ? { ...pair, fitted: pair.responseIds.map((_, t) => t > 0) } : pair,
    );
    const estimates = pairs.map(({ responseIds }, i) => ({
      logProbWithHistory: new Float32Array(responseIds.length).fill(-i),
    }));
    await writeTrainSpec(run, {
      ...shared,
      settings,
      pairs: masked,
      fixed: { estimates, hash: '', modelHash: '' },
      heldOut: { pairs: pairs.slice(0, 3), users: ['b', 'a', 'b'] },
    });
    const open = (name: string) => openSafetensors(join(run, 'spec', `${name}.safetensors`));
    const fitted = await readPlain(await open('pairs'), 'fitted', 'U8');
    expect([...fitted].filter((value) => value === 0)).toHaveLength(1);
    expect([...(await readPlain(await open('validation'), 'user', 'I32'))]).toEqual([0, 1, 0]);
    const values = await readTensor(await open('estimates'), 'logProbWithHistory');
    expect(values.at(-1)).toBe(-9);
    expect(values).toHaveLength(fitted.length);
    expect((await readdir(join(run, 'spec'))).includes('initial.safetensors')).toBe(false);
  });
});

describe('an objective as rules', () => {
  it('has no gradient without history where the table has none', () => {
    const withGradient = objectiveNames.filter(
      (name) => objectiveSpec(planObjective(name)).gradientWithoutHistory,
    );
    expect(withGradient).toEqual([
      'sft-no-history',
      'nextquill-code',
      'nextquill-paper',
      'nextquill-model-side',
      'perce-cft',
      'nextquill',
      'cft',
    ]);
    const gradientOf = (options: object) =>
      objectiveSpec(planObjective('nextquill-js', options)).gradientWithoutHistory;
    expect(gradientOf({ weightGradient: true })).toBe(true);
    expect(gradientOf({ anchorWeight: 0.1 })).toBe(true);
    expect(
      objectiveSpec(planObjective('nextquill-code', { stopGradient: true })).gradientWithoutHistory,
    ).toBe(false);
  });

  it('asks for what its weights are made of', () => {
    const needs = (...given: Parameters<typeof planObjective>) =>
      objectiveSpec(planObjective(...given)).needs;
    expect(needs('sft')).toEqual([]);
    expect(needs('nextquill-js')).toEqual(['divergence']);
    expect(needs('perce', { weightsFrom: 'userSpecific', anchorWeight: 1 })).toEqual([
      'logProbWithHistory',
      'logProbWithoutHistory',
      'generic',
      'anchor',
    ]);
  });
});

it('a scoring names its adapter, and has shifted labels where there are some', async () => {
  const model = await tinyModel();
  const folder = await mkdtemp(join(home, 'score-'));
  const prompts = [
    { promptIds: [3, 4], responseIds: [5, 6] },
    { promptIds: [3], responseIds: [7], targetIds: [8] },
  ];
  const spec = await writeScoreSpec(folder, {
    model,
    modelSource: 'tiny',
    adapter: '/some/adapter',
    prompts,
    compute: defaultCompute,
    version: '1',
  });
  expect(await readSpec(folder)).toEqual(spec);
  expect(spec.adapter).toBe('/some/adapter');
  const file = await openSafetensors(join(folder, 'spec/prompts.safetensors'));
  expect([...(await readPlain(file, 'target', 'I32'))]).toEqual([5, 6, 8]);
});
