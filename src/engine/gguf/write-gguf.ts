/** @file Writes GGUF files of f32 tensors: version 3, little-endian, whole or not at all. */
import { writeAll, writeFileAtomically } from '../../base/atomic-file.ts';

/** Metadata: texts, and numbers as f32. */
export type GgufMetadata = Readonly<Record<string, string | number>>;

export interface GgufTensorToWrite {
  readonly name: string;
  /** Rows first, as Hugging Face writes shapes. */
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

const ALIGNMENT = 32;
const MAGIC = 'GGUF';
const VERSION = 3;
const FLOAT32 = 6;
const TEXT = 8;
/** ggml's number for f32 tensors. */
const GGML_F32 = 0;

/**
 * Writes the file.
 * @throws {EngineError} when the disk is full or the place cannot be written to
 */
export async function writeGguf(
  path: string,
  metadata: GgufMetadata,
  tensors: readonly GgufTensorToWrite[],
): Promise<void> {
  const header = headerBytes(metadata, tensors);
  await writeFileAtomically(path, async (file) => {
    await writeAll(file, header);
    for (const { data } of tensors) {
      const bytes = new Uint8Array(aligned(data.byteLength));
      bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      await writeAll(file, bytes);
    }
  });
}

function headerBytes(metadata: GgufMetadata, tensors: readonly GgufTensorToWrite[]): Uint8Array {
  const entries = Object.entries(metadata);
  const parts: Buffer[] = [Buffer.from(MAGIC), u32(VERSION), u64(tensors.length), u64(entries.length)];
  for (const [key, value] of entries)
    parts.push(
      text(key),
      ...(typeof value === 'string' ? [u32(TEXT), text(value)] : [u32(FLOAT32), f32(value)]),
    );
  let offset = 0;
  for (const { name, shape, data } of tensors) {
    parts.push(text(name), u32(shape.length), ...[...shape].reverse().map(u64), u32(GGML_F32), u64(offset));
    offset += aligned(data.byteLength);
  }
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([...parts, Buffer.alloc(aligned(length) - length)]);
}

const aligned = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
}
