/**
 * @file Makes tests/golden/run-specs: three RunSpec folders that are right, for the tiny model, and ten run.json that are wrong,
 * each with the key to blame. The tests of this package and of nextquill_torch read the same.
 *
 * Run: npx tsx tests/golden/make/run-specs.ts
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writeScoreSpec } from '../../../src/app/launch/score-spec.ts';
import { defaultCompute } from '../../../src/app/launch/spec.ts';
import { writeTrainSpec } from '../../../src/app/launch/train-spec.ts';
import type { RunInfo } from '../../../src/method/runs/run-info.ts';
import { resolveSettings } from '../../../src/method/training/settings.ts';
import { randomPairs, tinyModel } from '../../support/tiny-model.ts';

const home = resolve(import.meta.dirname, '../run-specs');
const opened = await tinyModel();
// As seen from the root of the repository.
const model = { ...opened, folder: 'tests/golden/tiny-llama' };
const compute = { ...defaultCompute, device: 'cpu' as const };
const loop = { batchSize: 2, gradientAccumulation: 2, epochs: 2, threads: 1, seed: 7, learningRate: 1e-3 };
const info = { formatVersion: 1, modelHash: model.hash, tokenizerHash: 'ids-only' } as unknown as RunInfo;
const shared = {
  model,
  modelSource: 'tiny-llama',
  pairs: randomPairs(10),
  compute,
  info,
  version: '0.0.0',
};

await rm(home, { recursive: true, force: true });
for (const name of ['train-lora', 'train-full', 'score']) await mkdir(join(home, name), { recursive: true });
await writeTrainSpec(join(home, 'train-lora'), {
  ...shared,
  settings: resolveSettings(
    {
      ...loop,
      objective: 'nextquill-code',
      maxGradientNorm: 0.5,
      lora: { rank: 4, loraAlpha: 8, targetModules: ['q_proj', 'v_proj'], dropout: 0.1 },
    },
    model,
  ),
});
await writeTrainSpec(join(home, 'train-full'), {
  ...shared,
  settings: resolveSettings({ ...loop, objective: 'nextquill', evalEvery: 2 }, model),
  heldOut: { pairs: randomPairs(3, 1), users: ['a', 'b', 'a'] },
});
await writeScoreSpec(join(home, 'score'), {
  ...shared,
  pairs: shared.pairs.slice(0, 4),
});

const right = JSON.parse(await readFile(join(home, 'train-lora/spec/run.json'), 'utf8')) as Json;
type Json = { [key: string]: Json } & { [key: number]: never };

/** The right one with one thing changed. */
function changed(change: (spec: Record<string, Json>) => void): Json {
  const copy = structuredClone(right);
  change(copy);
  return copy;
}
const text = (value: unknown) => value as Json;

const wrong: { file: string; key: string; spec: Json }[] = [
  { file: 'newer-format', key: 'formatVersion', spec: changed((s) => (s.formatVersion = text(2))) },
  { file: 'unknown-task', key: 'task', spec: changed((s) => (s.task = text('dance'))) },
  { file: 'unknown-key', key: 'optimizer', spec: changed((s) => (s.optimizer = text('sgd'))) },
  { file: 'no-steps', key: 'totalSteps', spec: changed((s) => (s.totalSteps = text(0))) },
  { file: 'no-model-path', key: 'model.path', spec: changed((s) => delete s.model!.path) },
  {
    file: 'unknown-rule',
    key: 'objective.weights',
    spec: changed((s) => (s.objective!.weights = text('harmonic'))),
  },
  {
    file: 'missing-option',
    key: 'recipe.objectiveOptions.effectThreshold',
    spec: changed((s) => delete s.recipe!.objectiveOptions!.effectThreshold),
  },
  { file: 'unknown-device', key: 'compute.device', spec: changed((s) => (s.compute!.device = text('tpu'))) },
  {
    file: 'short-hash',
    key: 'files.pairs.safetensors.sha256',
    spec: changed((s) => (s.files!['pairs.safetensors']!.sha256 = text('abc'))),
  },
  {
    file: 'path-in-files',
    key: 'files.../elsewhere.safetensors',
    spec: changed((s) => (s.files!['../elsewhere.safetensors'] = s.files!['plan.safetensors']!)),
  },
];
await mkdir(join(home, 'wrong'));
for (const { file, spec } of wrong)
  await writeFile(join(home, 'wrong', `${file}.json`), `${JSON.stringify(spec, null, 2)}\n`);
const about = {
  madeBy: 'nextquill, src/app/launch',
  version: 1,
  script: 'tests/golden/make/run-specs.ts',
  date: '2026-11-28',
  right: ['train-lora', 'train-full', 'score'],
  wrong: wrong.map(({ file, key }) => ({ file: `wrong/${file}.json`, key })),
};
await writeFile(join(home, 'about.json'), `${JSON.stringify(about, null, 2)}\n`);
