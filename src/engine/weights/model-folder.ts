/** @file A model folder in Hugging Face's layout: config.json, the weights and the tokenizer, all looked at first. */
import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { WeightsError } from '../../base/errors.ts';
import { exists } from '../../base/exists.ts';
import { missingFile, readJsonFile } from '../../base/json-file.ts';
import { openSafetensors } from './safetensors.ts';
import { INDEX_FILE, openShards } from './shards.ts';
import type { TensorDirectory } from './tensor-entry.ts';

/** An opened model folder. */
export interface ModelFolder {
  /** The real path. */
  readonly path: string;
  /** config.json as it is. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The weights, of one file or of several. */
  readonly weights: TensorDirectory;
}

/**
 * Opens a model folder and checks that each file that a model needs is there and whole.
 * @throws {WeightsError} naming the file that is missing, truncated or malformed
 */
export async function openModelFolder(path: string): Promise<ModelFolder> {
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined || !(await stat(real)).isDirectory())
    throw new WeightsError(
      `${path}: expected a model folder, got ${real === undefined ? 'nothing' : 'a file'}`,
      {
        code: 'weights/no-folder',
        hint: 'Name a folder that holds config.json, model.safetensors and tokenizer.json.',
      },
    );
  const config = await readJsonFile(path, 'config.json');
  if (!(await exists(join(path, 'tokenizer.json')))) throw missingFile(join(path, 'tokenizer.json'), 'none');
  return { path: real, config, weights: await openWeights(path) };
}

/** One file where there is one, as transformers prefers it; else the files that the index names. */
async function openWeights(folder: string): Promise<TensorDirectory> {
  const single = join(folder, 'model.safetensors');
  if (await exists(single)) return openSafetensors(single);
  if (await exists(join(folder, INDEX_FILE)))
    return openShards(folder, await readJsonFile(folder, INDEX_FILE));
  const hasPickle = await exists(join(folder, 'pytorch_model.bin'));
  throw missingFile(single, hasPickle ? 'only pytorch_model.bin (not supported)' : 'none');
}
