/** @file Weights that a runtime can map: a file whose tensors are F32 already, or its copy in F32, made once. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { WeightsError } from '../../base/errors.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';
import { contentHash } from './content-hash.ts';
import {
  entryOf,
  openSafetensors,
  readTensor,
  type SafetensorsFile,
  writeSafetensors,
} from './safetensors.ts';

/**
 * A file in which all needed tensors are F32: the given one where that holds, else its F32 copy in the cache.
 *
 * The copy is written under another name and renamed, so processes that convert at the same time do no harm.
 * @param cacheFolder made when it is missing; nothing is written when no conversion is needed
 * @param needed names of the tensors that will be used; default all of a float dtype
 * @throws {WeightsError} when a needed tensor is missing or no float
 * @throws {EngineError} when the cache cannot be written
 * Cost: one read and one write of the model at the first call, the largest tensor in memory.
 */
export async function mappedF32(
  file: SafetensorsFile,
  cacheFolder: string,
  needed: readonly string[] = floatNames(file),
): Promise<SafetensorsFile> {
  const entries = needed.map((name) => entryOf(file, name));
  if (entries.every((entry) => entry.dtype === 'F32')) return file;
  const contentKey = await contentHash(file.path, cacheFolder);
  const path = join(
    cacheFolder,
    `${sha256(canonicalJson({ contentKey, needed })).slice(0, 32)}.f32.safetensors`,
  );
  const cached = await openIfWhole(path, needed);
  if (cached) return cached;
  await mkdir(cacheFolder, { recursive: true });
  await writeSafetensors(
    path,
    entries.map(({ name, shape }) => ({ name, dtype: 'F32', shape, data: () => readTensor(file, name) })),
    { ...file.metadata, convertedFrom: contentKey },
  );
  return openSafetensors(path);
}

function floatNames(file: SafetensorsFile): string[] {
  return [...file.tensors.values()].filter(({ dtype }) => /^(F|BF)\d/.test(dtype)).map(({ name }) => name);
}

/** The cached copy, or undefined when there is none or it is damaged (it is then made again). */
async function openIfWhole(path: string, needed: readonly string[]): Promise<SafetensorsFile | undefined> {
  try {
    const cached = await openSafetensors(path);
    return needed.every((name) => cached.tensors.get(name)?.dtype === 'F32') ? cached : undefined;
  } catch (error) {
    if (error instanceof WeightsError) return undefined;
    throw error;
  }
}
