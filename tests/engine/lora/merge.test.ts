/** @file Merging: a model with its adapter merged in computes what base and adapter compute together. */
import { cp, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadAdapter } from '../../../src/engine/lora/adapter-folder.ts';
import { mergedWeights } from '../../../src/engine/lora/merge.ts';
import { loraParameters } from '../../../src/engine/models/parameters.ts';
import { openSafetensors, readTensor } from '../../../src/engine/weights/safetensors.ts';
import { saveModel } from '../../../src/engine/weights/save-model.ts';
import { largestDifference } from '../../support/engine.ts';
import { logitsOf } from '../../support/logits.ts';
import { tinyModel } from '../../support/tiny-model.ts';

/** W + scaling·B·A rounded once, against two products added in f32. */
const TOLERANCE = 1e-5;
const ids = [5, 17, 42, 3, 60, 8, 8, 21];

it.each(['tiny-llama', 'tiny-llama-tied'])(
  'merged and unmerged adapters of %s agree in logits',
  async (name) => {
    const model = await tinyModel(name);
    const adapter = await loadAdapter(`tests/golden/${name}/adapter`, model);
    const folder = join(await mkdtemp(join(tmpdir(), 'nextquill-merge-')), 'merged');
    await saveModel(folder, model, mergedWeights(model, adapter));
    const merged = { ...model, weights: await openSafetensors(join(folder, 'model.safetensors')) };
    const unmergedLogits = await logitsOf(model, ids, loraParameters(adapter.lora), adapter.tensors);
    const mergedLogits = await logitsOf(merged, ids);
    expect(largestDifference(mergedLogits, unmergedLogits)).toBeLessThan(TOLERANCE);
    // The adapter does something, so agreeing is no accident.
    const bare = await logitsOf(model, ids);
    expect(largestDifference(bare, unmergedLogits)).toBeGreaterThan(100 * TOLERANCE);
  },
);

it('a saved model has every parameter bit for bit, an F32 config and the tokenizer', async () => {
  const home = await mkdtemp(join(tmpdir(), 'nextquill-save-'));
  const source = join(home, 'source');
  await cp('tests/golden/tiny-llama', source, { recursive: true });
  await cp('tests/golden/tokenizer-small', source, { recursive: true });
  const model = { ...(await tinyModel()), folder: source };
  const folder = join(home, 'saved');
  await saveModel(folder, model, (name) => readTensor(model.weights, name), { note: 'ours' });
  const file = await openSafetensors(join(folder, 'model.safetensors'));
  expect(file.metadata).toEqual({ format: 'pt' });
  for (const { name } of model.parameters)
    expect(Buffer.from((await readTensor(file, name)).buffer)).toEqual(
      Buffer.from((await readTensor(model.weights, name)).buffer),
    );
  const read = (at: string, name: string) => readFile(join(at, name), 'utf8');
  expect(await read(folder, 'tokenizer.json')).toBe(await read(source, 'tokenizer.json'));
  expect(JSON.parse(await read(folder, 'config.json'))).toEqual({
    ...JSON.parse(await read(source, 'config.json')),
    dtype: 'float32',
  });
  expect(JSON.parse(await read(folder, 'nextquill.json'))).toEqual({ note: 'ours' });
});
