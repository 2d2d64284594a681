/** @file Names weights by their header and a sample of every tensor: tells two fine-tunes of one model apart, at no cost. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { canonicalJson } from '../../base/hash.ts';
import type { SafetensorsFile } from './safetensors.ts';

/** Bytes taken from the beginning and from the end of each tensor. */
const SAMPLE_BYTES = 2048;

/**
 * SHA-256 of names, dtypes, shapes and both ends of each tensor. Training moves every number of a tensor, so another
 * checkpoint has another name; a change inside a large tensor alone is not seen.
 * Cost: two small reads for each tensor.
 */
export async function weightsFingerprint(file: SafetensorsFile): Promise<string> {
  const hash = createHash('sha256');
  const tensors = [...file.tensors.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const handle = await open(file.path, 'r');
  try {
    for (const { name, dtype, shape, byteOffset, byteLength } of tensors) {
      hash.update(canonicalJson([name, dtype, shape]));
      const length = Math.min(SAMPLE_BYTES, byteLength);
      for (const start of [byteOffset, byteOffset + byteLength - length]) {
        const { buffer, bytesRead } = await handle.read(new Uint8Array(length), 0, length, start);
        hash.update(buffer.subarray(0, bytesRead));
      }
    }
  } finally {
    await handle.close();
  }
  return hash.digest('hex');
}
