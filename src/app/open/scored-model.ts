/** @file A model opened for scoring: its adapter, and the prompt settings that the adapter was trained with. */
import { ConfigError } from '../../base/errors.ts';
import { checkProducts, type Products } from '../../base/products.ts';
import { INFO_FILE, loadAdapter } from '../../engine/lora/adapter-folder.ts';
import type { BaseBits } from '../../engine/quantisation/blocks.ts';
import { checkBase, withQuantisedBase } from '../../engine/quantisation/quantised-base.ts';
import { defaultPromptSettings, type PromptSettings } from '../../method/prompts/pair.ts';
import { DEFAULT_RETRIEVAL } from '../../method/retrieval/choose.ts';
import { checkChatTemplate, readRunInfo } from '../../method/runs/run-info.ts';
import { adapterFolder } from '../../method/runs/users-folder.ts';
import type { ScoredModel } from '../../method/scoring/scored-model.ts';
import { type OpenModelOptions, openModel } from './model-source.ts';

/** How a model is opened for scoring. */
export interface OpenScoredModelOptions extends OpenModelOptions {
  /** An adapter folder in PEFT's layout, such as `adapter/` of a run; the run itself; or RUN/users/USER of a run of many users. */
  readonly adapter?: string;
  /** Keeps the linear layers of the base in 4 or 8 bits, mapped from a cache; f32 by default, 8 with integer products. */
  readonly baseBits?: BaseBits;
  /**
   * What products with those layers are computed in: `int8` is for writing texts, about twice as fast there; where many tokens
   * are computed at once it is slower than f32 on processors without VNNI. `f32` by default.
   */
  readonly products?: Products;
  /** Overrides of the saved settings; each that differs gives a warning. */
  readonly prompt?: Partial<PromptSettings>;
}

/** What scoring, explaining and generating need. */
export interface OpenedModel extends ScoredModel {
  /** How the user named it, such as `embedded + runs/a/adapter`. */
  readonly name: string;
  readonly prompt: PromptSettings;
}

/**
 * Opens a model, and the adapter if one is named. Prompt settings that were saved beside the adapter (or beside fully
 * trained weights) win over the defaults, so that training and scoring cannot differ.
 * @param source as {@link openModel} takes it
 * @throws {ConfigError} for a model that is none, for more tokens than the model has positions, and for integer products where
 *   nothing computes them
 * @throws {WeightsError} for files that are missing, truncated or do not fit each other
 */
export async function openScoredModel(
  source: string,
  options: OpenScoredModelOptions = {},
): Promise<OpenedModel> {
  const { adapter: named, prompt: overrides = {}, products = 'f32', onWarning = () => {} } = options;
  checkProducts(products);
  const { baseBits: bits, device, worker } = options;
  // Before anything is downloaded.
  checkBase({ bits, products, device, engine: worker?.name });
  const baseBits = bits ?? (products === 'int8' ? 8 : undefined);
  const folder = named && (await adapterFolder(named));
  const plain = await openModel(source, options);
  const model =
    baseBits === undefined
      ? plain
      : await withQuantisedBase(plain, baseBits, options.cacheFolder, { ...options, products });
  const adapter = folder === undefined ? undefined : await loadAdapter(folder, model);
  for (const warning of adapter?.warnings ?? []) onWarning(warning);
  const info = await readRunInfo(folder ?? model.folder);
  if (folder !== undefined && info === undefined)
    onWarning(`${folder}: no ${INFO_FILE} beside the adapter; the prompt settings are the defaults`);
  if (info !== undefined) checkChatTemplate(info, model);
  if (info?.baseBits !== undefined && info.baseBits !== baseBits)
    onWarning(
      `${folder ?? source}: the adapter was trained over a base of ${info.baseBits} bits and is opened over ${baseBits === undefined ? 'f32' : `one of ${baseBits}`}; its numbers differ a little`,
    );
  const saved = info?.prompt;
  const prompt: PromptSettings = {
    ...(saved ?? defaultPromptSettings(model.config.maxPositions)),
    ...overrides,
  };
  if (prompt.maxTokens > model.config.maxPositions)
    throw new ConfigError(
      `maxTokens: expected at most the model's ${model.config.maxPositions} positions, got ${prompt.maxTokens}`,
      { code: 'config/max-tokens', hint: 'Lower --max-tokens.' },
    );
  // Folders of before there was a choice say nothing of their retrieval.
  const trained = saved && { retrieval: DEFAULT_RETRIEVAL, ...saved };
  for (const key of Object.keys(overrides) as (keyof PromptSettings)[])
    if (trained !== undefined && trained[key] !== prompt[key])
      onWarning(
        `${key}: ${prompt[key]} overrides ${trained[key]}, which ${folder ?? source} was trained with; its numbers may not be comparable`,
      );
  return {
    model,
    ...(adapter !== undefined && { adapter: { lora: adapter.lora, tensors: adapter.tensors } }),
    name: named === undefined ? source : `${source} + ${named}`,
    prompt,
  };
}
