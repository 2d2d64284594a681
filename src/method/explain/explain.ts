/** @file From an example and a model to the heat map of what the history changes. */
import type { Example } from '../data/example.ts';
import { namedEffects } from '../effects/named-effects.ts';
import { causeOfToken } from '../evaluation/token-causes.ts';
import { type ExampleItemEffects, type ItemEffectsOptions, itemEffects } from '../scoring/item-effects.ts';
import type { RemoteRecord } from '../scoring/remote-passes.ts';
import { type EffectRowsOptions, type ExampleEffects, exampleEffects } from '../scoring/rows.ts';
import { memoryKeeper } from '../scoring/score-keeper.ts';
import { productsRecord, type ScoredModel } from '../scoring/scored-model.ts';
import type { EffectMap, EffectToken } from './effect-map.ts';

/** How heat maps are made. */
export interface ExplainOptions extends Omit<EffectRowsOptions, 'strict' | 'onLeftOut'> {
  /** The name of the model in the map. */
  readonly modelName: string;
  readonly title?: string;
  /** What each item of the history does, too; false by default. */
  readonly items?: boolean | Pick<ItemEffectsOptions, 'subsets'>;
}

/** The heat map of one example. Cost: two passes, one for each other history, and with items those of `itemEffects`. */
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
  const scoredExamples: ExampleEffects[] = [];
  const strict = true; // a map was asked for by name: it is drawn or refused
  const { keeper = memoryKeeper() } = options;
  for await (const each of exampleEffects(scored, examples, {
    divergenceBound: true,
    ...options,
    keeper,
    strict,
  }))
    scoredExamples.push(each);
  const items: ExampleItemEffects[] = [];
  if (options.items) {
    const { objective: _, objectiveOptions: __, ...shared } = options;
    const ofItems = options.items === true ? {} : options.items;
    for await (const each of itemEffects(scored, examples, { ...shared, ...ofItems, keeper }))
      items.push(each);
  }
  return scoredExamples.map((each, i) => effectMapOf(each, scored, options, items[i]));
}

/** The server that scored, in the facts beside a map. */
function metaOf({ url, kind, model, noise }: RemoteRecord): EffectMap['meta'] {
  return { server: url, serverKind: kind, serverModel: model, ...(noise && { noiseMax: noise.max }) };
}

/** The map of effects that have been computed already. */
export function effectMapOf(
  { example, pair, effects, logProbWithOthers }: ExampleEffects,
  { model, remote }: Pick<ScoredModel, 'model' | 'remote'>,
  { modelName, title, prompt }: Pick<ExplainOptions, 'modelName' | 'title' | 'prompt'>,
  ofItems?: ExampleItemEffects,
): EffectMap {
  const tokens = pair.responseIds.map((id, t): EffectToken => {
    const [start, end] = [pair.responseStarts[t]!, pair.responseEnds[t]!];
    const cause = example.causes && causeOfToken(example.response, start, end, example.causes);
    const withHistory = effects.logProbWithHistory[t]!;
    const withoutHistory = effects.logProbWithoutHistory[t]!;
    const others = logProbWithOthers && [logProbWithOthers[t]!];
    const named = others && namedEffects({ own: withHistory, none: withoutHistory, others });
    return {
      text: model.tokenizer.tokenText(id),
      start,
      end,
      values: {
        logRatio: effects.logRatio[t]!,
        probability: effects.probability[t]!,
        // A server does not give it.
        ...(!Number.isNaN(effects.divergence[t]) && { divergence: effects.divergence[t]! }),
        ...(effects.divergenceAtLeast &&
          !Number.isNaN(effects.divergenceAtLeast[t]) && {
            divergenceAtLeast: effects.divergenceAtLeast[t]!,
          }),
        ...(named && { generic: named.generic, userSpecific: named.userSpecific }),
      },
      logProbWithHistory: withHistory,
      logProbWithoutHistory: withoutHistory,
      weight: effects.weight[t]!,
      ...(cause === undefined ? {} : { cause }),
      ...(ofItems && { itemEffects: ofItems.items.map(({ tokenMeans }) => tokenMeans[t]!) }),
    };
  });
  return {
    title: title ?? `Example ${example.id}`,
    example: example.id,
    user: example.user,
    query: example.query,
    response: example.response,
    history: pair.shown.map(({ embedding: _, ...item }) => item),
    ...(ofItems && {
      items: ofItems.items.map(({ effect, mean, low, high, kind, twin }) => ({
        effect,
        mean,
        low,
        high,
        kind,
        ...(twin !== undefined && { twin }),
      })),
    }),
    model: modelName,
    tokens,
    meta: {
      reference: prompt.reference,
      historyItems: pair.historyItemsUsed,
      ...(remote && metaOf(remote.record())),
      ...productsRecord({ model }),
    },
  };
}
