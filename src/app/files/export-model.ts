/** @file A model or adapter in the formats of other tools: merged weights, a PEFT folder, a GGUF adapter. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, throwIfAborted } from '../../base/errors.ts';
import { adapterBase } from '../../base/hub-id.ts';
import { checkFilePlace, checkWholeFolderPlace } from '../../base/output-place.ts';
import { type LoadedAdapter, loadAdapter, saveAdapter } from '../../engine/lora/adapter-folder.ts';
import { saveGgufAdapter } from '../../engine/lora/gguf-adapter.ts';
import { mergedWeights } from '../../engine/lora/merge.ts';
import type { Model } from '../../engine/models/model.ts';
import { saveModel } from '../../engine/models/save-model.ts';
import { readTensor } from '../../engine/weights/safetensors.ts';
import { adapterFolder } from '../../method/runs/users-folder.ts';
import { lastingModelSource, type OpenModelOptions, openModel } from '../open/model-source.ts';

/** `merged`: Hugging Face's layout, the adapter in the weights; `peft`: an adapter folder; `gguf-lora`: an adapter for llama.cpp. */
export type ExportFormat = 'merged' | 'peft' | 'gguf-lora';

/** Element types of merged weights. */
export type ExportDtype = 'f32' | 'f16' | 'bf16';

/** What is exported, and where. */
export interface ExportOptions extends OpenModelOptions {
  /** A folder for `merged` and `peft`, a file for `gguf-lora`. */
  readonly out: string;
  readonly format: ExportFormat;
  /** An adapter folder in PEFT's layout; without it `merged` writes the model itself. */
  readonly adapter?: string;
  /** Of merged weights; default f32. Adapters stay f32. */
  readonly dtype?: ExportDtype;
  /** Largest file of merged weights, bytes; default 5 GB, as other tools have it. */
  readonly maxShardBytes?: number;
  /** Replaces a file, or a folder that holds a model or an adapter. */
  readonly force?: boolean;
}

/** What was written. */
export interface ExportResult {
  readonly format: ExportFormat;
  readonly path: string;
  readonly files: readonly string[];
  readonly bytes: number;
}

const DEFAULT_SHARD_BYTES = 5e9;

/**
 * Writes a model or its adapter for other tools.
 * @param source as {@link openModel} takes it
 * @throws {ConfigError} when there is no adapter to export, or the place is taken
 * @throws {WeightsError} when model and adapter do not fit, a value is too large for f16, or a layer has no name in GGUF
 * @throws {EngineError} when the disk is full or the place cannot be written to
 */
export async function exportModel(source: string, options: ExportOptions): Promise<ExportResult> {
  const { out, format, adapter: folder, onWarning = () => {} } = options;
  if (format !== 'merged' && folder === undefined)
    throw new ConfigError(`export: expected an adapter for ${format}, got none`, {
      code: 'export/no-adapter',
      hint: 'Name one with --adapter, or export merged weights.',
    });
  if (format === 'gguf-lora') await checkFilePlace(out, options);
  else await checkWholeFolderPlace(out, isExport, options);
  const lasting = await lastingModelSource(source, options);
  const model = await openModel(lasting, options);
  const adapter = folder === undefined ? undefined : await loadAdapter(await adapterFolder(folder), model);
  for (const warning of adapter?.warnings ?? []) onWarning(warning);
  if (format === 'merged') await writeMerged(model, adapter, options);
  else if (format === 'gguf-lora') await saveGgufAdapter(out, model, adapter!);
  else {
    const { info } = adapter!;
    await saveAdapter(out, adapter!, { ...adapterBase(lasting), ...(info !== undefined && { info }) });
  }
  return { format, path: out, ...(await contentsOf(out)) };
}

async function writeMerged(
  model: Model,
  adapter: LoadedAdapter | undefined,
  { out, dtype = 'f32', maxShardBytes = DEFAULT_SHARD_BYTES, signal, onProgress }: ExportOptions,
): Promise<void> {
  const values =
    adapter === undefined ? (name: string) => readTensor(model.weights, name) : mergedWeights(model, adapter);
  let done = 0;
  await saveModel(
    out,
    model,
    (name) => {
      throwIfAborted(signal);
      onProgress?.({ stage: 'writing', done: done++, total: model.parameters.length, unit: 'tensors' });
      return values(name);
    },
    {
      dtype: dtype.toUpperCase() as 'F32' | 'F16' | 'BF16',
      maxShardBytes,
      ...(adapter?.info !== undefined && { info: adapter.info }),
    },
  );
}

/** Whether a folder looks like one that we write: others are not replaced, whatever is asked for. */
const isExport = (names: readonly string[]) =>
  names.includes('config.json') || names.includes('adapter_config.json');

async function contentsOf(path: string): Promise<{ files: string[]; bytes: number }> {
  const isFolder = (await stat(path)).isDirectory();
  const files = isFolder ? (await readdir(path)).sort().map((name) => join(path, name)) : [path];
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  return { files, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}
