/**
 * @file The header of a GGUF file, read without trust: every count, length, shape and offset is checked against the
 * file before anything of its size is made. Format: version 2 and 3 of ggml's docs/gguf.md, little-endian.
 */
import { elementCount } from '../weights/tensor-entry.ts';
import { type BlockFormat, blockFormat, formatName, readableFormats } from './block-formats.ts';
import { type Cursor, createCursor } from './cursor.ts';

/** Far beyond any real header (a vocabulary of 262,144 tokens takes 15 MB), far below what would hurt. */
export const MAX_HEADER_BYTES = 256 << 20;

/** Far beyond any vocabulary; a list of single bytes as long as a header may be would be gigabytes of numbers. */
const MAX_LIST_VALUES = 16 << 20;

/** Far beyond any model (hundreds of layers of a dozen tensors each). */
const MAX_TENSORS = 1 << 16;

/** Of an entry of the directory: a length and one letter of a name, one dimension, format and offset. */
const LEAST_TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8;

/** A value of the metadata; whole numbers beyond 2^53 are bigints. */
export type GgufValue = number | bigint | string | boolean | GgufList;
export type GgufList =
  | readonly number[]
  | readonly string[]
  | readonly boolean[]
  | readonly (number | bigint)[];

/** What the file says of one tensor. */
export interface GgufTensor {
  readonly name: string;
  readonly format: BlockFormat;
  /** Rows first, as Hugging Face writes shapes: the reverse of the file's order. */
  readonly shape: readonly number[];
  /** From the beginning of the file. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** In the order of their bytes. */
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

/** Numbers that stand for the kinds of values, with the fewest bytes that one takes. */
const valueKinds: Readonly<Record<number, { bytes: number; read: (cursor: Cursor) => GgufValue }>> = {
  0: { bytes: 1, read: (c) => c.view(1).getUint8(0) },
  1: { bytes: 1, read: (c) => c.view(1).getInt8(0) },
  2: { bytes: 2, read: (c) => c.view(2).getUint16(0, true) },
  3: { bytes: 2, read: (c) => c.view(2).getInt16(0, true) },
  4: { bytes: 4, read: (c) => c.view(4).getUint32(0, true) },
  5: { bytes: 4, read: (c) => c.view(4).getInt32(0, true) },
  6: { bytes: 4, read: (c) => c.view(4).getFloat32(0, true) },
  7: { bytes: 1, read: (c) => c.view(1).getUint8(0) !== 0 },
  8: { bytes: 8, read: (c) => c.text() },
  10: { bytes: 8, read: (c) => numberIfExact(c.view(8).getBigUint64(0, true)) },
  11: { bytes: 8, read: (c) => numberIfExact(c.view(8).getBigInt64(0, true)) },
  12: { bytes: 8, read: (c) => c.view(8).getFloat64(0, true) },
};
const LIST = 9;

const numberIfExact = (value: bigint) =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : value;

/**
 * Parses and checks a header.
 * @param start the file from its beginning; all of it, or as much as holds the header
 * @param fileBytes size of the whole file
 * @throws {WeightsError} naming the file and the key or tensor
 * @throws {MoreBytes} when the header goes on beyond `start` and the file is longer
 */
export function parseHeader(path: string, start: Uint8Array, fileBytes: number): GgufHeader {
  const cursor = createCursor(path, start, Math.min(fileBytes, MAX_HEADER_BYTES), fileBytes);
  const { fail } = cursor;
  const magic = cursor.view(4);
  if (magic.getUint32(0) !== 0x47475546)
    throw fail('expected a file that begins with GGUF, got another format');
  const version = cursor.view(4).getUint32(0, true);
  if (version !== 2 && version !== 3)
    throw fail(
      version !== 0 && version % 2 ** 16 === 0
        ? 'expected little-endian numbers, got big-endian ones'
        : `expected GGUF version 2 or 3, got ${version}`,
    );
  const tensorCount = cursor.count('tensors', LEAST_TENSOR_BYTES);
  if (tensorCount > MAX_TENSORS) throw fail(`expected at most ${MAX_TENSORS} tensors, got ${tensorCount}`);
  const metadata = readMetadata(cursor);
  const found = Array.from({ length: tensorCount }, (_, i) => readTensorInfo(cursor, i, tensorCount));
  const alignment = alignmentOf(cursor, metadata);
  const dataStart = Math.ceil(cursor.position() / alignment) * alignment;
  return { metadata, tensors: placed(cursor, found, { dataStart, alignment, fileBytes }) };
}

function readMetadata(cursor: Cursor): Map<string, GgufValue> {
  const metadata = new Map<string, GgufValue>();
  const count = cursor.count('metadata keys', 13);
  for (let i = 0; i < count; i++) {
    cursor.at(`metadata key ${i + 1} of ${count}`);
    const key = cursor.text();
    cursor.at(`metadata ${JSON.stringify(key)}`);
    if (metadata.has(key)) throw cursor.fail('expected each key once, got it again');
    const kind = cursor.view(4).getUint32(0, true);
    metadata.set(key, kind === LIST ? readList(cursor) : kindOf(cursor, kind).read(cursor));
  }
  return metadata;
}

function readList(cursor: Cursor): GgufList {
  const kind = cursor.view(4).getUint32(0, true);
  if (kind === LIST) throw cursor.fail('expected a list of plain values, got a list of lists');
  const { bytes, read } = kindOf(cursor, kind);
  const count = cursor.count('values', bytes);
  if (count > MAX_LIST_VALUES)
    throw cursor.fail(`expected a list of at most ${MAX_LIST_VALUES} values, got ${count}`);
  return Array.from({ length: count }, () => read(cursor)) as unknown as GgufList;
}

function kindOf(cursor: Cursor, kind: number) {
  if (Object.hasOwn(valueKinds, kind)) return valueKinds[kind]!;
  throw cursor.fail(`expected a value of a kind from 0 to 12, got ${kind}`);
}

/** A tensor whose offset still counts from the beginning of the data. */
type Unplaced = GgufTensor;

function readTensorInfo(cursor: Cursor, index: number, count: number): Unplaced {
  cursor.at(`tensor ${index + 1} of ${count}`);
  const name = cursor.text();
  cursor.at(`tensor ${JSON.stringify(name)}`);
  const axes = cursor.view(4).getUint32(0, true);
  if (axes < 1 || axes > 4) throw cursor.fail(`expected 1 to 4 dimensions, got ${axes}`);
  const sizes = Array.from({ length: axes }, () => cursor.view(8).getBigUint64(0, true));
  const shape = sizes.reverse().map(Number);
  const values = elementCount(shape);
  if (values === undefined || values === 0)
    throw cursor.fail(`expected sizes whose product is from 1 to 2^53, got [${sizes.join(', ')}]`);
  const type = cursor.view(4).getUint32(0, true);
  const format = blockFormat(type);
  if (format === undefined)
    throw cursor.fail(`expected one of ${readableFormats.join(', ')}, got ${formatName(type)}`, {
      code: 'gguf/unsupported-format',
      hint: 'Use a file in one of these formats.',
    });
  if (shape.at(-1)! % format.blockValues !== 0)
    throw cursor.fail(
      `expected rows of a multiple of ${format.blockValues} values for ${format.name}, got [${shape.join(', ')}]`,
    );
  const offset = cursor.view(8).getBigUint64(0, true);
  return {
    name,
    format,
    shape,
    byteOffset: Number(offset),
    byteLength: (values / format.blockValues) * format.blockBytes,
  };
}

function alignmentOf(cursor: Cursor, metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = metadata.get('general.alignment') ?? 32;
  if (
    typeof alignment === 'number' &&
    alignment >= 1 &&
    alignment <= 1 << 20 &&
    Number.isInteger(Math.log2(alignment))
  )
    return alignment;
  cursor.at('metadata "general.alignment"');
  throw cursor.fail(`expected a power of two up to 2^20, got ${String(alignment)}`);
}

interface Layout {
  readonly dataStart: number;
  readonly alignment: number;
  readonly fileBytes: number;
}

/** The tensors with their bytes in the file: aligned, inside it, none over another. */
function placed(cursor: Cursor, found: readonly Unplaced[], layout: Layout): Map<string, GgufTensor> {
  const { dataStart, alignment, fileBytes } = layout;
  const tensors = new Map<string, GgufTensor>();
  let end = 0;
  let last = '';
  for (const tensor of [...found].sort((a, b) => a.byteOffset - b.byteOffset)) {
    const { name, byteOffset, byteLength } = tensor;
    cursor.at(`tensor ${JSON.stringify(name)}`);
    if (tensors.has(name)) throw cursor.fail('expected each name once, got it again');
    if (byteOffset % alignment !== 0)
      throw cursor.fail(`expected an offset that is a multiple of ${alignment}, got ${byteOffset}`);
    if (byteOffset < end)
      throw cursor.fail(`expected its bytes to begin after tensor ${last}, got an overlap`);
    end = byteOffset + byteLength;
    last = JSON.stringify(name);
    if (!(dataStart + end <= fileBytes))
      throw cursor.fail(`expected its bytes to end at ${dataStart + end}, got a file of ${fileBytes} bytes`, {
        code: 'weights/truncated',
        hint: 'Download or copy the file again; it may be truncated.',
      });
    tensors.set(name, { ...tensor, byteOffset: dataStart + byteOffset });
  }
  return tensors;
}
