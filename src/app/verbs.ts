/**
 * @file What can be asked of an opened model, from TypeScript: effects, audit, evaluate, explain, refute, generate, train. Each
 * takes the model first, then the examples, and its prompt settings and name come from the model unless they are given.
 */
import { ConfigError } from '../base/errors.ts';
import type { Model } from '../engine/models/model.ts';
import { type AuditOptions, audit as auditModel } from '../method/audit/audit.ts';
import type { AuditResult } from '../method/audit/results.ts';
import type { Example } from '../method/data/example.ts';
import {
  type EvaluationOptions,
  evaluate as evaluateModel,
  type SystemEvaluation,
} from '../method/evaluation/evaluate.ts';
import type { EffectMap } from '../method/explain/effect-map.ts';
import { type ExplainOptions, explainAll } from '../method/explain/explain.ts';
import {
  type GeneratedToken,
  type GenerationOptions,
  generateAll,
  generationRequest,
} from '../method/generation/generate.ts';
import { defaultPromptSettings, type PromptSettings } from '../method/prompts/pair.ts';
import { type RefutationOptions, refute as refuteModel } from '../method/refutation/refute.ts';
import type { Refutation } from '../method/refutation/results.ts';
import type { TrainSummary } from '../method/runs/manifest.ts';
import type { TrainEvent } from '../method/runs/run.ts';
import { type TrainOptions, train as trainModel } from '../method/runs/train.ts';
import {
  type ExampleItemEffects,
  itemEffects as effectsOfItems,
  type ItemEffectsOptions,
} from '../method/scoring/item-effects.ts';
import { type EffectRow, type EffectRowsOptions, effectRows } from '../method/scoring/rows.ts';
import type { ScoredModel } from '../method/scoring/scored-model.ts';
import type { Opened } from './open/open.ts';

/** What {@link open} gives, or a model with an adapter that was made in another way. */
export type Subject = ScoredModel & Partial<Pick<Opened, 'name' | 'prompt' | 'source' | 'baseBits'>>;

/** Options of a verb: the settings of the prompt that are given override those of the model. */
export type VerbOptions<Options> = Omit<Options, 'prompt' | 'modelName'> & {
  /** In place of what was saved with the adapter, or of the defaults. */
  readonly prompt?: Partial<PromptSettings>;
  /** In reports; what the model was opened by is the default. */
  readonly modelName?: string;
};

/** One row for each response token, in order. Cost: two passes an example, and one for each other history. */
export function effects(
  model: Subject,
  examples: readonly Example[],
  options: VerbOptions<EffectRowsOptions> = {},
): AsyncGenerator<EffectRow> {
  return effectRows(model, examples, { ...options, prompt: promptFor(model, options) });
}

/** What each item of a history does to the response: D with an interval over random subsets of the other items. */
export function itemEffects(
  model: Subject,
  examples: readonly Example[],
  options: VerbOptions<ItemEffectsOptions> = {},
): AsyncGenerator<ExampleItemEffects> {
  return effectsOfItems(model, examples, { ...options, prompt: promptFor(model, options) });
}

/** Does the history matter, for whom, where, and by how much more than another user's would; without training. */
export function audit(
  model: Subject,
  examples: readonly Example[],
  options: VerbOptions<AuditOptions> = {},
): Promise<AuditResult> {
  return auditModel(model, examples, { ...options, ...presented(model, options) });
}

/** Held-out likelihood with the user's history, without, and with other users'; author identification. */
export function evaluate(
  model: Subject,
  examples: readonly Example[],
  options: VerbOptions<EvaluationOptions> = {},
): Promise<SystemEvaluation> {
  const { modelName, prompt } = presented(model, options);
  return evaluateModel(modelName, model, examples, { ...options, prompt });
}

/** The heat map of an example. */
export async function explain(
  model: Subject,
  example: Example,
  options: VerbOptions<ExplainOptions> = {},
): Promise<EffectMap> {
  const [map] = await explainAll(model, [example], { ...options, ...presented(model, options) });
  return map!;
}

/** Tests that the effect of the histories must stand, each with its expected result, interval and verdict. */
export function refute(
  model: Subject,
  examples: readonly Example[],
  options: VerbOptions<RefutationOptions> = {},
): Promise<Refutation> {
  return refuteModel(model, examples, { ...options, prompt: promptFor(model, options) });
}

/** Options of {@link generate}. */
export interface GenerateOptions extends Omit<VerbOptions<GenerationOptions>, 'placebo'> {
  /** Where the reference value `placebo` finds other users' histories; the examples themselves by default. */
  readonly pool?: readonly Example[];
}

/**
 * Texts for the queries of examples, token by token as they come; `example` of a token is the place in the list. What is
 * written for one example does not depend on the others.
 */
export function generate(
  model: Subject,
  examples: Example | readonly Example[],
  options: GenerateOptions = {},
): AsyncGenerator<GeneratedToken> {
  const { pool, ...drawing } = options;
  const list = 'history' in examples ? [examples] : examples;
  const settings = { ...drawing, prompt: promptFor(model, options) };
  const requests = list.map((example) =>
    generationRequest(model, example, { ...settings, pool: pool ?? list }),
  );
  return generateAll(model, requests, settings);
}

/** Options of {@link train}. */
export interface FineTuningOptions
  extends Omit<TrainOptions, 'model' | 'modelSource' | 'dataSource' | 'examples'> {
  /** Names the data in the manifest; `resume` opens them again by it. */
  readonly dataSource?: string;
}

/**
 * Fine-tunes a model: yields events, and returns the summary; leaving the loop early stops the run with a checkpoint, as
 * the signal does. The adapter or the weights are in the run's folder, which {@link open} opens.
 * @throws {ConfigError} a setting is wrong, `out` is in use, or the model has an adapter; nothing has been written then
 * @throws {DataError} there is nothing to train on, or an example does not fit; nothing has been written then
 * @throws {AbortedError} stopped by the signal, after a checkpoint
 * @throws {EngineError} NaN loss or gradient, a full disk
 */
export async function* train(
  subject: Subject,
  examples: readonly Example[],
  options: FineTuningOptions,
): AsyncGenerator<TrainEvent, TrainSummary> {
  const { model, adapter, source, baseBits } = subject;
  if (adapter !== undefined)
    throw new ConfigError('train: expected a model without an adapter, got one with', {
      code: 'training/adapter',
      hint: 'Export merged weights by exportModel, and train those.',
    });
  if (model.quantised?.products === 'int8')
    throw new ConfigError('train: expected a model whose products are in f32, got int8', {
      code: 'config/products',
      hint: 'Open the model without products: they are for scoring and writing texts.',
    });
  return yield* trainModel({
    dataSource: 'examples in memory',
    ...(baseBits !== undefined && { baseBits }),
    ...options,
    model,
    modelSource: source ?? model.folder,
    examples,
    prompt: promptFor(subject, options),
  });
}

function promptFor(
  { model, prompt }: { readonly model: Model; readonly prompt?: PromptSettings },
  options: { readonly prompt?: Partial<PromptSettings> },
): PromptSettings {
  return { ...(prompt ?? defaultPromptSettings(model.config.maxPositions)), ...options.prompt };
}

function presented(
  model: Subject,
  options: VerbOptions<unknown>,
): { prompt: PromptSettings; modelName: string } {
  const modelName = options.modelName ?? model.name ?? model.model.folder;
  return { prompt: promptFor(model, options), modelName };
}
