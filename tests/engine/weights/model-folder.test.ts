/** @file Model folders: whole ones open, and each missing or broken file is named. */
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { openModelFolder } from '../../../src/engine/weights/model-folder.ts';
import { readTensor, writeSafetensors } from '../../../src/engine/weights/safetensors.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nextquill-model-'));
  await writeFile(join(folder, 'config.json'), '{"model_type": "llama"}');
  await writeFile(join(folder, 'tokenizer.json'), '{}');
  await writeSafetensors(join(folder, 'model.safetensors'), [
    { name: 'a', dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) },
  ]);
});

test('a whole folder opens with its config and tensors', async () => {
  const model = await openModelFolder(folder);
  expect(model.config).toEqual({ model_type: 'llama' });
  expect([...(await readTensor(model.weights, 'a'))]).toEqual([1, 2]);
  await expect(readTensor(model.weights, 'b')).rejects.toThrow('expected a tensor named "b"');
});

test.each(['config.json', 'model.safetensors', 'tokenizer.json'])(
  'a folder without %s is refused by name',
  async (name) => {
    await rm(join(folder, name));
    await expect(openModelFolder(folder)).rejects.toMatchObject({
      code: 'weights/missing-file',
      message: `${join(folder, name)}: expected a file, got none`,
    });
  },
);

test.each(['config.json', 'model.safetensors'])('a truncated %s is refused by name', async (name) => {
  await truncate(join(folder, name), 10);
  await expect(openModelFolder(folder)).rejects.toThrow(join(folder, name));
  await expect(openModelFolder(folder)).rejects.toThrow(/truncated|Unterminated/);
});

test('a config that is no object is refused', async () => {
  await writeFile(join(folder, 'config.json'), '[1]');
  await expect(openModelFolder(folder)).rejects.toThrow('expected a JSON object');
});

test('weights of another layout are named', async () => {
  await rm(join(folder, 'model.safetensors'));
  await writeFile(join(folder, 'pytorch_model.bin'), '');
  await expect(openModelFolder(folder)).rejects.toThrow('only pytorch_model.bin');
});

// A folder of something else was told to lack config.json.
test.each([
  ['weights/gguf-folder', ['SmolLM2-135M-Q4.gguf', 'README.md']],
  ['weights/adapter-folder', ['adapter_config.json', 'adapter_model.safetensors', 'tokenizer.json']],
  ['weights/run-folder', ['manifest.json', 'adapter']],
  ['weights/no-index', ['config.json', 'tokenizer.json', 'model-00001-of-00002.safetensors']],
  ['weights/missing-file', ['config.json', 'tokenizer.json', 'consolidated.safetensors']],
])('%s: a folder that holds %j', async (code, names) => {
  const other = await mkdtemp(join(tmpdir(), 'nextquill-other-'));
  for (const name of names) await writeFile(join(other, name), '{}');
  await expect(openModelFolder(other)).rejects.toMatchObject({ code });
});

test('a path that is no folder is refused', async () => {
  await expect(openModelFolder(join(folder, 'none'))).rejects.toThrow('expected a model folder, got nothing');
  await expect(openModelFolder(join(folder, 'config.json'))).rejects.toThrow('got a file');
});
