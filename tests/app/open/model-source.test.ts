/** @file What a user types after `--model`: a GGUF file opens like a folder, and says what is being done. */
import { copyFile, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../../src/app/open/model-source.ts';
import type { DeviceTaken } from '../../../src/engine/models/device-check.ts';
import { runtimeProviders } from '../../../src/engine/runtime/version.ts';

const golden = resolve(import.meta.dirname, '../../golden/gguf/llama.gguf');

it('a .gguf file opens as a model, from the cache the second time', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nextquill-source-'));
  const stages: string[] = [];
  const options = {
    cacheFolder: join(folder, 'cache'),
    onProgress: ({ stage }: { stage: string }) => stages.push(stage),
  };
  await copyFile(golden, join(folder, 'm.gguf'));
  const model = await openModel(join(folder, 'm.gguf'), options);
  expect(model.config).toMatchObject({ modelType: 'llama', layers: 2, heads: 4, keyValueHeads: 2 });
  expect(new Set(stages)).toEqual(new Set(['converting m.gguf']));
  stages.length = 0;
  expect((await openModel(join(folder, 'm.gguf'), options)).hash).toBe(model.hash);
  expect(stages).toEqual([]);
});

it('a file that only ends in .gguf is refused by name, and nothing is kept of it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nextquill-source-'));
  await writeFile(join(folder, 'm.gguf'), 'not a model');
  await expect(openModel(join(folder, 'm.gguf'), { cacheFolder: folder })).rejects.toThrow(
    /m\.gguf: expected a file that begins with GGUF/,
  );
});

describe('a device', () => {
  it('that has no such name is refused before the model is looked for', async () => {
    const device = 'gpu' as 'cpu';
    await expect(openModel('nowhere/at-all', { device })).rejects.toMatchObject({ code: 'config/device' });
  });

  it.skipIf(runtimeProviders().bundled.includes('cuda'))('that is not there is refused, too', async () => {
    await expect(openModel('nowhere/at-all', { device: 'cuda' })).rejects.toMatchObject({
      code: 'engine/device',
    });
  });

  it('taken by auto is told, and is the model’s', async () => {
    const taken: DeviceTaken[] = [];
    const { device } = await openModel('embedded', { device: 'auto', onDevice: (each) => taken.push(each) });
    expect(taken).toHaveLength(1);
    expect(device ?? 'cpu').toBe(taken[0]!.device);
  });
});
