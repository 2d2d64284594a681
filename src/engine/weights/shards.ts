/** @file A model in several safetensors files: the index says which file holds which tensor. */
import { join } from 'node:path';
import { WeightsError } from '../../base/errors.ts';
import { entryOf, openSafetensors, type SafetensorsFile } from './safetensors.ts';
import type { TensorDirectory, TensorEntry } from './tensor-entry.ts';

/** What Hugging Face calls the index. */
export const INDEX_FILE = 'model.safetensors.index.json';

/**
 * The tensors that an index names, each in its file, and those that the same files hold besides.
 * @param index the parsed file
 * @throws {WeightsError} when the index is malformed or names a file outside the folder; a file is missing or damaged;
 *   a tensor is not where the index says
 */
export async function openShards(
  folder: string,
  index: Readonly<Record<string, unknown>>,
): Promise<TensorDirectory> {
  const path = join(folder, INDEX_FILE);
  const fail = (what: string) =>
    new WeightsError(`${path}: weight_map: ${what}`, {
      code: 'weights/index',
      hint: 'Download the index and the files that it names again.',
    });
  const map = index.weight_map;
  if (map === null || typeof map !== 'object' || Array.isArray(map))
    throw fail('expected an object of tensors and their files, got another value');
  const files = new Map<string, SafetensorsFile>();
  const tensors = new Map<string, TensorEntry>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== 'string' || !/^[^/\\\0]+\.safetensors$/.test(file))
      throw fail(
        `${JSON.stringify(name)}: expected a .safetensors file beside the index, got ${JSON.stringify(file)}`,
      );
    const opened = files.get(file) ?? (await openSafetensors(join(folder, file)));
    files.set(file, opened);
    tensors.set(name, entryOf(opened, name));
  }
  if (tensors.size === 0) throw fail('expected some tensors, got none');
  // What the index leaves out is in the files all the same: whoever uses them decides what it means.
  for (const file of files.values())
    for (const [name, entry] of file.tensors) if (!tensors.has(name)) tensors.set(name, entry);
  return { path, tensors };
}
