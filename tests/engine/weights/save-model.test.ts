/** @file Saved models: Hugging Face's layout, every bit of the weights, the tokenizer beside them. */
import { cp, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openSafetensors, readTensor } from '../../../src/engine/weights/safetensors.ts';
import { saveModel } from '../../../src/engine/weights/save-model.ts';
import { tinyModel } from '../../support/tiny-model.ts';

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
