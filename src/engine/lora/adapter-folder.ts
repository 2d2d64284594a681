/** @file Adapter folders in PEFT's layout, ours or made elsewhere: written whole or not at all, read with every claim checked. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFolderAtomically } from '../../base/atomic-folder.ts';
import { WeightsError } from '../../base/errors.ts';
import { exists } from '../../base/exists.ts';
import { readJsonFile } from '../../base/json-file.ts';
import type { Model } from '../models/model.ts';
import { openSafetensors, readTensor, writeSafetensors } from '../weights/safetensors.ts';
import type { Adapter, AdapterTensor } from './adapter.ts';
import { adaptableLayers, matrixShapes } from './layers.ts';
import { parsePeftConfig, peftConfig } from './peft-config.ts';
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
    throw new WeightsError(
      `${file}: ${name}: expected shape [${shape.join(', ')}] by ${CONFIG_FILE} and the model, got ${found === undefined ? 'no such tensor' : `[${found.join(', ')}]`}`,
      { code: 'lora/shape', hint: 'Use the adapter with the base model it was trained on.' },
    );
  }
  const extra = [...opened.tensors.keys()].find((name) => !expected.has(name));
  if (extra !== undefined)
    throw new WeightsError(
      `${file}: expected the matrices of ${CONFIG_FILE}'s target_modules only, got ${JSON.stringify(extra)} too`,
      { code: 'lora/extra-tensor', hint: 'Use the adapter with the base model it was trained on.' },
    );
  const tensors: Record<string, AdapterTensor> = {};
  for (const [name, shape] of expected) tensors[name] = { data: await readTensor(opened, name), shape };
  const info = await readInfo(folder);
  return {
    ...uniformAdapter(options, layers, adaptableLayers(model), tensors),
    ...(info === undefined ? {} : { info }),
    warnings: info === undefined ? [] : checkInfo(info, model, folder),
  };
}

/**
 * The `nextquill.json` of an adapter or weights folder; undefined when there is none.
 * @throws {WeightsError} when it is no JSON object
 */
export async function readInfo(folder: string): Promise<AdapterInfo | undefined> {
  return (await exists(join(folder, INFO_FILE))) ? await readJsonFile(folder, INFO_FILE) : undefined;
}

/** Other token ids would be other texts: an error. Another base may be a copy in another format: a warning. */
function checkInfo(info: AdapterInfo, model: Model, folder: string): string[] {
  if (info.tokenizerHash !== undefined && info.tokenizerHash !== model.tokenizer.hash)
    throw new WeightsError(
      `${join(folder, INFO_FILE)}: tokenizer: expected ${String(info.tokenizerHash)}, which the adapter was trained with, got ${model.tokenizer.hash} of ${model.folder}`,
      { code: 'lora/tokenizer', hint: 'Use the adapter with the base model it was trained on.' },
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
