/** @file Models in several files: shards mapped where they lie, converted ones from the cache, hostile indexes refused by name. */
import { mkdir, mkdtemp, readdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WeightsError } from '../../../src/base/errors.ts';
import { loadModel, type Model } from '../../../src/engine/models/model.ts';
import { mappedWeights } from '../../../src/engine/weights/mapped-weights.ts';
import { openSafetensors, readTensor, writeSafetensors } from '../../../src/engine/weights/safetensors.ts';
import { INDEX_FILE, openShards } from '../../../src/engine/weights/shards.ts';
import { logitsOf } from '../../support/logits.ts';
import { writeModelFolder } from '../../support/model-folder.ts';

const ids = [5, 9, 200, 41, 7];

let whole: Model;
beforeAll(async () => {
  const folder = join(await mkdtemp(join(tmpdir(), 'nextquill-shards-')), 'whole');
  await writeModelFolder(folder);
  whole = await loadModel(folder, join(folder, 'cache'));
});

let folder: string;
let cache: string;
beforeEach(async () => {
  const top = await mkdtemp(join(tmpdir(), 'nextquill-shards-'));
  folder = join(top, 'model');
  cache = join(top, 'cache');
  await writeModelFolder(folder);
});

/** Cuts model.safetensors into two files, of the given dtypes. */
async function cut(dtypes: readonly ('F32' | 'BF16' | 'F16')[]): Promise<string[]> {
  const file = await openSafetensors(join(folder, 'model.safetensors'));
  const map: Record<string, string> = {};
  const names = dtypes.map((_, i) => `model-0000${i + 1}-of-0000${dtypes.length}.safetensors`);
  for (const [i, dtype] of dtypes.entries()) {
    const tensors = [...file.tensors.values()].filter((_, at) => at % dtypes.length === i);
    for (const { name } of tensors) map[name] = names[i]!;
    await writeSafetensors(
      join(folder, names[i]!),
      tensors.map(({ name, shape }) => ({ name, dtype, shape, data: () => readTensor(file, name) })),
    );
  }
  await rm(file.path);
  await writeFile(join(folder, INDEX_FILE), JSON.stringify({ metadata: {}, weight_map: map }));
  return names;
}

describe('a model in several files', () => {
  it('of F32 is mapped where it lies, has the logits and the hash of the same model in one', async () => {
    await cut(['F32', 'F32']);
    const model = await loadModel(folder, cache);
    expect(mappedWeights(model.weights).folder).toBe(model.folder);
    expect(await readdir(join(folder, '..'))).not.toContain('cache');
    expect(await logitsOf(model, ids)).toEqual(await logitsOf(whole, ids));
    expect(model.hash).toBe(whole.hash);
  });

  it('is mapped from the folders above its files: one beside, one converted, one behind a link', async () => {
    const names = await cut(['F32', 'F16', 'F32']);
    const elsewhere = join(folder, '..', 'blobs', 'deep');
    await mkdir(elsewhere, { recursive: true });
    await rename(join(folder, names[2]!), join(elsewhere, 'blob'));
    await symlink(join(elsewhere, 'blob'), join(folder, names[2]!));
    const model = await loadModel(folder, cache);
    const { folder: above, tensors } = mappedWeights(model.weights);
    const files = new Set(
      [...tensors.values()].map(({ location }) => location.replace(/[0-9a-f]{32}/, 'HASH')),
    );
    expect(above).toBe(join(model.folder, '..'));
    expect([...files].sort()).toEqual(['blobs/deep/blob', 'cache/HASH.f32.safetensors', `model/${names[0]}`]);
    // The same numbers, from one file.
    const single = join(folder, '..', 'single.safetensors');
    await writeSafetensors(
      single,
      model.parameters.map(({ name, shape }) => ({
        name,
        dtype: 'F32',
        shape,
        data: () => readTensor(model.weights, name),
      })),
    );
    const rounded = { ...model, weights: await openSafetensors(single) };
    expect(await logitsOf(model, ids)).toEqual(await logitsOf(rounded, ids));
  });

  it('without one of its files is refused by the name of that file', async () => {
    const names = await cut(['F32', 'F32']);
    await rm(join(folder, names[1]!));
    await expect(loadModel(folder, cache)).rejects.toThrow(`${names[1]}: expected a readable file, got none`);
  });

  it('with a file that is cut is refused by the name of that file', async () => {
    const names = await cut(['F32', 'F32']);
    await truncate(join(folder, names[0]!), 2000);
    await expect(loadModel(folder, cache)).rejects.toThrow(names[0]!);
  });
});

describe('an index that lies', () => {
  const cases: readonly (readonly [string, unknown, RegExp])[] = [
    ['has no map', undefined, /weight_map: expected an object/],
    ['has a list', ['a'], /weight_map: expected an object/],
    ['has nothing in it', {}, /weight_map: expected some tensors/],
    [
      'names a file elsewhere',
      { a: '../model.safetensors' },
      /"a": expected a \.safetensors file beside the index/,
    ],
    ['names an absolute file', { a: '/etc/x.safetensors' }, /"a": expected a \.safetensors file/],
    ['names a number', { a: 3 }, /"a": expected a \.safetensors file beside the index, got 3/],
    ['names a tensor that is not there', { a: 'model.safetensors' }, /expected a tensor named "a", got none/],
  ];
  it.each(cases)('%s', async (_what, map, message) => {
    const opening = openShards(folder, { weight_map: map });
    await expect(opening).rejects.toBeInstanceOf(WeightsError);
    await expect(opening).rejects.toThrow(message);
  });

  it('is refused as a WeightsError whatever JSON it holds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), async (index, map) => {
        const result = await openShards(folder, { ...index, weight_map: map }).catch(
          (error: unknown) => error,
        );
        expect(result).toBeInstanceOf(WeightsError);
      }),
      { numRuns: 100 },
    );
  });
});

it('files of a model without its head have names without their first part', async () => {
  const file = await openSafetensors(join(folder, 'model.safetensors'));
  const tensors = [...file.tensors.values()].map(({ name, shape }) => ({
    name: name.replace(/^model\./, ''),
    dtype: 'BF16' as const,
    shape,
    data: () => readTensor(file, name),
  }));
  await writeSafetensors(join(folder, 'headless.safetensors'), tensors);
  await rename(join(folder, 'headless.safetensors'), join(folder, 'model.safetensors'));
  const model = await loadModel(folder, cache);
  const name = 'model.embed_tokens.weight';
  const [first] = await readTensor(model.weights, name);
  const [expected] = await readTensor(whole.weights, name);
  expect(Math.abs(first! - expected!)).toBeLessThan(0.01);
});
