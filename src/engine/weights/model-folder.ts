/** @file A model folder in Hugging Face's layout: config.json, the weights and the tokenizer, all looked at first. */
import { readdir, realpath, stat } from 'node:fs/promises';
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
  await refuseOtherFolders(path);
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
  const names = await readdir(folder);
  const found = (pattern: RegExp) => names.filter((name) => pattern.test(name)).sort();
  const [pickle] = found(/^(pytorch_model.*\.bin|.*\.pth?)$/);
  const shards = found(/-of-\d+\.safetensors$/);
  const others = found(/\.safetensors$/);
  if (shards.length > 0)
    throw new WeightsError(
      `${join(folder, INDEX_FILE)}: expected a file that says which tensor is in ${shards[0]} and the ${shards.length - 1} others, got none`,
      { code: 'weights/no-index', hint: `Download ${INDEX_FILE} of the model too.` },
    );
  if (others.length > 0)
    throw new WeightsError(`${single}: expected a file, got only ${others.slice(0, 3).join(', ')}`, {
      code: 'weights/missing-file',
      hint: 'Give the weights of the model this name, or save the model again with save_pretrained.',
    });
  throw missingFile(single, pickle === undefined ? 'none' : `only ${pickle} (not supported)`);
}

/** Folders that hold something else than a model, told by what they are. */
async function refuseOtherFolders(folder: string): Promise<void> {
  if (await exists(join(folder, 'config.json'))) return;
  const names = await readdir(folder);
  const refuse = (got: string, code: string, hint: string) =>
    new WeightsError(`${folder}: expected a model folder, got ${got}`, { code, hint });
  if (names.includes('adapter_config.json')) {
    const { base_model_name_or_path: base } = await readJsonFile(folder, 'adapter_config.json');
    throw refuse(
      'a LoRA adapter',
      'weights/adapter-folder',
      `Name it with --adapter, and its base with --model${typeof base === 'string' ? `: ${JSON.stringify(base.slice(0, 200))}` : ''}.`,
    );
  }
  if (names.includes('manifest.json')) {
    const part = ['weights', 'adapter'].find((name) => names.includes(name));
    if (part !== undefined)
      throw refuse(
        'the folder of a run',
        'weights/run-folder',
        `Name what it has trained: --${part === 'weights' ? 'model' : part} ${join(folder, part)}.`,
      );
  }
  const [gguf] = names.filter((name) => name.endsWith('.gguf')).sort();
  if (gguf !== undefined)
    throw refuse(
      'one that holds a GGUF file',
      'weights/gguf-folder',
      `Name the file itself: ${join(folder, gguf)}.`,
    );
}
