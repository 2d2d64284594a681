/** @file Safetensors: equal to Python's files, round trips of any tensors, and every hostile header refused. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EngineError, ShapeError, WeightsError } from '../../../src/base/errors.ts';
import { bf16FromNumber, bf16ToNumber, f16FromNumber, f16ToNumber } from '../../../src/base/half.ts';
import {
  openSafetensors,
  readTensor,
  type TensorToWrite,
  writeSafetensors,
} from '../../../src/engine/weights/safetensors.ts';

const folder = await mkdtemp(join(tmpdir(), 'nextquill-safetensors-'));
const fresh = () => join(folder, `${randomBytes(6).toString('hex')}.safetensors`);
const golden = JSON.parse(
  await readFile(new URL('../../golden/safetensors.json', import.meta.url), 'utf8'),
) as {
  files: {
    base64: string;
    metadata: Record<string, string>;
    dtypes: Record<string, string>;
    shapes: Record<string, number[]>;
    values: Record<string, string[]>;
  }[];
};
const goldenDtypes: Record<string, string> = {
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  float64: 'F64',
  int64: 'I64',
  bool: 'BOOL',
};

describe("Python's safetensors", () => {
  test('its files open with the same shapes, dtypes, metadata and float values', async () => {
    for (const { base64, metadata, dtypes, shapes, values } of golden.files) {
      const path = fresh();
      await writeFile(path, Buffer.from(base64, 'base64'));
      const file = await openSafetensors(path);
      expect(file.metadata).toEqual(metadata);
      expect([...file.tensors.keys()].sort()).toEqual(Object.keys(dtypes).sort());
      for (const [name, { dtype, shape }] of file.tensors) {
        expect(dtype).toBe(goldenDtypes[dtypes[name]!]);
        expect(shape).toEqual(shapes[name]);
        if (dtype === 'I64' || dtype === 'BOOL') continue;
        expect([...(await readTensor(file, name))]).toEqual(values[name]!.map((v) => Math.fround(Number(v))));
      }
    }
  });

  test('writing the same tensors gives the same bytes', async () => {
    for (const { base64, metadata } of golden.files.slice(0, 2)) {
      const theirs = fresh();
      await writeFile(theirs, Buffer.from(base64, 'base64'));
      const file = await openSafetensors(theirs);
      const tensors: TensorToWrite[] = [];
      for (const { name, dtype, shape } of file.tensors.values())
        tensors.push({ name, dtype: dtype as 'F32', shape, data: await readTensor(file, name) });
      const ours = fresh();
      await writeSafetensors(ours, tensors, metadata);
      expect((await readFile(ours)).toString('base64')).toBe(base64);
    }
  });
});

describe('round trips', () => {
  const tensor = fc
    .record({ dtype: fc.constantFrom('F32', 'F16', 'BF16'), shape: fc.array(fc.nat(4), { maxLength: 3 }) })
    .chain(({ dtype, shape }) => {
      const count = shape.reduce((product, size) => product * size, 1);
      const data = fc.float32Array({ minLength: count, maxLength: count });
      return fc.record({ dtype: fc.constant(dtype), shape: fc.constant(shape), data });
    });

  test('any tensors and metadata come back as rounded to their dtype, in any order of names', async () => {
    const rounding: Record<string, (value: number) => number> = {
      F32: (value) => value,
      F16: (value) => f16ToNumber(f16FromNumber(value)),
      BF16: (value) => bf16ToNumber(bf16FromNumber(value)),
    };
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(fc.string({ unit: 'grapheme' }), tensor), {
          selector: ([name]) => name,
          maxLength: 5,
        }),
        fc.dictionary(fc.string(), fc.string()),
        async (named, metadata) => {
          const path = fresh();
          const tensors = named.map(([name, t]) => ({ name, ...t }));
          await writeSafetensors(path, tensors, metadata);
          const file = await openSafetensors(path);
          expect(file.metadata).toEqual(metadata);
          expect(file.tensors.size).toBe(tensors.length);
          for (const { name, dtype, shape, data } of tensors) {
            expect(file.tensors.get(name)).toMatchObject({ dtype, shape });
            expect([...(await readTensor(file, name))]).toEqual([...data].map(rounding[dtype]!));
            expect(file.tensors.get(name)!.byteOffset % (dtype === 'F32' ? 4 : 2)).toBe(0);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('values can be made when their turn comes', async () => {
    const path = fresh();
    const data = async () => Float32Array.of(1, 2);
    await writeSafetensors(path, [{ name: 'late', dtype: 'F32', shape: [2], data }]);
    expect([...(await readTensor(await openSafetensors(path), 'late'))]).toEqual([1, 2]);
  });

  test('a link opens as the real file', async () => {
    const path = fresh();
    await writeSafetensors(path, [{ name: 'a', dtype: 'F32', shape: [1], data: Float32Array.of(1) }]);
    const link = fresh();
    await symlink(path, link);
    expect((await openSafetensors(link)).path).toBe((await openSafetensors(path)).path);
  });
});

describe('writing refuses', () => {
  const one = { name: 'a', dtype: 'F32', shape: [2], data: new Float32Array(2) } as const;

  test('values that do not fit the shape, also late ones, and leaves no file', async () => {
    const path = fresh();
    await expect(writeSafetensors(path, [{ ...one, shape: [3] }])).rejects.toThrow(ShapeError);
    const late = { ...one, data: async () => new Float32Array(5) };
    await expect(writeSafetensors(path, [late])).rejects.toThrow(
      'expected values for shape [2], got 5 values',
    );
    expect((await readdir(folder)).filter((name) => join(folder, name).startsWith(path))).toEqual([]);
  });

  test('a name that occurs twice', async () => {
    await expect(writeSafetensors(fresh(), [one, one])).rejects.toThrow('each tensor name once');
  });

  test('a folder that does not exist', async () => {
    await expect(writeSafetensors(join(folder, 'none', 'x'), [one])).rejects.toThrow(EngineError);
  });
});

/** A file of the given header, with `dataBytes` zeros after it. */
async function crafted(header: unknown, dataBytes: number, headerLength?: bigint): Promise<string> {
  const json = typeof header === 'string' ? header : JSON.stringify(header);
  const text = new TextEncoder().encode(json);
  const bytes = new Uint8Array(8 + text.byteLength + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, headerLength ?? BigInt(text.byteLength), true);
  bytes.set(text, 8);
  const path = fresh();
  await writeFile(path, bytes);
  return path;
}

describe('opening refuses', () => {
  const f32 = (shape: unknown, offsets: unknown, dtype: unknown = 'F32') => ({
    dtype,
    shape,
    data_offsets: offsets,
  });
  const cases: [string, unknown, number, string][] = [
    ['an overlap', { a: f32([2], [0, 8]), b: f32([2], [4, 12]) }, 12, 'tensor "b"'],
    ['a hole', { a: f32([1], [0, 4]), b: f32([1], [8, 12]) }, 12, 'hole'],
    ['bytes after the last tensor', { a: f32([1], [0, 4]) }, 8, '4 bytes more'],
    ['an offset beyond the file', { a: f32([4], [0, 16]) }, 12, 'truncated'],
    ['a shape that does not multiply to the bytes', { a: f32([3], [0, 8]) }, 8, 'expected 12 bytes'],
    ['a shape beyond 2^53', { a: f32([2 ** 30, 2 ** 30], [0, 4]) }, 4, '2^53'],
    ['a shape whose product wraps to zero', { a: f32([2 ** 32, 2 ** 32], [0, 0]) }, 0, '2^53'],
    ['a huge shape with as huge offsets', { a: f32([2 ** 48], [0, 2 ** 50]) }, 4, 'truncated'],
    ['a negative size', { a: f32([-1], [0, 4]) }, 4, 'shape'],
    ['a fractional size', { a: f32([1.5], [0, 6]) }, 6, 'shape'],
    ['a shape that is no list', { a: f32('4', [0, 4]) }, 4, 'shape'],
    ['offsets in the wrong order', { a: f32([1], [4, 0]) }, 4, 'begin up to end'],
    ['negative offsets', { a: f32([1], [-4, 0]) }, 4, 'data_offsets'],
    ['three offsets', { a: f32([1], [0, 4, 8]) }, 4, 'data_offsets'],
    ['an unknown dtype', { a: f32([1], [0, 4], 'F31') }, 4, '"F31"'],
    ['a dtype named like a built-in', { a: f32([1], [0, 4], 'constructor') }, 4, 'dtype'],
    ['an entry that is no object', { a: 7 }, 0, 'tensor "a"'],
    ['metadata that is no object of strings', { __metadata__: { a: 1 } }, 0, '__metadata__.a'],
    ['a header that is a list', [], 0, 'JSON object'],
    ['a header that is no JSON', '{"a":', 0, 'malformed JSON'],
  ];
  test.each(cases)('%s', async (_, header, dataBytes, message) => {
    const path = await crafted(header, dataBytes);
    const opening = openSafetensors(path);
    await expect(opening).rejects.toThrow(WeightsError);
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toThrow(path);
  });

  test('a header length beyond the file or beyond 100 MB, without allocating it', async () => {
    await expect(openSafetensors(await crafted('{}', 0, 90_000_000n))).rejects.toThrow('truncated');
    await expect(openSafetensors(await crafted('{}', 0, 2n ** 63n))).rejects.toThrow('at most 100000000');
  });

  test('a missing file, a folder and a file shorter than eight bytes', async () => {
    await expect(openSafetensors(fresh())).rejects.toMatchObject({ code: 'weights/missing-file' });
    await expect(openSafetensors(folder)).rejects.toThrow('expected a file');
    const path = fresh();
    await writeFile(path, 'abc');
    await expect(openSafetensors(path)).rejects.toThrow('at least the 8 bytes');
  });

  test('a whole file cut at any byte', async () => {
    const path = fresh();
    await writeSafetensors(path, [
      { name: 'a', dtype: 'F32', shape: [3], data: Float32Array.of(1, 2, 3) },
      { name: 'b', dtype: 'F16', shape: [1], data: Float32Array.of(4) },
    ]);
    const bytes = await readFile(path);
    const cut = fresh();
    for (let length = 0; length < bytes.byteLength; length++) {
      await writeFile(cut, bytes.subarray(0, length));
      await expect(openSafetensors(cut)).rejects.toThrow(WeightsError);
    }
  });

  test('random damage gives a weights error or a file whose tensors lie inside it, never a crash', async () => {
    const path = fresh();
    await writeSafetensors(path, [{ name: 'a', dtype: 'F32', shape: [3], data: Float32Array.of(1, 2, 3) }]);
    const bytes = await readFile(path);
    const damaged = fresh();
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.byteLength - 13), fc.nat(255), async (at, value) => {
        const copy = Uint8Array.from(bytes);
        copy[at] = value;
        await writeFile(damaged, copy);
        const result = await openSafetensors(damaged).catch((error: unknown) => error);
        if (result instanceof Error) {
          expect(result).toBeInstanceOf(WeightsError);
          return;
        }
        for (const { byteOffset, byteLength } of (
          result as Awaited<ReturnType<typeof openSafetensors>>
        ).tensors.values())
          expect(byteOffset + byteLength).toBeLessThanOrEqual(bytes.byteLength);
      }),
      { numRuns: 200 },
    );
  });
});

describe('reading refuses', () => {
  test('a tensor that is not there or no float', async () => {
    const file = await openSafetensors(
      await crafted({ n: { dtype: 'I64', shape: [1], data_offsets: [0, 8] } }, 8),
    );
    await expect(readTensor(file, 'n')).rejects.toMatchObject({ code: 'weights/unsupported-dtype' });
    await expect(readTensor(file, 'm')).rejects.toMatchObject({ code: 'weights/missing-tensor' });
  });

  test('a file that was cut after it was opened', async () => {
    const path = await crafted({ a: { dtype: 'F32', shape: [4], data_offsets: [0, 16] } }, 16);
    const file = await openSafetensors(path);
    const handle = await open(path, 'r+');
    await handle.truncate(file.tensors.get('a')!.byteOffset + 5);
    await handle.close();
    await expect(readTensor(file, 'a')).rejects.toMatchObject({ code: 'weights/truncated' });
  });
});
