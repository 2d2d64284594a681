/** @file Names weights by their header and a sample of every tensor: tells two fine-tunes of one model apart, at no cost. */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../../base/hash.ts';
import { withFile } from './read-file.ts';
import type { TensorDirectory } from './tensor-entry.ts';

/** Bytes taken from the beginning and from the end of each tensor. */
const SAMPLE_BYTES = 2048;

/**
 * SHA-256 of names, dtypes, shapes and both ends of each tensor. Training moves every number of a tensor, so another
 * checkpoint has another name, and the same tensors in one file or several have the same; a change inside a large tensor
 * alone is not seen.
 * Cost: two small reads for each tensor.
 */
export async function weightsFingerprint(directory: TensorDirectory): Promise<string> {
  const hash = createHash('sha256');
  const tensors = [...directory.tensors.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, dtype, shape, file, byteOffset, byteLength } of tensors) {
    hash.update(canonicalJson([name, dtype, shape]));
    const length = Math.min(SAMPLE_BYTES, byteLength);
    await withFile(file, file, async (handle) => {
      for (const start of [byteOffset, byteOffset + byteLength - length]) {
        const { buffer, bytesRead } = await handle.read(new Uint8Array(length), 0, length, start);
        hash.update(buffer.subarray(0, bytesRead));
      }
    });
  }
  return hash.digest('hex');
}
