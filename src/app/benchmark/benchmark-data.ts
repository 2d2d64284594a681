/** @file The users of a benchmark: those trained on, those that choices are made on, and those scored, all different. */
import { DataError } from '../../base/errors.ts';
import { firstWords } from '../../method/corpus/first-words.ts';
import type { Example, Split } from '../../method/data/example.ts';
import { readExamples } from '../../method/data/source.ts';
import { splitByUser, takeAcrossUsers } from '../../method/data/splits.ts';
import { simulate } from '../../method/simulation/simulate.ts';
import type { BenchmarkRecipe } from '../config/benchmark-recipe.ts';

export type BenchmarkDataSet = Readonly<Record<Split, readonly Example[]>>;

type Spec = BenchmarkRecipe['data'][number];

/** First seeds of simulated users of each split; no other part of the project draws from them. */
const SIMULATED: Readonly<Record<Split, number>> = {
  train: 6_000_000,
  validation: 7_000_000,
  test: 8_000_000,
};

/**
 * The three sets of one entry of a recipe. A source without splits is split by user, 50 / 20 / 30 %.
 * @throws {DataError} when a set is empty
 */
export async function benchmarkData(
  spec: Spec,
  options: { readonly signal?: AbortSignal } = {},
): Promise<BenchmarkDataSet> {
  const { name, source, simulated, cutCharacters } = spec;
  const all = source === undefined ? undefined : await readExamples(source, options);
  const split =
    all?.some((example) => example.split !== undefined) === false
      ? splitByUser(all, 0, { validation: 0.2, test: 0.3 })
      : all;
  const set = (part: Split): readonly Example[] => {
    const rows =
      split === undefined
        ? simulate({
            users: spec[part],
            seed: SIMULATED[part] + simulated!.seed,
            historyItems: simulated!.historyItems ?? 6,
            ...(simulated!.world && { world: simulated!.world }),
          })
        : takeAcrossUsers(
            split.filter((example) => example.split === part && example.history.length > 0),
            spec[part],
          );
    if (rows.length === 0)
      throw new DataError(`data ${name}: expected ${part} examples with a history, got none`, {
        code: 'benchmark/empty-split',
        hint: `Give rows "split": "${part}", or no splits at all: users are then split.`,
      });
    return cutCharacters === undefined ? rows : rows.map((example) => cutExample(example, cutCharacters));
  };
  return { train: set('train'), validation: set('validation'), test: set('test') };
}

/** Known causes are of the whole text; they go where it is cut. */
export function cutExample({ causes, ...example }: Example, words: number): Example {
  const response = firstWords(example.response, words);
  return {
    ...example,
    ...(causes !== undefined && response === example.response && { causes }),
    response,
    history: example.history.map((item) => ({ ...item, text: firstWords(item.text, words) })),
  };
}
