/** @file Safetensors files: open with every claim checked, read tensors as f32, write whole or not at all. */
import type { FileHandle } from 'node:fs/promises';
import { writeAll, writeFileAtomically } from '../../base/atomic-file.ts';
import { ShapeError, WeightsError } from '../../base/errors.ts';
import { foreignFile, KIND_BYTES } from '../../base/file-kind.ts';
import { bf16FromF32, f16FromF32, f32FromBf16, f32FromF16 } from '../../base/half.ts';
import { openToRead, readFully, realFile, withFile } from './read-file.ts';
import { headerLength, parseHeader, type SafetensorsHeader } from './safetensors-header.ts';
import { DTYPE_BYTES, elementCount, type TensorDirectory, type TensorEntry } from './tensor-entry.ts';

/** Bytes that are read or converted at a time; far below the 2 GiB at which one system call ends. */
const PIECE_BYTES = 32 << 20;

/** An opened file: its directory of tensors; the bytes stay on disk. */
export interface SafetensorsFile extends SafetensorsHeader {
  /** The real path: links resolved, so that a runtime can map the file by folder and name. */
  readonly path: string;
}

/** One tensor to be written. */
export interface TensorToWrite {
  readonly name: string;
  readonly dtype: 'F32' | 'F16' | 'BF16' | 'U8' | 'I32' | 'I64' | 'F64';
  readonly shape: readonly number[];
  /** The values, or how to get them when their turn has come: at once, or in pieces so that no whole tensor need be in memory. */
  readonly data: Values | (() => Promise<Values> | AsyncIterable<Values>);
}

/** Floats, which are rounded to a narrower dtype where that is the tensor's, or numbers that are of its dtype already. */
type Values = Float32Array | Uint8Array | Int32Array | BigInt64Array | Float64Array;

/** The array that holds a dtype as it is; other floats are converted from f32. */
const arrayOf = {
  U8: Uint8Array,
  I32: Int32Array,
  I64: BigInt64Array,
  F64: Float64Array,
  F32: Float32Array,
} as const;

/** A dtype whose numbers are read without conversion. */
export type PlainDtype = keyof typeof arrayOf;

/**
 * Opens a safetensors file and checks its whole header against the file.
 * @throws {WeightsError} when the file is missing, truncated, or not what the format allows; names file and tensor
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const real = await realFile(path, '.safetensors');
  return withFile(real, path, async (file) => {
    const { size } = await file.stat();
    const start = new Uint8Array(Math.min(KIND_BYTES, size));
    await readFully(file, start, 0, path);
    const { tensors, metadata } = await headerOf(path, file, start, size).catch((error: unknown) => {
      throw foreignFile(path, start) ?? error;
    });
    const placed = [...tensors].map(([name, entry]) => [name, { ...entry, file: real }] as const);
    return { path: real, tensors: new Map(placed), metadata };
  });
}

async function headerOf(path: string, file: FileHandle, start: Uint8Array, size: number) {
  const header = new Uint8Array(headerLength(path, start, size));
  await readFully(file, header, 8, path);
  return parseHeader(path, header, size);
}

/**
 * One tensor as f32, whatever float dtype it has on disk (F64 is rounded).
 * @returns f32[elements], row-major
 * @throws {WeightsError} when there is no such tensor, its dtype is not a float, or the file has changed since
 * Cost: the f32 tensor, and up to 96 MiB for the piece at hand.
 */
export async function readTensor(directory: TensorDirectory, name: string): Promise<Float32Array> {
  const entry = entryOf(directory, name);
  const values = new Float32Array(entry.byteLength / DTYPE_BYTES[entry.dtype]);
  let at = 0;
  for await (const piece of tensorPieces(entry)) {
    values.set(piece, at);
    at += piece.length;
  }
  return values;
}

/**
 * One tensor as it is on disk, without conversion.
 * @throws {WeightsError} when there is no such tensor, it is of another dtype, or the file has changed since
 */
export async function readPlain<D extends PlainDtype>(
  directory: TensorDirectory,
  name: string,
  dtype: D,
): Promise<InstanceType<(typeof arrayOf)[D]>> {
  const entry = entryOf(directory, name);
  if (entry.dtype !== dtype)
    throw new WeightsError(
      `${entry.file}: tensor ${JSON.stringify(name)}: expected ${dtype}, got ${entry.dtype}`,
      { code: 'weights/dtype', hint: 'Write the file again with the version that reads it.' },
    );
  const bytes = new Uint8Array(entry.byteLength);
  const handle = await openToRead(entry.file, entry.file);
  try {
    await readFully(handle, bytes, entry.byteOffset, entry.file);
  } finally {
    await handle.close();
  }
  return new arrayOf[dtype](bytes.buffer) as InstanceType<(typeof arrayOf)[D]>;
}

/**
 * The values of a tensor as f32, in pieces of up to 32 MiB of its file; each is the caller's own.
 * @throws {WeightsError} as {@link readTensor}
 */
export async function* tensorPieces(entry: TensorEntry): AsyncGenerator<Float32Array> {
  const { file, dtype, byteOffset, byteLength } = entry;
  const convert = toF32[dtype];
  if (!convert)
    throw new WeightsError(
      `${file}: tensor ${JSON.stringify(entry.name)}: expected a float dtype, got ${dtype}`,
      {
        code: 'weights/unsupported-dtype',
        hint: 'Export the weights as F32, F16 or BF16.',
      },
    );
  const handle = await openToRead(file, file);
  try {
    for (let at = 0; at < byteLength; at += PIECE_BYTES) {
      const bytes = new Uint8Array(Math.min(PIECE_BYTES, byteLength - at));
      await readFully(handle, bytes, byteOffset + at, file);
      yield convert(bytes);
    }
  } finally {
    await handle.close();
  }
}

/** The entry of a tensor. @throws {WeightsError} when the file has none of this name. */
export function entryOf(directory: TensorDirectory, name: string): TensorEntry {
  const entry = directory.tensors.get(name);
  if (entry) return entry;
  throw new WeightsError(`${directory.path}: expected a tensor named ${JSON.stringify(name)}, got none`, {
    code: 'weights/missing-tensor',
    hint: 'Check that the weights belong to the config.json beside them.',
  });
}

/**
 * Writes a safetensors file: whole or not at all, flushed to disk.
 *
 * Tensors keep their order, but wider dtypes come before narrower ones, so that each begins at a multiple of its
 * element size, which readers of other languages need.
 * @param metadata strings for the header's `__metadata__`
 * @throws {ShapeError} when values and shape do not fit, or a name occurs twice
 * @throws {EngineError} when the disk is full or the place cannot be written to
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToWrite>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const given = [...tensors];
  const ordered = given.toSorted((a, b) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype]);
  const header = headerBytes(path, ordered, metadata);
  await writeFileAtomically(path, async (file) => {
    await writeAll(file, header);
    for (const tensor of ordered) {
      let written = 0;
      for await (const piece of piecesOf(tensor)) {
        written += piece.length;
        checkCount(path, tensor, written, false);
        await writeValues(file, tensor.dtype, piece);
      }
      checkCount(path, tensor, written);
    }
  });
}

function headerBytes(
  path: string,
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  // A Map and hand-joined members: an object would move names that look like numbers to the front.
  const members = new Map<string, string>();
  if (Object.keys(metadata).length > 0) members.set('__metadata__', JSON.stringify(metadata));
  let offset = 0;
  for (const tensor of tensors) {
    if (members.has(tensor.name) || tensor.name === '__metadata__')
      throw new ShapeError(
        `${path}: expected each tensor name once, got ${JSON.stringify(tensor.name)} again`,
        {
          code: 'weights/duplicate-tensor',
        },
      );
    if (typeof tensor.data !== 'function') checkCount(path, tensor, tensor.data.length);
    const count = elementCount(tensor.shape);
    if (count === undefined) throw badShape(path, tensor, 'no number of elements');
    const end = offset + count * DTYPE_BYTES[tensor.dtype];
    const { dtype, shape } = tensor;
    members.set(tensor.name, JSON.stringify({ dtype, shape, data_offsets: [offset, end] }));
    offset = end;
  }
  const json = `{${[...members].map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
  const text = new TextEncoder().encode(json);
  const padded = Math.ceil(text.byteLength / 8) * 8;
  const bytes = new Uint8Array(8 + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(text, 8);
  return bytes;
}

/** The values, in one piece or several. */
async function* piecesOf({ data }: TensorToWrite): AsyncIterable<Values> {
  const given = typeof data === 'function' ? await data() : data;
  if (ArrayBuffer.isView(given)) yield given;
  else yield* given;
}

/** @param all whether these are all values, or only those up to now */
function checkCount(path: string, tensor: TensorToWrite, count: number, all = true): void {
  const expected = elementCount(tensor.shape)!;
  if (count > expected || (all && count < expected)) throw badShape(path, tensor, `${count} values`);
}

function badShape(path: string, tensor: TensorToWrite, got: string): ShapeError {
  return new ShapeError(
    `${path}: tensor ${JSON.stringify(tensor.name)}: expected values for shape [${tensor.shape.join(', ')}], got ${got}`,
    { code: 'shape/mismatch' },
  );
}

async function writeValues(file: FileHandle, dtype: TensorToWrite['dtype'], data: Values): Promise<void> {
  if (dtype in arrayOf && !(data instanceof arrayOf[dtype as PlainDtype]))
    throw new ShapeError(
      `values of ${dtype}: expected ${arrayOf[dtype as PlainDtype].name}, got ${data.constructor.name}`,
      {
        code: 'weights/dtype',
      },
    );
  if (!(data instanceof Float32Array) || dtype === 'F32') return writeAll(file, bytesOf(data));
  const convert = dtype === 'F16' ? f16FromF32 : bf16FromF32;
  const piece = new Uint16Array(Math.min(data.length, PIECE_BYTES / 2));
  for (let at = 0; at < data.length; at += piece.length) {
    const values = data.subarray(at, at + piece.length);
    const bits = piece.subarray(0, values.length);
    convert(values, bits);
    await writeAll(file, bytesOf(bits));
  }
}

const toF32: { readonly [dtype in TensorEntry['dtype']]?: (bytes: Uint8Array) => Float32Array } = {
  F32: ({ buffer }) => new Float32Array(buffer),
  F16: ({ buffer }) => converted(new Uint16Array(buffer), f32FromF16),
  BF16: ({ buffer }) => converted(new Uint16Array(buffer), f32FromBf16),
  F64: ({ buffer }) => Float32Array.from(new Float64Array(buffer)),
};

function converted(bits: Uint16Array, convert: (bits: Uint16Array, target: Float32Array) => void) {
  const values = new Float32Array(bits.length);
  convert(bits, values);
  return values;
}

const bytesOf = (array: Values | Uint16Array) =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
