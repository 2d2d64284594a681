/**
 * @file A scorer over a server: log-probabilities of the tokens that were written, and of the likeliest ones where it gives them. What
 * needs whole distributions, such as the divergence and the weights of most objectives, is not there.
 */
import { ConfigError } from '../../base/errors.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';
import { divergenceAtLeast, type KnownTokens } from '../effects/divergence-bound.ts';
import type { ObjectivePlan } from '../objectives/plan.ts';
import { promptOf } from '../prompts/collate.ts';
import type { PromptPair } from '../prompts/pair.ts';
import type { PairEffects, Scorer } from './pair-effects.ts';
import type { RemotePasses, RemoteScores } from './remote-passes.ts';
import {
  type KeptScoring,
  pairKey,
  promptKey,
  promptsOfPair,
  type ScoreKeeper,
  scoresThroughKeeper,
} from './score-keeper.ts';
import { wantedPlaces, withoutEffect } from './scoring-runs.ts';

/**
 * Scores by a server. Both prompts of a pair are scored as prompts: those that a keeper has are asked for by neither. With
 * `divergenceBound` pairs are kept with their bounds; those that were kept without one are asked for anew.
 * @throws {ConfigError} `remote/needs-logits` for weights of an objective, and for tokens in the place of those that were written
 */
export function remoteScorer(
  remote: RemotePasses,
  objective: ObjectivePlan,
  options: {
    readonly keeper: ScoreKeeper | undefined;
    readonly divergenceBound: boolean;
    readonly signal: AbortSignal | undefined;
  },
): Scorer {
  if (objective.rule !== 'uniform')
    throw needsLogits(`objective ${objective.name}: expected uniform weights`);
  const { keeper, signal } = options;
  const logProbabilities: Scorer['logProbabilities'] = async (prompts, onDone) => {
    if (prompts.some(({ targetIds }) => targetIds !== undefined))
      throw needsLogits('prompt: expected the tokens that were written');
    const scores = await scoresThroughKeeper(
      prompts,
      {
        keyOf: promptKey,
        compute: async function* (distinct, isWanted) {
          const places = wantedPlaces(distinct.length, isWanted);
          const wanted = places.map((place) => distinct[place]!);
          for await (const run of remote.scores(wanted, { likeliest: false, signal }))
            yield run.map(([place, { logProbability }]) => [places[place]!, { logProbability }] as const);
        },
      },
      keeper,
      onDone,
    );
    return scores.map(({ logProbability }) => logProbability!);
  };
  const isBounded = options.divergenceBound && remote.likeliest > 0;
  return {
    logProbabilities,
    effects: async (pairs, onDone) => {
      // Without a history there is one prompt, and nothing to bound.
      const bounded = pairs.filter(({ hasHistory }) => isBounded && hasHistory);
      const scores = await scoresThroughKeeper(bounded, boundScoring(remote, signal), keeper, onDone);
      const boundOf = new Map(bounded.map((pair, i) => [pair, scores[i]!]));
      const others = pairs.filter((pair) => !boundOf.has(pair));
      const prompts = others.flatMap((pair) => [promptOf(pair), promptOf(pair, 'withoutHistoryIds')]);
      const values = await logProbabilities(
        prompts,
        onDone && ((done) => onDone(bounded.length + Math.floor(done / 2))),
      );
      let at = 0;
      return pairs.map((pair) => {
        const found = boundOf.get(pair);
        if (found !== undefined)
          return effectsOf(found.logProbWithHistory!, found.logProbWithoutHistory!, found.divergenceAtLeast);
        const effects = effectsOf(values[at++]!, values[at++]!);
        return pair.hasHistory ? effects : withoutEffect(effects);
      });
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Pairs with what their likeliest tokens tell: both answers of a pair come before it is kept, so that few are asked for at once. */
function boundScoring(remote: RemotePasses, signal: AbortSignal | undefined): KeptScoring<PromptPair> {
  const length = ({ withHistoryIds, responseIds }: PromptPair) => withHistoryIds.length + responseIds.length;
  return {
    keyOf: (pair) => sha256(canonicalJson(['bounded pair', pairKey(pair), remote.likeliest])),
    toldOf: promptsOfPair,
    compute: async function* (pairs, isWanted) {
      const places = wantedPlaces(pairs.length, isWanted).sort(
        (a, b) => length(pairs[a]!) - length(pairs[b]!) || a - b,
      );
      for (let start = 0; start < places.length; start += remote.concurrency) {
        const run = places.slice(start, start + remote.concurrency);
        const prompts = run.flatMap((place) => [
          promptOf(pairs[place]!),
          promptOf(pairs[place]!, 'withoutHistoryIds'),
        ]);
        const scores: RemoteScores[] = [];
        for await (const answers of remote.scores(prompts, { likeliest: true, signal }))
          for (const [place, each] of answers) scores[place] = each;
        yield run.map((place, i) => [
          place,
          boundedScores(pairs[place]!.responseIds, scores[2 * i]!, scores[2 * i + 1]!),
        ]);
      }
    },
  };
}

function boundedScores(responseIds: readonly number[], own: RemoteScores, none: RemoteScores) {
  const knownOf = ({ likeliest, logProbability }: RemoteScores, t: number): KnownTokens | undefined => {
    const list = likeliest?.[t];
    // What was written is known in both, whether it is likely or not.
    return list && new Map([...list, [responseIds[t]!, logProbability[t]!]]);
  };
  return {
    logProbWithHistory: own.logProbability,
    logProbWithoutHistory: none.logProbability,
    divergenceAtLeast: Float32Array.from(responseIds, (_, t) => {
      const [withHistory, withoutHistory] = [knownOf(own, t), knownOf(none, t)];
      return withHistory && withoutHistory ? divergenceAtLeast(withHistory, withoutHistory) : Number.NaN;
    }),
  };
}

/** The divergence is NaN: it is not known. */
function effectsOf(
  own: Float32Array,
  none: Float32Array,
  atLeast: Float32Array = new Float32Array(own.length).fill(Number.NaN),
): PairEffects {
  return {
    logProbWithHistory: own,
    logProbWithoutHistory: none,
    probability: own.map((value, t) => Math.exp(value) - Math.exp(none[t]!)),
    logRatio: own.map((value, t) => value - none[t]!),
    divergence: new Float32Array(own.length).fill(Number.NaN),
    divergenceAtLeast: atLeast,
    weight: new Float32Array(own.length).fill(1 / own.length),
  };
}

function needsLogits(what: string): ConfigError {
  return new ConfigError(`${what}, got others, which need the whole prediction: a server gives none`, {
    code: 'remote/needs-logits',
    hint: 'Open the weights of the model here.',
  });
}
