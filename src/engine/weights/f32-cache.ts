/** @file Weights that a runtime can map: tensors that are F32 already, in their files, and F32 copies of the others, made once. */
import { basename, join } from 'node:path';
import { removeLeftovers } from '../../base/atomic-file.ts';
import { makeCacheFolder } from '../../base/cache-folder.ts';
import { throwIfAborted, WeightsError } from '../../base/errors.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';
import type { ProgressListener } from '../../base/progress.ts';
import { contentHash } from './content-hash.ts';
import {
  entryOf,
  openSafetensors,
  type SafetensorsFile,
  tensorPieces,
  writeSafetensors,
} from './safetensors.ts';
import { DTYPE_BYTES, type TensorDirectory, type TensorEntry } from './tensor-entry.ts';

export interface ConversionOptions {
  readonly onProgress?: ProgressListener;
  readonly signal?: AbortSignal;
}

/**
 * The tensors of a model, all needed ones F32: those that are stay where they are, the others come from the cache,
 * which has one file for each file with such tensors.
 *
 * A copy is written under another name and renamed, so processes that convert at the same time do no harm.
 * @param cacheFolder made when it is missing; nothing is written when no conversion is needed
 * @param needed names of the tensors that will be used; default all of a float dtype
 * @throws {WeightsError} when a needed tensor is missing or no float
 * @throws {EngineError} when the cache cannot be written
 * @throws {AbortedError} when `signal` is aborted
 * Cost: one read and one write of what is not F32 at the first call, up to 96 MiB of memory.
 */
export async function mappedF32(
  directory: TensorDirectory,
  cacheFolder: string,
  needed: readonly string[] = floatNames(directory),
  options: ConversionOptions = {},
): Promise<TensorDirectory> {
  const entries = needed.map((name) => entryOf(directory, name)).filter(({ dtype }) => dtype !== 'F32');
  if (entries.length === 0) return directory;
  const tensors = new Map(directory.tensors);
  for (const file of new Set(entries.map((entry) => entry.file))) {
    const ofFile = entries.filter((entry) => entry.file === file);
    const copy = await convertedCopy(file, ofFile, cacheFolder, options);
    for (const { name } of ofFile) tensors.set(name, copy.tensors.get(name)!);
  }
  return { path: directory.path, tensors };
}

async function convertedCopy(
  file: string,
  entries: readonly TensorEntry[],
  cacheFolder: string,
  { onProgress = () => {}, signal }: ConversionOptions,
): Promise<SafetensorsFile> {
  const contentKey = await contentHash(file, cacheFolder);
  const names = entries.map(({ name }) => name);
  const key = sha256(canonicalJson({ contentKey, needed: names })).slice(0, 32);
  const path = join(cacheFolder, `${key}.f32.safetensors`);
  const cached = await openIfWhole(path, names);
  if (cached) return cached;
  await makeCacheFolder(cacheFolder);
  await removeLeftovers(path);
  const total = entries.reduce((sum, { byteLength, dtype }) => sum + byteLength / DTYPE_BYTES[dtype], 0);
  let done = 0;
  const report = () =>
    onProgress({
      stage: `converting ${basename(file)}`,
      done: Math.round((4 * done) / 1e6),
      total: Math.round((4 * total) / 1e6),
      unit: 'MB',
    });
  report();
  const pieces = async function* (entry: TensorEntry) {
    for await (const piece of tensorPieces(entry)) {
      throwIfAborted(signal);
      yield piece;
      done += piece.length;
      report();
    }
  };
  await writeSafetensors(
    path,
    entries.map((entry) => ({
      name: entry.name,
      dtype: 'F32',
      shape: entry.shape,
      data: () => pieces(entry),
    })),
    { format: 'pt', convertedFrom: contentKey },
  );
  return openSafetensors(path);
}

function floatNames({ tensors }: TensorDirectory): string[] {
  return [...tensors.values()].filter(({ dtype }) => /^(F|BF)\d/.test(dtype)).map(({ name }) => name);
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
