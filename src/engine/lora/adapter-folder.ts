/** @file Adapter folders in PEFT's layout, ours or made elsewhere: written whole or not at all, read with every claim checked. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFolderAtomically } from '../../base/atomic-folder.ts';
import { WeightsError } from '../../base/errors.ts';
import { exists } from '../../base/exists.ts';
import { readJsonFile } from '../../base/json-file.ts';
import type { Model } from '../models/model.ts';
import { haveSameValues } from '../models/stored-parameters.ts';
import { checkFinite } from '../weights/finite.ts';
import { headOf, layerOf } from '../weights/model-parameter.ts';
import { openSafetensors, readTensor, writeSafetensors } from '../weights/safetensors.ts';
import type { TensorEntry } from '../weights/tensor-entry.ts';
import type { Adapter, AdapterTensor } from './adapter.ts';
import { adaptableLayers, matrixShapes } from './layers.ts';
import { baseHint, parsePeftConfig, peftConfig } from './peft-config.ts';
import { peftLayers } from './peft-layers.ts';
import { uniformAdapter } from './uniform-adapter.ts';

export type { Adapter } from './adapter.ts';

/** What `nextquill.json` says beside weights; keys beyond the two hashes belong to whoever trained. */
export interface AdapterInfo {
  readonly modelHash?: string;
  readonly tokenizerHash?: string;
  readonly [key: string]: unknown;
}

/** What {@link loadAdapter} found. */
export interface LoadedAdapter extends Adapter {
  /** Absent for adapters made elsewhere. */
  readonly info?: AdapterInfo;
  /** What a user should be told, such as that the base is another one. */
  readonly warnings: readonly string[];
}

export const INFO_FILE = 'nextquill.json';
const CONFIG_FILE = 'adapter_config.json';
const WEIGHTS_FILE = 'adapter_model.safetensors';

/**
 * Writes `adapter_config.json`, `adapter_model.safetensors` (F32) and, with `info`, `nextquill.json`.
 * @param base name or path of the base, and its commit on the hub, for PEFT's `base_model_name_or_path` and `revision`
 * @throws {EngineError} when the disk is full or the place cannot be written to
 */
export async function saveAdapter(
  folder: string,
  { lora, tensors }: Adapter,
  base: { readonly baseModel: string; readonly revision?: string; readonly info?: AdapterInfo },
): Promise<void> {
  const { baseModel, revision, info } = base;
  await writeFolderAtomically(folder, async (temporary) => {
    await writeFile(
      join(temporary, CONFIG_FILE),
      `${JSON.stringify(peftConfig(lora, baseModel, revision), null, 2)}\n`,
    );
    if (info !== undefined) await writeFile(join(temporary, INFO_FILE), `${JSON.stringify(info, null, 2)}\n`);
    const list = Object.entries(tensors).map(([name, { shape, data }]) => ({
      name,
      dtype: 'F32' as const,
      shape,
      data,
    }));
    await writeSafetensors(join(temporary, WEIGHTS_FILE), list, { format: 'pt' });
  });
}

/**
 * Reads an adapter and checks that it fits the model. One whose layers differ in rank or alpha becomes one of a single
 * rank that computes the same.
 * @throws {WeightsError} a file is missing or truncated, an option is not implemented, a matrix is missing, too many or
 *   of another shape, or the adapter was trained with another tokenizer
 */
export async function loadAdapter(folder: string, model: Model): Promise<LoadedAdapter> {
  const file = join(folder, WEIGHTS_FILE);
  const where = join(folder, CONFIG_FILE);
  const json = await readAdapterJson(folder);
  const options = parsePeftConfig(json, where);
  const layers = peftLayers(json, where, adaptableLayers(model), options);
  const opened = await openSafetensors(file);
  const expected = new Map(
    layers.flatMap((layer) => matrixShapes(layer, layer.rank)).map(({ name, shape }) => [name, shape]),
  );
  for (const [name, shape] of expected) {
    const found = opened.tensors.get(name)?.shape;
    if (found?.length === shape.length && found.every((size, axis) => size === shape[axis])) continue;
    throw wrongMatrix(`${file}: ${name}`, { name, shape, found, names: opened.tensors.keys(), json });
  }
  for (const entry of opened.tensors.values())
    if (!expected.has(entry.name)) await checkExtraTensor(file, entry, model);
  const tensors: Record<string, AdapterTensor> = {};
  for (const [name, shape] of expected) {
    const data = await readTensor(opened, name);
    checkFinite(`${file}: ${name}`, data);
    tensors[name] = { data, shape };
  }
  const info = await readInfo(folder);
  return {
    ...uniformAdapter(options, layers, adaptableLayers(model), tensors),
    ...(info === undefined ? {} : { info }),
    warnings: info === undefined ? [] : checkInfo(info, model, folder),
  };
}

interface WrongMatrix {
  readonly name: string;
  readonly shape: readonly number[];
  readonly found: readonly number[] | undefined;
  /** Of all tensors of the file. */
  readonly names: Iterable<string>;
  readonly json: Readonly<Record<string, unknown>>;
}

/** A matrix that is missing or of another shape, by what is there in its place. */
function wrongMatrix(where: string, { name, shape, found, names, json }: WrongMatrix): WeightsError {
  const error = (got: string, code: string, hint: string) =>
    new WeightsError(
      `${where}: expected shape [${shape.join(', ')}] by ${CONFIG_FILE} and the model, got ${got}`,
      { code, hint },
    );
  if (found?.includes(0))
    return error(
      `an empty tensor [${found.join(', ')}]`,
      'lora/empty-tensor',
      'Save the adapter again from gathered weights: sharded training (ZeRO-3, FSDP) leaves empty tensors.',
    );
  if (found !== undefined) return error(`[${found.join(', ')}]`, 'lora/shape', baseHint(json));
  // What wrappers put into names: torch.compile, DistributedDataParallel, the name of PEFT's adapter.
  const plain = (other: string) =>
    other.replace(/\b(_orig_mod|module|default|_checkpoint_wrapped_module)\./g, '');
  const wrapped = [...names].find((other) => plain(other) === plain(name));
  if (wrapped !== undefined)
    return error(
      `one named ${JSON.stringify(wrapped)}`,
      'lora/names',
      'Save the adapter from the model without its wrapper, so that names are PEFT’s own.',
    );
  return error('no such tensor', 'lora/shape', baseHint(json));
}

/**
 * A tensor that is no matrix of the adapter: PEFT saves the head's or the table's own weights beside them, which change
 * nothing where they are the base's.
 * @throws {WeightsError} for any other
 */
async function checkExtraTensor(file: string, entry: TensorEntry, model: Model): Promise<void> {
  const name = /^base_model\.model\.(.+?)(?:\.base_layer)?\.(weight|bias)$/.exec(entry.name);
  const layer = name?.[1] === 'lm_head' ? layerOf(headOf(model.parameters).name) : name?.[1];
  const base = model.weights.tensors.get(`${layer}.${name?.[2]}`);
  const fail = (expected: string, code: string, hint: string) =>
    new WeightsError(`${file}: ${entry.name}: expected ${expected}`, { code, hint });
  if (base === undefined)
    throw fail(
      `only matrices of the target_modules of ${CONFIG_FILE}, got another tensor`,
      'lora/extra-tensor',
      'Check that adapter_config.json belongs to the weights beside it: it does not name this layer.',
    );
  if (await haveSameValues(entry, base)) return;
  throw fail(
    `the values of the base, got others${String(entry.shape) === String(base.shape) ? '' : ` of shape [${entry.shape.join(', ')}]`}: the layer itself was trained or resized`,
    'lora/trained-base',
    'Merge the adapter into its base with PEFT, and use the merged model.',
  );
}

/**
 * The `nextquill.json` of an adapter or weights folder; undefined when there is none.
 * @throws {WeightsError} when it is not a JSON object, or a hash is not one
 */
export async function readInfo(folder: string): Promise<AdapterInfo | undefined> {
  if (!(await exists(join(folder, INFO_FILE)))) return undefined;
  const info = await readJsonFile(folder, INFO_FILE);
  for (const key of ['modelHash', 'tokenizerHash'])
    if (info[key] !== undefined && typeof info[key] !== 'string')
      throw new WeightsError(
        `${join(folder, INFO_FILE)}: ${key}: expected a hash, got ${JSON.stringify(info[key])}`,
        { code: 'run/info', hint: 'Restore the file from where the adapter came from.' },
      );
  return info;
}

/** Other token ids would be other texts: an error. Another base may be a copy in another format: a warning. */
function checkInfo(info: AdapterInfo, model: Model, folder: string): string[] {
  if (info.tokenizerHash !== undefined && info.tokenizerHash !== model.tokenizer.hash)
    throw new WeightsError(
      `${join(folder, INFO_FILE)}: tokenizer: expected ${String(info.tokenizerHash)}, which the adapter was trained with, got ${model.tokenizer.hash} of ${model.folder}`,
      {
        code: 'lora/tokenizer',
        hint: 'Use the adapter with the base model it was trained on, and its tokenizer.',
      },
    );
  if (info.modelHash === undefined || info.modelHash === model.hash) return [];
  return [
    `${folder}: the adapter was trained on another base model than ${model.folder}; its effects may mean nothing here`,
  ];
}

async function readAdapterJson(folder: string): Promise<Record<string, unknown>> {
  if (!(await exists(join(folder, CONFIG_FILE))))
    throw new WeightsError(`${join(folder, CONFIG_FILE)}: expected a file, got none`, {
      code: 'weights/missing-file',
      hint: "Name an adapter folder in PEFT's layout, such as adapter/ of a run.",
    });
  if (!(await exists(join(folder, WEIGHTS_FILE))) && (await exists(join(folder, 'adapter_model.bin'))))
    throw new WeightsError(
      `${join(folder, WEIGHTS_FILE)}: expected a file, got only adapter_model.bin (not supported)`,
      { code: 'weights/missing-file', hint: 'Save the adapter again with safe_serialization=True.' },
    );
  return readJsonFile(folder, CONFIG_FILE);
}
