/** @file Saved models: Hugging Face's layout, every bit of the weights, the tokenizer beside them. */
import { cp, mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type SaveModelOptions, saveModel } from '../../../src/engine/models/save-model.ts';
import { openSafetensors, readTensor } from '../../../src/engine/weights/safetensors.ts';
import { tinyModel } from '../../support/tiny-model.ts';

it('a saved model has every parameter bit for bit, an F32 config and the tokenizer', async () => {
  const home = await mkdtemp(join(tmpdir(), 'nextquill-save-'));
  const source = join(home, 'source');
  await cp('tests/golden/tiny-llama', source, { recursive: true });
  await cp('tests/golden/tokenizer-small', source, { recursive: true });
  const model = { ...(await tinyModel()), folder: source };
  const folder = join(home, 'saved');
  await saveModel(folder, model, (name) => readTensor(model.weights, name), { info: { note: 'ours' } });
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

describe('weights for other tools', () => {
  const saved = async (options: SaveModelOptions) => {
    const source = await tinyModel();
    const folder = join(await mkdtemp(join(tmpdir(), 'nextquill-save-')), 'saved');
    const model = { ...source, folder: 'tests/golden/tiny-llama' };
    await saveModel(folder, model, (name) => readTensor(source.weights, name), options);
    return { model, folder, names: (await readdir(folder)).filter((name) => name.includes('safetensors')) };
  };

  it('are in shards of at most the size asked for, every parameter in the one that the index names', async () => {
    const { model, folder, names } = await saved({ maxShardBytes: 20_000 });
    const index = JSON.parse(await readFile(join(folder, 'model.safetensors.index.json'), 'utf8')) as {
      metadata: { total_size: number };
      weight_map: Record<string, string>;
    };
    const shards = [...new Set(Object.values(index.weight_map))];
    expect(shards.length).toBeGreaterThan(2);
    expect(shards[0]).toBe(`model-00001-of-0000${shards.length}.safetensors`);
    expect(names.sort()).toEqual([...shards, 'model.safetensors.index.json'].sort());
    let total = 0;
    for (const shard of shards) {
      const file = await openSafetensors(join(folder, shard));
      const bytes = [...file.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
      expect(bytes).toBeLessThanOrEqual(20_000);
      total += bytes;
      for (const name of file.tensors.keys()) {
        expect(index.weight_map[name]).toBe(shard);
        expect(await readTensor(file, name)).toEqual(await readTensor(model.weights, name));
      }
    }
    expect(Object.keys(index.weight_map).sort()).toEqual(model.parameters.map(({ name }) => name).sort());
    expect(index.metadata.total_size).toBe(total);
  });

  it.each([
    ['F16', 'float16', 2 ** -11],
    ['BF16', 'bfloat16', 2 ** -8],
  ] as const)('are rounded to %s, and the config says so', async (dtype, name, precision) => {
    const { model, folder, names } = await saved({ dtype });
    expect(names).toEqual(['model.safetensors']);
    const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as { dtype: string };
    expect(config.dtype).toBe(name);
    const file = await openSafetensors(join(folder, 'model.safetensors'));
    for (const { name: parameter } of model.parameters) {
      expect(file.tensors.get(parameter)!.dtype).toBe(dtype);
      const exact = await readTensor(model.weights, parameter);
      const worst = (await readTensor(file, parameter)).reduce(
        (most, value, i) => Math.max(most, Math.abs(value - exact[i]!) / Math.max(Math.abs(exact[i]!), 1e-4)),
        0,
      );
      expect(worst).toBeLessThanOrEqual(precision);
    }
  });

  it('that f16 cannot hold are refused, and nothing is written', async () => {
    const model = { ...(await tinyModel()), folder: 'tests/golden/tiny-llama' };
    const folder = join(await mkdtemp(join(tmpdir(), 'nextquill-save-')), 'saved');
    const large = async (name: string) => (await readTensor(model.weights, name)).map(() => 7e4);
    await expect(saveModel(folder, model, large, { dtype: 'F16' })).rejects.toThrow('up to 65504 for f16');
    await expect(readdir(folder)).rejects.toThrow('ENOENT');
  });
});
