/** @file Names weights by all that they hold: a model with one number changed has another name. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { throwIfAborted } from '../../base/errors.ts';
import { canonicalJson } from '../../base/hash.ts';
import { rememberedHash } from './content-hash.ts';
import type { ConversionOptions } from './f32-cache.ts';
import { readFully, withFile } from './read-file.ts';
import type { TensorDirectory } from './tensor-entry.ts';

/** Bytes that are read at a time. */
const PIECE_BYTES = 8 << 20;

/**
 * SHA-256 of names, dtypes, shapes and bytes of all tensors. The same tensors in one file or in several have the same.
 * @param cacheFolder where the hash of large files is remembered
 * @throws {WeightsError} when a file has been cut since it was opened
 * @throws {AbortedError} when `signal` is aborted
 * Cost: one read of the files, at the first call for large ones.
 */
export async function weightsFingerprint(
  directory: TensorDirectory,
  cacheFolder: string,
  options: ConversionOptions = {},
): Promise<string> {
  const files = [...new Set([...directory.tensors.values()].map(({ file }) => file))].sort();
  return rememberedHash('tensors', files, cacheFolder, () => hashOf(directory, options));
}

async function hashOf(
  { path, tensors }: TensorDirectory,
  { onProgress = () => {}, signal }: ConversionOptions,
): Promise<string> {
  const hash = createHash('sha256');
  const sorted = [...tensors.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const total = sorted.reduce((sum, { byteLength }) => sum + byteLength, 0);
  let done = 0;
  const piece = new Uint8Array(Math.min(PIECE_BYTES, total));
  for (const { name, dtype, shape, file, byteOffset, byteLength } of sorted) {
    hash.update(canonicalJson([name, dtype, shape]));
    await withFile(file, file, async (handle) => {
      for (let at = 0; at < byteLength; at += PIECE_BYTES) {
        throwIfAborted(signal);
        const bytes = piece.subarray(0, Math.min(PIECE_BYTES, byteLength - at));
        await readFully(handle, bytes, byteOffset + at, file);
        hash.update(bytes);
        done += bytes.byteLength;
        // Small files are read before anybody looks.
        if (total > PIECE_BYTES)
          onProgress({
            stage: `hashing ${basename(path)}`,
            done: Math.round(done / 1e6),
            total: Math.round(total / 1e6),
            unit: 'MB',
          });
      }
    });
  }
  return hash.digest('hex');
}
