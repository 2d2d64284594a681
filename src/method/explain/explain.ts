/** @file From an example and a model to the heat map of what the history changes. */
import type { Example } from '../data/example.ts';
import { type EffectRowsOptions, type ExampleEffects, exampleEffects } from '../effects/rows.ts';
import type { ScoredModel } from '../effects/scorer.ts';
import { causeOfToken } from '../evaluation/token-causes.ts';
import type { EffectMap, EffectToken } from './effect-map.ts';

export interface ExplainOptions extends EffectRowsOptions {
  /** How the model is called in the map. */
  readonly modelName: string;
  readonly title?: string;
}

/** The heat map of one example. Cost: two passes, and one for each placebo. */
export async function explain(
  scored: ScoredModel,
  example: Example,
  options: ExplainOptions,
): Promise<EffectMap> {
  const [map] = await explainAll(scored, [example], options);
  return map!;
}

/** The heat maps of several examples, in order. */
export async function explainAll(
  scored: ScoredModel,
  examples: readonly Example[],
  options: ExplainOptions,
): Promise<EffectMap[]> {
  const maps: EffectMap[] = [];
  for await (const scoredExample of exampleEffects(scored, examples, options))
    maps.push(effectMapOf(scoredExample, scored, options));
  return maps;
}

/** The map of effects that have been computed already. */
export function effectMapOf(
  { example, pair, effects, logProbWithPlacebo }: ExampleEffects,
  { model }: Pick<ScoredModel, 'model'>,
  { modelName, title, prompt }: Pick<ExplainOptions, 'modelName' | 'title' | 'prompt'>,
): EffectMap {
  const tokens = pair.responseIds.map((id, t): EffectToken => {
    const [start, end] = [pair.responseStarts[t]!, pair.responseEnds[t]!];
    const cause = example.causes && causeOfToken(example.response, start, end, example.causes);
    const withHistory = effects.logProbWithHistory[t]!;
    const withoutHistory = effects.logProbWithoutHistory[t]!;
    const placebo = logProbWithPlacebo?.[t];
    return {
      text: model.tokenizer.tokenText(id),
      start,
      end,
      values: {
        logRatio: effects.logRatio[t]!,
        probability: effects.probability[t]!,
        divergence: effects.divergence[t]!,
        ...(placebo === undefined
          ? {}
          : { placebo: placebo - withoutHistory, userSpecific: withHistory - placebo }),
      },
      logProbWithHistory: withHistory,
      logProbWithoutHistory: withoutHistory,
      weight: effects.weight[t]!,
      ...(cause === undefined ? {} : { cause }),
    };
  });
  return {
    title: title ?? `Example ${example.id}`,
    example: example.id,
    user: example.user,
    query: example.query,
    response: example.response,
    history: pair.historyItemsUsed === 0 ? [] : example.history.slice(-pair.historyItemsUsed),
    model: modelName,
    tokens,
    meta: { reference: prompt.reference, historyItems: pair.historyItemsUsed },
  };
}
