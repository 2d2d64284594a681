/** @file Writes GGUF files byte by byte, lies included: what a hostile file may hold. */

import { type GgufHeader, parseHeader } from '../../src/engine/gguf/header.ts';

/** Key, number of the kind, value; a list as its values, or as the kind and count that it claims to have. */
export type MetadataToWrite = readonly [
  key: string,
  kind: number,
  value: string | number | bigint | readonly (string | number)[] | readonly [number, bigint],
];

export interface GgufParts {
  readonly magic?: string;
  readonly version?: number;
  /** The counts that the file claims; the true ones by default. */
  readonly tensorCount?: bigint;
  readonly keyCount?: bigint;
  readonly metadata?: readonly MetadataToWrite[];
  readonly tensors?: readonly { name: string; sizes: readonly bigint[]; type: number; offset: bigint }[];
  readonly data?: Uint8Array;
}

/** Numbers of the formats, by name. */
export const ggufTypes: Readonly<Record<string, number>> = {
  F32: 0,
  F16: 1,
  Q4_0: 2,
  Q4_1: 3,
  Q5_0: 6,
  Q5_1: 7,
  Q8_0: 8,
  Q4_K: 12,
  Q6_K: 14,
  BF16: 30,
};

/** Metadata that were read, to be written again; numbers become f64. */
export function metadataToWrite(metadata: GgufHeader['metadata']): Map<string, MetadataToWrite> {
  const kinds = new Map<string, MetadataToWrite>();
  for (const [key, value] of metadata) {
    if (typeof value === 'string') kinds.set(key, [key, 8, value]);
    else if (typeof value === 'number') kinds.set(key, [key, 12, value]);
    else if (typeof value === 'boolean') kinds.set(key, [key, 7, value ? 1 : 0]);
    else if (Array.isArray(value)) kinds.set(key, [key, 9, value as readonly (string | number)[]]);
  }
  return kinds;
}

const number = (size: number, write: (buffer: Buffer) => void) => {
  const buffer = Buffer.alloc(size);
  write(buffer);
  return buffer;
};
const u32 = (value: number) => number(4, (b) => b.writeUInt32LE(value));
const u64 = (value: bigint) => number(8, (b) => b.writeBigUInt64LE(value));
const f64 = (value: number) => number(8, (b) => b.writeDoubleLE(value));
const text = (value: string) => {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(BigInt(bytes.length)), bytes]);
};

function valueBytes(kind: number, value: MetadataToWrite[2]): Buffer {
  if (Array.isArray(value)) return listBytes(value as readonly (string | number | bigint)[]);
  if (typeof value === 'bigint') return u64(value); // the length of a text that is not there
  if (typeof value === 'string') return text(value);
  if (kind === 12) return f64(value as number);
  if (kind === 7) return Buffer.of(value as number);
  if (kind === 2) return number(2, (b) => b.writeUInt16LE(value as number));
  return u32(value as number);
}

function listBytes(values: readonly (string | number | bigint)[]): Buffer {
  const [kind, claimed] = values;
  if (typeof claimed === 'bigint') return Buffer.concat([u32(kind as number), u64(claimed)]);
  const isText = typeof values[0] === 'string';
  const items = values.map((value) => (isText ? text(value as string) : f64(value as number)));
  return Buffer.concat([u32(isText ? 8 : 12), u64(BigInt(values.length)), ...items]);
}

/** The bytes of a file. */
export function ggufBytes(parts: GgufParts): Uint8Array {
  const { magic = 'GGUF', version = 3, metadata = [], tensors = [], data = new Uint8Array() } = parts;
  const header = Buffer.concat([
    Buffer.from(magic),
    u32(version),
    u64(parts.tensorCount ?? BigInt(tensors.length)),
    u64(parts.keyCount ?? BigInt(metadata.length)),
    ...metadata.flatMap(([key, kind, value]) => [text(key), u32(kind), valueBytes(kind, value)]),
    ...tensors.flatMap(({ name, sizes, type, offset }) => [
      text(name),
      u32(sizes.length),
      ...sizes.map(u64),
      u32(type),
      u64(offset),
    ]),
  ]);
  const padding = Buffer.alloc((32 - (header.length % 32)) % 32);
  return new Uint8Array(Buffer.concat([header, padding, data]));
}

/** A whole file with its metadata edited; numbers become f64. */
export function rewrittenGguf(
  whole: Uint8Array,
  edit: (metadata: Map<string, MetadataToWrite>) => void,
): Uint8Array {
  const { metadata, tensors } = parseHeader('rewritten.gguf', whole, whole.length);
  const kinds = metadataToWrite(metadata);
  edit(kinds);
  const start = Math.min(...[...tensors.values()].map(({ byteOffset }) => byteOffset));
  return ggufBytes({
    metadata: [...kinds.values()],
    tensors: [...tensors.values()].map(({ name, shape, format, byteOffset }) => ({
      name,
      sizes: [...shape].reverse().map(BigInt),
      type: ggufTypes[format.name]!,
      offset: BigInt(byteOffset - start),
    })),
    data: whole.subarray(start),
  });
}
