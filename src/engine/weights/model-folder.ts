/** @file A model folder in Hugging Face's layout: config.json, the weights and the tokenizer, all looked at first. */
import { access, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { WeightsError } from '../../base/errors.ts';
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
  if (!(await exists(join(path, 'tokenizer.json')))) throw missing(join(path, 'tokenizer.json'), 'none');
  return { path: real, config, weights: await openWeights(path) };
}

/**
 * One JSON object of a model folder.
 * @throws {WeightsError} when the file is missing, no JSON (as when it was cut), or no object
 */
export async function readJsonFile(folder: string, name: string): Promise<Record<string, unknown>> {
  const file = join(folder, name);
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw missing(file, cause.code === 'ENOENT' ? 'none' : String(cause.code), cause);
  });
  try {
    const json: unknown = JSON.parse(text);
    if (json !== null && typeof json === 'object' && !Array.isArray(json))
      return json as Record<string, unknown>;
  } catch (cause) {
    throw new WeightsError(
      `${file}: expected JSON, got text that ends or breaks (${text.length} characters)`,
      {
        code: 'weights/malformed-json',
        hint: 'Download or copy the file again; it may be truncated.',
        cause,
      },
    );
  }
  throw new WeightsError(`${file}: expected a JSON object, got another value`, {
    code: 'weights/malformed-json',
    hint: 'Download or copy the file again.',
  });
}

/** One file where there is one, as transformers prefers it; else the files that the index names. */
async function openWeights(folder: string): Promise<TensorDirectory> {
  const single = join(folder, 'model.safetensors');
  if (await exists(single)) return openSafetensors(single);
  if (await exists(join(folder, INDEX_FILE)))
    return openShards(folder, await readJsonFile(folder, INDEX_FILE));
  const hasPickle = await exists(join(folder, 'pytorch_model.bin'));
  throw missing(single, hasPickle ? 'only pytorch_model.bin (not supported)' : 'none');
}

function missing(file: string, got: string, cause?: unknown): WeightsError {
  return new WeightsError(`${file}: expected a file, got ${got}`, {
    code: 'weights/missing-file',
    hint: `Put the model's ${basename(file)} into the folder.`,
    ...(cause === undefined ? {} : { cause }),
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
