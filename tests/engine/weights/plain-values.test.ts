/** @file Numbers of other dtypes than floats of weights: written and read back without conversion. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ShapeError, WeightsError } from '../../../src/base/errors.ts';
import { openSafetensors, readPlain, writeSafetensors } from '../../../src/engine/weights/safetensors.ts';

const folder = await mkdtemp(join(tmpdir(), 'nextquill-plain-'));
const path = join(folder, 'numbers.safetensors');

it('integers and doubles come back as they were, each at a multiple of its size', async () => {
  const bytes = Uint8Array.of(0, 255, 1);
  const ids = Int32Array.of(-1, 2 ** 31 - 1);
  const offsets = BigInt64Array.of(0n, 2n ** 60n);
  const rates = Float64Array.of(1 / 3, -0);
  await writeSafetensors(path, [
    { name: 'bytes', dtype: 'U8', shape: [3], data: bytes },
    { name: 'ids', dtype: 'I32', shape: [2], data: ids },
    { name: 'offsets', dtype: 'I64', shape: [2], data: offsets },
    { name: 'rates', dtype: 'F64', shape: [2], data: rates },
    { name: 'none', dtype: 'I32', shape: [0], data: new Int32Array() },
  ]);
  const file = await openSafetensors(path);
  expect(await readPlain(file, 'bytes', 'U8')).toEqual(bytes);
  expect(await readPlain(file, 'ids', 'I32')).toEqual(ids);
  expect(await readPlain(file, 'offsets', 'I64')).toEqual(offsets);
  expect(await readPlain(file, 'rates', 'F64')).toEqual(rates);
  expect(await readPlain(file, 'none', 'I32')).toEqual(new Int32Array());
  const misplaced = [...file.tensors.values()].filter(
    ({ byteOffset, byteLength, shape }) => shape[0] !== 0 && byteOffset % (byteLength / shape[0]!) !== 0,
  );
  expect(misplaced).toEqual([]);
  await expect(readPlain(file, 'ids', 'I64')).rejects.toThrow(WeightsError);
});

it('an array of another kind than the dtype is refused', async () => {
  const data = Int32Array.of(1, 2);
  await expect(writeSafetensors(path, [{ name: 'x', dtype: 'I64', shape: [2], data }])).rejects.toThrow(
    ShapeError,
  );
});
