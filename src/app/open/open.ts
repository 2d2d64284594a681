/** @file The one way in: a model, an adapter, a run or a quantised base, opened with the settings of its prompts. */
import { join } from 'node:path';
import { exists } from '../../base/exists.ts';
import { readJsonFile } from '../../base/json-file.ts';
import type { BaseBits } from '../../engine/quantisation/blocks.ts';
import { readManifest } from '../../method/runs/manifest.ts';
import { lastingModelSource } from './model-source.ts';
import { type OpenedModel, type OpenScoredModelOptions, openScoredModel } from './scored-model.ts';

/** Options of {@link open}. */
export type OpenOptions = OpenScoredModelOptions;

/** What every verb takes: a model with its adapter, its name, and the settings of its prompts. */
export interface Opened extends OpenedModel {
  /** Names the model from any folder and at any time: an absolute path, or a hub id at its commit. */
  readonly source: string;
  readonly baseBits?: BaseBits;
}

/**
 * Opens a model for all verbs: effects, audit, evaluate, explain, refute, generate and train. Prompt settings that were saved
 * beside an adapter or trained weights win over the defaults, so that training and scoring cannot differ.
 * @param source `embedded`, a folder in Hugging Face's layout, a `.gguf` file, a hub id such as `owner/name@revision`, the
 *   folder of a finished run, or the folder of an adapter, whose base is opened with it
 * @throws {ConfigError} for a model that the hub does not have or show, a name of nothing, more tokens than positions, and
 *   integer products where nothing computes them
 * @throws {WeightsError} when a file is missing, truncated or unsupported, or model and adapter do not fit each other
 * @throws {EngineError} when a download fails
 * @throws {AbortedError} when `signal` is aborted
 * @example
 * const model = await open('embedded');
 * const result = await audit(model, await readExamples('sotu'));
 */
export async function open(source: string, options: OpenOptions = {}): Promise<Opened> {
  const parts = options.adapter === undefined ? await partsOf(source) : { base: source };
  const opened = await openScoredModel(parts.base, {
    ...options,
    ...(parts.adapter !== undefined && { adapter: parts.adapter }),
  });
  const lasting = await lastingModelSource(parts.base, options);
  const { quantised } = opened.model;
  return { ...opened, source: lasting, ...(quantised && { baseBits: quantised.bits }) };
}

/** The base and the adapter of a run's folder or of an adapter's; anything else is a base. */
async function partsOf(source: string): Promise<{ readonly base: string; readonly adapter?: string }> {
  const has = (...path: string[]) => exists(join(source, ...path));
  if (await has('manifest.json')) {
    if (await has('weights', 'config.json')) return { base: join(source, 'weights') };
    const { model } = await readManifest(source);
    return { base: model.source, adapter: join(source, 'adapter') };
  }
  if (!(await has('adapter_config.json'))) return { base: source };
  const config = await readJsonFile(source, 'adapter_config.json');
  const { base_model_name_or_path: base, revision } = config;
  if (typeof base !== 'string') return { base: source };
  return { base: typeof revision === 'string' ? `${base}@${revision}` : base, adapter: source };
}
