/** @file Where models come from: what a user types after `--model` becomes an open model. */
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ConfigError, nearestName, WeightsError } from '../base/errors.ts';
import type { ProgressListener } from '../base/progress.ts';
import { modelFolderOfGguf } from '../engine/gguf/model-folder-of.ts';
import { defaultCacheFolder, loadModel, type Model } from '../engine/models/model.ts';

export interface OpenModelOptions {
  /** Never use the network; nothing uses it yet. */
  readonly offline?: boolean;
  /** Where weights converted to f32 are kept; default: the environment's NEXTQUILL_CACHE, or the system's folder for temporary files. */
  readonly cacheFolder?: string;
  /** Hears of weights being converted. */
  readonly onProgress?: ProgressListener;
  readonly signal?: AbortSignal;
}

/** The folder of the model that ships with the package; the same from src and from dist. */
export const embeddedModelFolder = fileURLToPath(new URL('../../models/embedded', import.meta.url));

/**
 * Opens a model by what a user types.
 * @param source a folder in Hugging Face's layout, a `.gguf` file, or `embedded`
 * @throws {ConfigError} for a hub id, or a name that is nothing
 * @throws {WeightsError} when a file of the model is missing, truncated or unsupported
 * @throws {AbortedError} when `signal` is aborted
 */
export async function openModel(source: string, options: OpenModelOptions = {}): Promise<Model> {
  const { cacheFolder = defaultCacheFolder() } = options;
  const open = (folder: string) => loadModel(folder, cacheFolder, options);
  if (source === 'embedded') {
    if (await isFolder(embeddedModelFolder)) return open(embeddedModelFolder);
    throw new WeightsError('model: expected the embedded model in models/embedded of the package, got none', {
      code: 'weights/no-embedded',
      hint: 'Install the package again, or name a model folder.',
    });
  }
  if (await isFolder(source)) return open(source);
  if (source.endsWith('.gguf') && (await exists(source)))
    return open(await modelFolderOfGguf(source, cacheFolder, options));
  throw notAFolder(source, await exists(source));
}

function notAFolder(source: string, isFile: boolean): ConfigError {
  const error = (got: string, code: string, hint: string) =>
    new ConfigError(`model: expected a model folder, a .gguf file or embedded, got ${got}`, { code, hint });
  if (isFile)
    return error(
      `the file ${source}`,
      'model/file',
      'Name the folder that holds config.json and model.safetensors.',
    );
  const near = nearestName(source, ['embedded']);
  if (near !== undefined) return error(`"${source}"`, 'model/unknown', `Did you mean "${near}"?`);
  if (/^[\w.-]+\/[\w.-]+$/.test(source) && !source.startsWith('.'))
    return error(
      `"${source}", which is no folder here; hub ids are not yet supported`,
      'model/hub',
      `Download the files of ${source} from the hub, then name their folder.`,
    );
  return error(`"${source}", which does not exist`, 'model/missing', 'Check the path.');
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
