/** @file The f32 cache: F32 files as they are, others converted once, also by several at a time. */
import { mkdir, mkdtemp, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { mappedF32 } from '../../../src/engine/weights/f32-cache.ts';
import { openSafetensors, readTensor, writeSafetensors } from '../../../src/engine/weights/safetensors.ts';
import type { TensorDirectory } from '../../../src/engine/weights/tensor-entry.ts';

let folder: string;
let cache: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nextquill-cache-'));
  cache = join(folder, 'cache');
});

const single = { name: 'single', dtype: 'F32', shape: [2], data: Float32Array.of(1.1, 2.2) } as const;
const half = { name: 'half', dtype: 'F16', shape: [2], data: Float32Array.of(0.5, 0.1) } as const;

async function written(...tensors: Parameters<typeof writeSafetensors>[1][]) {
  const path = join(folder, 'model.safetensors');
  await writeSafetensors(
    path,
    tensors.flatMap((t) => [...t]),
    { format: 'pt' },
  );
  return openSafetensors(path);
}

test('a file of F32 tensors is given back as it is, by its real path, and nothing is written', async () => {
  const file = await written([single]);
  const link = join(folder, 'link.safetensors');
  await symlink(file.path, link);
  const mapped = await mappedF32(await openSafetensors(link), cache);
  expect(mapped.path).toBe(file.path);
  expect(await readdir(folder)).not.toContain('cache');
});

test('only the needed tensors decide', async () => {
  const file = await written([single, half]);
  expect((await mappedF32(file, cache, ['single'])).path).toBe(file.path);
});

/** The file that a tensor is mapped from. */
const placeOf = ({ tensors }: TensorDirectory, name = 'half') => tensors.get(name)!.file;

test('half-precision tensors are converted once, and the copy is used again; the others stay where they are', async () => {
  const file = await written([single, half]);
  const mapped = await mappedF32(file, cache);
  expect(dirname(placeOf(mapped))).toBe(cache);
  expect(placeOf(mapped, 'single')).toBe(file.path);
  expect([...mapped.tensors.values()].map((t) => t.dtype)).toEqual(['F32', 'F32']);
  for (const name of ['single', 'half'])
    expect(await readTensor(mapped, name)).toEqual(await readTensor(file, name));
  const before = await stat(placeOf(mapped));
  expect((await stat(placeOf(await mappedF32(file, cache)))).ino).toBe(before.ino);
});

test('other bytes, or other needed tensors, get another copy', async () => {
  const first = await mappedF32(await written([single, half]), cache);
  const second = await mappedF32(await written([single, { ...half, data: Float32Array.of(1, 2) }]), cache);
  const third = await mappedF32(await written([half, { ...half, name: 'more' }]), cache, ['half', 'more']);
  expect(new Set([first, second, third].map((mapped) => placeOf(mapped))).size).toBe(3);
});

test('a damaged copy is made again', async () => {
  const file = await written([half]);
  await writeFile(placeOf(await mappedF32(file, cache)), 'damaged');
  expect(await readTensor(await mappedF32(file, cache), 'half')).toEqual(await readTensor(file, 'half'));
});

test('several conversions at the same time agree and leave one file', async () => {
  const file = await written([single, half]);
  await mkdir(cache);
  const mapped = await Promise.all(Array.from({ length: 5 }, () => mappedF32(file, cache)));
  expect(new Set(mapped.map((one) => placeOf(one))).size).toBe(1);
  expect(await readdir(cache)).toHaveLength(1);
  expect(await readTensor(mapped[4]!, 'half')).toEqual(await readTensor(file, 'half'));
});

test('a needed tensor that is missing is named', async () => {
  await expect(mappedF32(await written([half]), cache, ['lm_head.weight'])).rejects.toThrow(
    '"lm_head.weight"',
  );
});

test('a conversion says how far it is, and stops when the caller does, leaving nothing', async () => {
  const file = await written([{ ...half, shape: [3_000_000], data: new Float32Array(3_000_000) }]);
  const seen: number[] = [];
  const stop = new AbortController();
  const stopping = mappedF32(file, cache, ['half'], { signal: AbortSignal.abort() });
  await expect(stopping).rejects.toMatchObject({ code: 'aborted' });
  expect(await readdir(cache)).toEqual([]);
  await mappedF32(file, cache, ['half'], { onProgress: ({ done }) => seen.push(done), signal: stop.signal });
  expect(seen).toEqual([0, 12]);
});
