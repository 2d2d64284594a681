/** @file GGUF files: opened with every claim of the header checked, tensors read as f32 piece by piece. */
import type { FileHandle } from 'node:fs/promises';
import { WeightsError } from '../../base/errors.ts';
import { foreignFile } from '../../base/file-kind.ts';
import { openToRead, readFully, realFile, withFile } from '../weights/read-file.ts';
import { readBlocks } from './block-formats.ts';
import { MoreBytes } from './cursor.ts';
import { type GgufHeader, type GgufTensor, type GgufValue, parseHeader } from './header.ts';

/** Bytes that are read first; most headers with a vocabulary of 50,000 tokens fit. */
const FIRST_BYTES = 4 << 20;

/** Values that are read at a time, unless a group of rows holds more. */
const PIECE_VALUES = 4 << 20;

/** A tensor, and the file that holds it. */
export interface FileTensor extends GgufTensor {
  /** The real path. */
  readonly file: string;
}

/** An opened model: metadata and directory of tensors; the weights stay on disk. */
export interface GgufFile {
  /** The real path of the file, or of its first part. */
  readonly path: string;
  /** The real paths of all parts in their order; of a whole file its own. */
  readonly files: readonly string[];
  readonly metadata: GgufHeader['metadata'];
  readonly tensors: ReadonlyMap<string, FileTensor>;
}

/**
 * Opens one GGUF file and checks its whole header against the file.
 * @throws {WeightsError} when the file is missing, truncated, or not what the format allows
 */
export async function openGgufFile(path: string): Promise<GgufFile> {
  const real = await realFile(path, '.gguf');
  return withFile(real, path, async (handle) => {
    const { size } = await handle.stat();
    const { metadata, tensors } = await headerOf(path, handle, size);
    const placed = [...tensors].map(([name, tensor]) => [name, { ...tensor, file: real }] as const);
    return { path: real, files: [real], metadata, tensors: new Map(placed) };
  });
}

async function headerOf(path: string, handle: FileHandle, size: number): Promise<GgufHeader> {
  for (let length = Math.min(size, FIRST_BYTES); ; ) {
    const start = new Uint8Array(length);
    await readFully(handle, start, 0, path);
    try {
      return parseHeader(path, start, size);
    } catch (error) {
      if (!(error instanceof MoreBytes)) throw foreignOf(path, start) ?? error;
      length = Math.min(size, Math.max(error.needed, 2 * length));
    }
  }
}

/** A file that begins as another kind does; one that says GGUF is one. */
const foreignOf = (path: string, start: Uint8Array) => {
  const foreign = foreignFile(path, start);
  return foreign?.code === 'weights/gguf' ? undefined : foreign;
};

/**
 * The values of a tensor, in pieces of whole groups of rows.
 * @param rowsPerGroup rows that must come together; divides the rows
 * @returns f32 pieces in the file's order; each is the caller's own
 * @throws {WeightsError} when the file has changed since
 */
export async function* tensorPieces(
  { file, format, shape, byteOffset, byteLength }: FileTensor,
  rowsPerGroup = 1,
): AsyncGenerator<Float32Array> {
  const groupValues = shape.at(-1)! * rowsPerGroup;
  const groupBytes = (groupValues / format.blockValues) * format.blockBytes;
  const pieceBytes = Math.max(1, Math.floor(PIECE_VALUES / groupValues)) * groupBytes;
  const handle = await openToRead(file, file);
  try {
    for (let at = 0; at < byteLength; at += pieceBytes) {
      const bytes = new Uint8Array(Math.min(pieceBytes, byteLength - at));
      await readFully(handle, bytes, byteOffset + at, file);
      const values = new Float32Array((bytes.byteLength / format.blockBytes) * format.blockValues);
      readBlocks(format, bytes, values);
      yield values;
    }
  } finally {
    await handle.close();
  }
}

/** A value of the metadata that must be there. @throws {WeightsError} naming the key when it is missing or of another type */
export function metadataValue<T extends keyof MetadataTypes>(
  file: GgufFile,
  key: string,
  type: T,
): MetadataTypes[T] {
  const value = optionalValue(file, key, type);
  if (value !== undefined) return value;
  throw badValue(file, key, type, 'none');
}

/** A value of the metadata, or undefined. @throws {WeightsError} naming the key when it is of another type */
export function optionalValue<T extends keyof MetadataTypes>(
  file: GgufFile,
  key: string,
  type: T,
): MetadataTypes[T] | undefined {
  const value = file.metadata.get(key);
  if (value === undefined || isOfType[type](value)) return value as MetadataTypes[T] | undefined;
  throw badValue(
    file,
    key,
    type,
    Array.isArray(value) ? `a list of ${value.length}` : String(value).slice(0, 60),
  );
}

interface MetadataTypes {
  number: number;
  string: string;
  boolean: boolean;
  numbers: readonly number[];
  strings: readonly string[];
}

const isListOf = (type: string) => (value: GgufValue) =>
  Array.isArray(value) && value.every((one) => typeof one === type);

const isOfType: { readonly [type in keyof MetadataTypes]: (value: GgufValue) => boolean } = {
  number: (value) => typeof value === 'number',
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  numbers: isListOf('number'),
  strings: isListOf('string'),
};

function badValue(file: GgufFile, key: string, type: keyof MetadataTypes, got: string): WeightsError {
  const expected = type.endsWith('s') ? `a list of ${type}` : `a ${type}`;
  return new WeightsError(`${file.path}: metadata ${JSON.stringify(key)}: expected ${expected}, got ${got}`, {
    code: 'gguf/metadata',
    hint: 'Convert the model to GGUF again.',
  });
}
