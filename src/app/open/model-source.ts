/** @file Where models come from: what a user types after `--model` becomes an open model. */
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultCacheFolder } from '../../base/cache-folder.ts';
import { checkDevice, type DeviceChoice } from '../../base/device.ts';
import { ConfigError, nearestName, WeightsError } from '../../base/errors.ts';
import { exists } from '../../base/exists.ts';
import { type HubId, parseHubId } from '../../base/hub-id.ts';
import type { ProgressListener } from '../../base/progress.ts';
import { modelFolderOfGguf } from '../../engine/gguf/model-folder-of.ts';
import { type DeviceTaken, takeDevice } from '../../engine/models/device-check.ts';
import { loadModel, type Model } from '../../engine/models/model.ts';
import type { ModelWorker } from '../../engine/models/model-worker.ts';
import { isRemoteSource, needsWeights } from '../remote/address.ts';
import { hubModel } from './hub/hub-model.ts';

/** How a model is opened. */
export interface OpenModelOptions {
  /** Never use the network: models of the hub come from its cache, or not at all. */
  readonly offline?: boolean;
  /** Such as that the hub cannot be reached, and its cache is used. */
  readonly onWarning?: (message: string) => void;
  /** Where weights converted to f32 are kept; default: the environment's NEXTQUILL_CACHE, or `nextquill` in the user's folder for caches. */
  readonly cacheFolder?: string;
  /** What the model's graphs run on; `cpu` by default. `auto` is the graphics card where its self-check passes. */
  readonly device?: DeviceChoice;
  /** Computes the model in place of graphs of this package. */
  readonly worker?: ModelWorker;
  /** Told which device was taken, where one was asked for. */
  readonly onDevice?: (taken: DeviceTaken) => void;
  /** Hears of weights being downloaded and converted. */
  readonly onProgress?: ProgressListener;
  readonly signal?: AbortSignal;
}

/** The folder of the model that ships with the package; the same from src and from dist. */
export const embeddedModelFolder = fileURLToPath(new URL('../../../models/embedded', import.meta.url));

/**
 * Opens a model by what a user types.
 * @param source a folder in Hugging Face's layout, a `.gguf` file, `embedded`, or a hub id such as `owner/name@revision`
 * @throws {ConfigError} for a model that the hub does not have or show, or a name that is neither a path nor an id
 * @throws {WeightsError} when a file of the model is missing, truncated or unsupported
 * @throws {EngineError} when a download fails; `engine/device` when the device is not there
 * @throws {AbortedError} when `signal` is aborted
 */
export async function openModel(source: string, options: OpenModelOptions = {}): Promise<Model> {
  const { cacheFolder = defaultCacheFolder(), device: choice = 'cpu' } = options;
  checkDevice(choice);
  // Before anything is downloaded.
  const taken = await takeDevice(choice);
  if (choice !== 'cpu') options.onDevice?.(taken);
  const { device } = taken;
  const { worker } = options;
  const folder = await modelFolderOf(source, cacheFolder, options);
  const model = await loadModel(folder, cacheFolder, { ...options, asStored: worker !== undefined });
  if (worker !== undefined) return { ...model, worker };
  return device === 'cpu' ? model : { ...model, device };
}

/**
 * The folder of a model, in Hugging Face's layout; made in the cache, or downloaded into it, where it is not one yet.
 * @throws as {@link openModel}
 */
export async function modelFolderOf(
  source: string,
  cacheFolder: string,
  options: OpenModelOptions,
): Promise<string> {
  if (isRemoteSource(source)) throw needsWeights(source);
  if (source === 'embedded') {
    if (await isFolder(embeddedModelFolder)) return embeddedModelFolder;
    throw new WeightsError('model: expected the embedded model in models/embedded of the package, got none', {
      code: 'weights/no-embedded',
      hint: 'Install the package again, or name a model folder.',
    });
  }
  if (await isFolder(source)) return source;
  if (source.endsWith('.gguf') && (await exists(source)))
    return modelFolderOfGguf(source, cacheFolder, options);
  const id = await hubIdOf(source);
  if (id !== undefined) return (await hubModel(id, options)).folder;
  throw notAFolder(source, await exists(source));
}

/**
 * The source in words that mean the same model from any folder and at any time: an absolute path, or a hub id at its
 * commit, whose files are then in the cache.
 * @throws as {@link openModel} does for hub ids
 */
export async function lastingModelSource(source: string, options: OpenModelOptions = {}): Promise<string> {
  if (isRemoteSource(source)) throw needsWeights(source);
  if (source === 'embedded') return source;
  const id = await hubIdOf(source);
  return id === undefined ? resolve(source) : (await hubModel(id, options)).pinned;
}

/**
 * The hub id that a source is. An existing path is not an id. Neither is a name inside an existing folder: that is a
 * mistyped path, unless it has a revision.
 */
async function hubIdOf(source: string): Promise<HubId | undefined> {
  const id = parseHubId(source);
  if (id === undefined || (await exists(source))) return undefined;
  return id.revision === undefined && (await exists(dirname(source))) ? undefined : id;
}

function notAFolder(source: string, isFile: boolean): ConfigError {
  const error = (got: string, code: string, hint: string) =>
    new ConfigError(`model: expected a model folder, a .gguf file, a hub id or embedded, got ${got}`, {
      code,
      hint,
    });
  if (isFile)
    return error(
      `the file ${source}`,
      'model/file',
      'Name the folder that holds config.json and model.safetensors.',
    );
  const near = nearestName(source, ['embedded']);
  if (near !== undefined) return error(`"${source}"`, 'model/unknown', `Did you mean "${near}"?`);
  return error(
    `"${source}", which does not exist`,
    'model/missing',
    'Check the path; a model of the hub is named owner/name.',
  );
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
