/** @file The strength that is best on validation users: the one number that steering and contrasting have to choose. */
import { type ExampleValue, meanByUser } from '../../base/statistics/by-user.ts';
import type { Example } from '../data/example.ts';
import { promptOf } from '../prompts/collate.ts';
import { type PromptSettings, promptPair } from '../prompts/pair.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';
import type { ScorerOptions } from '../scoring/scorer.ts';
import { logProbabilitiesAtStrengths, logProbabilitiesContrasted } from '../scoring/strengths.ts';
import type { BenchmarkSystem } from './systems.ts';

export interface ChosenStrength {
  readonly chosen: number;
  /** Loss on the validation users, nats a token. */
  readonly tried: readonly { readonly strength: number; readonly nll: number }[];
}

/**
 * Tries strengths on examples whose history shows; of equal losses the first strength is taken.
 * @throws {DataError} when no history shows
 */
export async function strengthOf(
  scored: ScoredModel,
  examples: readonly Example[],
  {
    strengths,
    scales,
    prompt,
    ...options
  }: Pick<ScorerOptions, 'threads' | 'signal'> & {
    readonly strengths: readonly number[];
    readonly scales: NonNullable<BenchmarkSystem['scales']>;
    readonly prompt: PromptSettings;
  },
): Promise<ChosenStrength> {
  const shown = examples
    .map((example) => ({ example, pair: promptPair(example, scored.model.tokenizer, prompt) }))
    .filter(({ pair }) => pair.hasHistory);
  const pairs = shown.map(({ pair }) => pair);
  const { model, adapter } = scored;
  const means =
    scales === 'adapter' && adapter !== undefined
      ? await logProbabilitiesContrasted(
          { model, adapter },
          pairs.map((pair) => promptOf(pair)),
          strengths,
          options,
        )
      : await logProbabilitiesAtStrengths(scored, pairs, strengths, options);
  const tried = strengths.map((strength, s) => {
    const rows = shown.map(
      ({ example: { id, user } }, i): ExampleValue => ({ example: id, user, value: -means[i]![s]! }),
    );
    return { strength, nll: meanByUser(rows).value };
  });
  return { chosen: tried.reduce((least, each) => (each.nll < least.nll ? each : least)).strength, tried };
}
