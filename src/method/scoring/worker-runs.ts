/** @file Scores by a worker: it gives what needs the model, and what follows from that is computed here, by the same expressions. */
import { ConfigError, throwIfAborted } from '../../base/errors.ts';
import type { ModelWorker, WorkerPairScores } from '../../engine/models/model-worker.ts';
import { input } from '../../engine/ops/operators.ts';
import { evaluate } from '../../engine/runtime/evaluate.ts';
import { dataSideEffect, logRatioEffect } from '../effects/effects.ts';
import { checkCopied, copiedFeed, copiedInput, copiedTokensOf } from '../objectives/copied.ts';
import { groupFeeds, groupInputs } from '../objectives/groups.ts';
import { fitWeights } from '../objectives/loss.ts';
import type { ObjectivePlan } from '../objectives/plan.ts';
import { promptOf, type ScoredPrompt } from '../prompts/collate.ts';
import type { PromptPair } from '../prompts/pair.ts';
import type { PairEffects } from './pair-effects.ts';
import type { ScoredModel } from './scored-model.ts';
import { notFinite, type ScoringRuns, wantedPlaces, withoutEffect } from './scoring-runs.ts';
import type { TokenCount } from './token-count.ts';

/** Pairs whose weights are computed together. */
const PAIRS_TOGETHER = 64;

/**
 * Each call of the scorer is one request to the worker.
 * @throws {ConfigError} for weights that stand beside the model: a worker reads them from its folder
 */
export function workerRuns(
  worker: ModelWorker,
  { model, adapter, trained }: ScoredModel,
  plan: ObjectivePlan,
  {
    signal,
    onTokens,
  }: {
    readonly signal?: AbortSignal;
    readonly onTokens?: ((count: TokenCount) => void) | undefined;
  },
): ScoringRuns {
  if (trained !== undefined)
    throw new ConfigError(
      `engine ${worker.name}: expected a model in its folder, got weights under training`,
      {
        code: 'engine/unsupported',
        hint: 'Save the weights, and open them as a model.',
      },
    );
  const check = (values: Float32Array, what: string, place: number) => {
    const failure = notFinite(values, () => `${model.folder}: ${what} of prompt ${place + 1}`);
    if (failure !== undefined) throw failure;
  };
  // Whatever a worker shares between prompts, it does not tell.
  const tokensOf = (prompts: readonly ScoredPrompt[]) => ({
    tokensComputed: prompts.reduce((sum, each) => sum + each.promptIds.length + each.responseIds.length, 0),
    tokensSaved: 0,
  });
  return {
    logProbabilities: async function* (prompts, isWanted) {
      const places = wantedPlaces(prompts.length, isWanted);
      if (places.length === 0) return;
      const scores = await worker.logProbabilities(
        places.map((place) => prompts[place]!),
        { model, adapter, signal },
      );
      onTokens?.(tokensOf(places.map((place) => prompts[place]!)));
      for (const [i, place] of places.entries()) check(scores[i]!, 'logProbability', place);
      yield places.map((place, i) => [place, { logProbability: scores[i]! }]);
    },
    effects: async function* (pairs, isWanted) {
      checkCopied(pairs, plan);
      const places = wantedPlaces(pairs.length, isWanted);
      if (places.length === 0) return;
      const wanted = places.map((place) => pairs[place]!);
      const scores = await worker.pairScores(wanted, { model, adapter, signal });
      onTokens?.(tokensOf(wanted.flatMap((pair) => [promptOf(pair), promptOf(pair, 'withoutHistoryIds')])));
      for (const [i, place] of places.entries())
        for (const [name, values] of Object.entries(scores[i]!)) check(values as Float32Array, name, place);
      for (let start = 0; start < places.length; start += PAIRS_TOGETHER) {
        throwIfAborted(signal);
        const end = start + PAIRS_TOGETHER;
        const effects = await effectsOf(wanted.slice(start, end), scores.slice(start, end), plan);
        yield effects.map((values, i) => [places[start + i]!, { ...values }]);
      }
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** What follows from the log-probabilities of pairs: effects, and the weights of an objective. */
async function effectsOf(
  pairs: readonly PromptPair[],
  scores: readonly WorkerPairScores[],
  plan: ObjectivePlan,
): Promise<PairEffects[]> {
  const names = ['logProbWithHistory', 'logProbWithoutHistory', 'divergence'] as const;
  const part = (name: (typeof names)[number]) => input(name, 'f32', ['S']);
  const estimate = {
    logProbWithHistory: part('logProbWithHistory'),
    logProbWithoutHistory: part('logProbWithoutHistory'),
    divergence: part('divergence'),
  };
  const { logProbWithHistory: own, logProbWithoutHistory: none } = estimate;
  const lengths = pairs.map(({ responseIds }) => responseIds.length);
  const exampleOf = lengths.flatMap((length, i) => new Array<number>(length).fill(i));
  const results = await evaluate(
    {
      probability: dataSideEffect(own, none),
      logRatio: logRatioEffect(own, none),
      weight: fitWeights(plan, undefined, groupInputs(), {
        estimate,
        ...(plan.needs.copied && { isCopied: copiedInput() }),
      }),
    },
    {
      ...groupFeeds(
        exampleOf,
        pairs.map(({ hasHistory }) => hasHistory),
        pairs.length,
      ),
      ...(plan.needs.copied && copiedFeed(pairs.flatMap(copiedTokensOf))),
      ...Object.fromEntries(
        names.map((name) => [
          name,
          { data: Float32Array.from(scores.flatMap((score) => [...score[name]])), shape: [exampleOf.length] },
        ]),
      ),
    },
  );
  let at = 0;
  return pairs.map(({ hasHistory }, i) => {
    const cut = (name: string) => (results[name]!.data as Float32Array).slice(at, at + lengths[i]!);
    const effects: PairEffects = {
      ...scores[i]!,
      probability: cut('probability'),
      logRatio: cut('logRatio'),
      weight: cut('weight'),
    };
    at += lengths[i]!;
    return hasHistory ? effects : withoutEffect(effects);
  });
}
