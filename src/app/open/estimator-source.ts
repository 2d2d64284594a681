/** @file The model of a fixed estimator by what a user types: an adapter of the trained model, or a model of its own. */
import { join } from 'node:path';
import { exists } from '../../base/exists.ts';
import { loadAdapter } from '../../engine/lora/adapter-folder.ts';
import type { Model } from '../../engine/models/model.ts';
import { adapterFolder } from '../../method/runs/users-folder.ts';
import type { ScoredModel } from '../../method/scoring/scored-model.ts';
import { type OpenModelOptions, openModel } from './model-source.ts';

/**
 * Opens an estimator.
 * @param source an adapter folder in PEFT's layout, or what {@link openModel} takes
 * @param model what an adapter is put on
 * @throws as {@link openModel}, and {WeightsError} when an adapter does not fit
 */
export async function openEstimator(
  source: string,
  model: Model,
  options: OpenModelOptions = {},
): Promise<ScoredModel> {
  const folder = await adapterFolder(source);
  const isAdapter = await exists(join(folder, 'adapter_config.json'));
  if (isAdapter) return { model, adapter: await loadAdapter(folder, model) };
  return { model: await openModel(source, options) };
}
