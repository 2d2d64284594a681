/**
 * @file A scorer over a server: log-probabilities of the tokens that were written, and no distributions. What needs these, such as
 * the divergence and the weights of most objectives, is not there.
 */
import { ConfigError } from '../../base/errors.ts';
import type { ObjectivePlan } from '../objectives/plan.ts';
import { promptOf } from '../prompts/collate.ts';
import type { PairEffects, Scorer } from './pair-effects.ts';
import type { RemotePasses } from './remote-passes.ts';
import { promptKey, type ScoreKeeper, scoresThroughKeeper } from './score-keeper.ts';
import { withoutEffect } from './scoring-runs.ts';

/**
 * Scores by a server. Both prompts of a pair are scored as prompts: those that a keeper has are asked for by neither.
 * @throws {ConfigError} `remote/needs-logits` for weights of an objective, and for tokens in the place of those that were written
 */
export function remoteScorer(
  remote: RemotePasses,
  objective: ObjectivePlan,
  keeper: ScoreKeeper | undefined,
  signal: AbortSignal | undefined,
): Scorer {
  if (objective.rule !== 'uniform')
    throw needsLogits(`objective ${objective.name}: expected uniform weights`);
  const logProbabilities: Scorer['logProbabilities'] = async (prompts, onDone) => {
    if (prompts.some(({ targetIds }) => targetIds !== undefined))
      throw needsLogits('prompt: expected the tokens that were written');
    const scores = await scoresThroughKeeper(
      prompts,
      {
        keyOf: promptKey,
        compute: async function* (distinct, isWanted) {
          const places = distinct.flatMap((_, place) => (isWanted(place) ? [place] : []));
          const wanted = places.map((place) => distinct[place]!);
          for await (const run of remote.logProbabilities(wanted, signal))
            yield run.map(([place, logProbability]) => [places[place]!, { logProbability }] as const);
        },
      },
      keeper,
      onDone,
    );
    return scores.map(({ logProbability }) => logProbability!);
  };
  return {
    logProbabilities,
    effects: async (pairs, onDone) => {
      const prompts = pairs.flatMap((pair) => [promptOf(pair), promptOf(pair, 'withoutHistoryIds')]);
      const values = await logProbabilities(prompts, onDone && ((done) => onDone(Math.floor(done / 2))));
      return pairs.map(({ hasHistory }, i) => {
        const effects = effectsOf(values[2 * i]!, values[2 * i + 1]!);
        return hasHistory ? effects : withoutEffect(effects);
      });
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** The divergence is NaN: it is not known. */
function effectsOf(own: Float32Array, none: Float32Array): PairEffects {
  return {
    logProbWithHistory: own,
    logProbWithoutHistory: none,
    probability: own.map((value, t) => Math.exp(value) - Math.exp(none[t]!)),
    logRatio: own.map((value, t) => value - none[t]!),
    divergence: new Float32Array(own.length).fill(Number.NaN),
    weight: new Float32Array(own.length).fill(1 / own.length),
  };
}

function needsLogits(what: string): ConfigError {
  return new ConfigError(`${what}, got others, which need the whole prediction: a server gives none`, {
    code: 'remote/needs-logits',
    hint: 'Open the weights of the model here.',
  });
}
