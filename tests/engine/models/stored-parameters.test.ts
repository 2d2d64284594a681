/** @file Tensors of a model's files that are not its parameters: another head is used, biases are refused, the rest is named. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportModel } from '../../../src/app/files/export-model.ts';
import { loadModel } from '../../../src/engine/models/model.ts';
import {
  openSafetensors,
  readTensor,
  type TensorToWrite,
  writeSafetensors,
} from '../../../src/engine/weights/safetensors.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { logitsOf } from '../../support/logits.ts';
import { writeModelFolder } from '../../support/model-folder.ts';

const ids = [5, 17, 32, 3, 40];
let home: string;
let folders = 0;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'nextquill-stored-'));
  await writeModelFolder(join(home, 'tied'));
});
afterAll(() => rm(home, { recursive: true }));

/** The tied model with tensors added, and config.json changed. */
async function folderWith(added: readonly Partial<TensorToWrite>[], config: object = {}) {
  const folder = join(home, `${folders++}`);
  await cp(join(home, 'tied'), folder, { recursive: true });
  const path = join(folder, 'model.safetensors');
  const file = await openSafetensors(path);
  const tensors: TensorToWrite[] = [];
  for (const { name, shape } of file.tensors.values())
    tensors.push({ name, shape, dtype: 'F32', data: await readTensor(file, name) });
  const more = added.map((tensor) => {
    const { shape = [4] } = tensor;
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5);
    return { name: '', dtype: 'F32' as const, shape, data, ...tensor };
  });
  await writeSafetensors(path, [...tensors, ...more], { format: 'pt' });
  const json = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as object;
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...json, ...config }));
  return folder;
}

async function load(folder: string) {
  const warnings: string[] = [];
  const model = await loadModel(folder, home, { onWarning: (message) => warnings.push(message) });
  return { model, warnings };
}

async function headOf(change: (value: number, i: number) => number) {
  const file = await openSafetensors(join(home, 'tied', 'model.safetensors'));
  const table = await readTensor(file, 'model.embed_tokens.weight');
  const { shape } = file.tensors.get('model.embed_tokens.weight')!;
  return { name: 'lm_head.weight', shape, data: table.map(change) };
}

describe('a tied model whose file holds a head', () => {
  // Was scored with the embedding table, without a word, and exported without the head.
  it('is used with that head where it is another one, and exported with it', async () => {
    const head = await headOf((value, i) => value + Math.sin(i));
    const { model, warnings } = await load(await folderWith([head]));
    const { model: untied } = await load(await folderWith([head], { tie_word_embeddings: false }));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('lm_head.weight');
    const logits = await logitsOf(model, ids);
    expect(logits.data).toEqual((await logitsOf(untied, ids)).data);
    const { model: tied } = await load(join(home, 'tied'));
    expect(logits.data).not.toEqual((await logitsOf(tied, ids)).data);

    const out = join(home, `out-${folders++}`);
    await exportModel(model.folder, { out, format: 'merged' });
    const again = await load(out);
    expect(again.warnings).toEqual([]);
    expect((await logitsOf(again.model, ids)).data).toEqual(logits.data);
  });

  it('passes in silence where the head is the embedding table, in whatever dtype', async () => {
    const { warnings, model } = await load(await folderWith([await headOf((value) => value)]));
    expect(warnings).toEqual([]);
    expect(model.config.tiedHead).toBe(true);
  });
});

// Was scored without the biases, without a word, and exported without them.
it.each([
  'model.layers.1.self_attn.q_proj.bias',
  'model.norm.bias',
  'model.layers.0.extra.weight',
  'lm_head.bias',
])('%s is refused: without it the model is another one', async (name) => {
  const config = name.startsWith('lm_head') ? { tie_word_embeddings: false } : {};
  const head = name.startsWith('lm_head') ? [await headOf((value) => value)] : [];
  await expect(load(await folderWith([...head, { name }], config))).rejects.toMatchObject({
    code: 'weights/unused-tensor',
    message: expect.stringContaining(name),
  });
});

it.each(['model.layers.2.mlp.up_proj.weight', 'vision_tower.patch.weight', 'score.weight'])(
  '%s is beside the model: named in a warning',
  async (name) => {
    const { warnings } = await load(await folderWith([{ name }]));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(name);
  },
);

it('buffers that follow from the config pass in silence', async () => {
  const names = ['model.layers.0.self_attn.rotary_emb.inv_freq', 'model.rotary_emb.inv_freq'];
  const { warnings } = await load(await folderWith(names.map((name) => ({ name }))));
  expect(warnings).toEqual([]);
});

// A NaN was exported without a word, and scoring named the folder alone.
it('a tensor with NaN is named by export', async () => {
  const folder = await folderWith([await headOf((value, i) => (i === 70 ? Number.NaN : value))], {
    tie_word_embeddings: false,
  });
  for (const dtype of ['f32', 'f16', 'bf16'] as const)
    await expect(
      exportModel(folder, { out: join(home, `nan-${dtype}`), format: 'merged', dtype }),
    ).rejects.toMatchObject({
      code: 'weights/not-finite',
      message: expect.stringContaining('lm_head.weight'),
    });
});

// Was told of the folder alone.
it('a tensor of the model with NaN is named when its scores are not numbers', async () => {
  const folder = await folderWith([await headOf((value, i) => (i === 70 ? Number.NaN : value))], {
    tie_word_embeddings: false,
  });
  const { model } = await load(folder);
  await using scorer = createScorer({ model }, { threads: 1 });
  const scoring = scorer.logProbabilities([{ promptIds: [5, 6], responseIds: [7] }]);
  await expect(scoring).rejects.toMatchObject({
    code: 'weights/not-finite',
    message: expect.stringContaining('lm_head.weight'),
  });
});
