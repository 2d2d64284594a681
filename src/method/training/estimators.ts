/**
 * @file Who says how much the history changes a token while a model is trained: the model itself (dynamic), a frozen one
 * (fixed; the paper's copy that was fine-tuned before), or a moving average of the weights in training.
 */
import { createHash } from 'node:crypto';
import { ConfigError } from '../../base/errors.ts';
import type { ProgressListener } from '../../base/progress.ts';
import type { Model } from '../../engine/models/model.ts';
import { type FlatParameters, viewsOf } from '../../engine/optim/flat-parameters.ts';
import { updateAverage } from '../../engine/optim/moving-average.ts';
import { namedEffectsOfTokens } from '../effects/named-effects.ts';
import { comparesWithOthers } from '../objectives/plan.ts';
import { promptOf, type ScoredPrompt } from '../prompts/collate.ts';
import type { PromptPair } from '../prompts/pair.ts';
import { scoredHash } from '../scoring/scored-hash.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';
import { createScorer, type ScorerOptions } from '../scoring/scorer.ts';
import type { TokenEstimate } from './given-effects.ts';
import type { ResolvedSettings } from './settings.ts';

/** Gives what token weights are made of, where the passes of training do not. */
export interface Estimator extends AsyncDisposable {
  /** Estimates for pairs by their indices. */
  estimates(indices: readonly number[]): Promise<readonly TokenEstimate[]>;
  /** Called after each update of the weights. */
  afterStep(): void;
}

/** Effects that are computed once, before training. */
export interface FixedEstimates {
  /** One for each pair. */
  readonly estimates: readonly TokenEstimate[];
  /** Of their numbers: a resumed run must train on the same. */
  readonly hash: string;
  /** Of the model that estimated, with its adapter. */
  readonly modelHash: string;
}

export interface FixedEstimatesOptions extends Pick<ScorerOptions, 'threads' | 'signal' | 'cache'> {
  readonly model: Model;
  readonly pairs: readonly PromptPair[];
  /** Prompts with other users' histories for each pair, where the objective compares effects with them. */
  readonly others?: readonly (readonly ScoredPrompt[])[];
  /** The starting model by default. */
  readonly estimatorModel?: ScoredModel;
  readonly onProgress?: ProgressListener;
}

/**
 * What a run needs to know before its first step: with a fixed estimator the effects of all tokens, with weights made of C
 * the effects of other users' histories, of the fixed model or else of the starting one, and for a preference the starting
 * model's margins.
 * @returns undefined when it needs nothing
 * @throws {ConfigError} when the estimator has another tokenizer, or weights of C have no other users' histories
 * Cost: two passes a pair, and one for each other history.
 */
export async function fixedEstimates(
  settings: ResolvedSettings,
  options: FixedEstimatesOptions,
): Promise<FixedEstimates | undefined> {
  const { model, pairs, others, estimatorModel, onProgress } = options;
  const { needs, estimator } = settings.objective;
  const isFixed = estimator === 'fixed';
  const comparesOthers = comparesWithOthers(settings.objective);
  if (!isFixed && !comparesOthers && !needs.startMargin) return undefined;
  if (comparesOthers && others === undefined) throw noOthers(needs.generic);
  const scored: ScoredModel = isFixed ? (estimatorModel ?? { model }) : { model };
  checkTokenizer(scored.model, model, settings.estimatorModel);
  await using scorer = createScorer(scored, options);
  const progress = (stage: string, unit: string, total: number) => (done: number) =>
    onProgress?.({ stage, done, total, unit });
  const effects = isFixed
    ? await scorer.effects(pairs, progress('effects of the estimator', 'examples', pairs.length))
    : undefined;
  const ofOthers = comparesOthers ? await othersEffects(pairs, others!, scorer, progress) : undefined;
  const margins = needs.startMargin ? await startMargins(pairs, scorer, progress) : undefined;
  const estimates = pairs.map((_, i): TokenEstimate => {
    const estimate = effects?.[i];
    return {
      ...(estimate && {
        logProbWithHistory: estimate.logProbWithHistory,
        logProbWithoutHistory: estimate.logProbWithoutHistory,
        divergence: estimate.divergence,
      }),
      ...(needs.generic && { generic: ofOthers![i]!.generic }),
      ...(needs.placeboMost && { placeboMost: ofOthers![i]!.placeboMost }),
      ...(margins && { startMargin: margins[i]! }),
    };
  });
  return { estimates, hash: hashOf(estimates), modelHash: scoredHash(scored) };
}

/** How much likelier every token is with the own history than with the other one, f32[S] for each pair; 0 without another. */
async function startMargins(
  pairs: readonly PromptPair[],
  scorer: ReturnType<typeof createScorer>,
  progress: (stage: string, unit: string, total: number) => (done: number) => void,
): Promise<Float32Array[]> {
  const prompts = pairs.flatMap((pair) => {
    const { otherHistoryIds: promptIds, responseIds } = pair;
    return promptIds === undefined ? [] : [promptOf(pair), { promptIds, responseIds }];
  });
  const scores = await scorer.logProbabilities(
    prompts,
    progress('margins of the starting model', 'prompts', prompts.length),
  );
  let at = 0;
  return pairs.map(({ otherHistoryIds, responseIds }) => {
    if (otherHistoryIds === undefined) return new Float32Array(responseIds.length);
    const [own, other] = [scores[at++]!, scores[at++]!];
    return own.map((value, t) => value - other[t]!);
  });
}

/** What other users' histories do for every token, each f32[S]: B, their mean log ratio, and the largest of them. */
type OthersEffects = Required<Pick<TokenEstimate, 'generic' | 'placeboMost'>>;

/** More nats than any effect has, and a finite number. */
const BEYOND_EFFECTS = 1e30;

/** One for each pair; where it has no other users' histories, B is 0, and nothing exceeds the largest. */
async function othersEffects(
  pairs: readonly PromptPair[],
  others: readonly (readonly ScoredPrompt[])[],
  scorer: ReturnType<typeof createScorer>,
  progress: (stage: string, unit: string, total: number) => (done: number) => void,
): Promise<OthersEffects[]> {
  const prompts = pairs.flatMap(({ withoutHistoryIds, responseIds }, i) =>
    others[i]!.length === 0 ? [] : [{ promptIds: withoutHistoryIds, responseIds }, ...others[i]!],
  );
  const scores = await scorer.logProbabilities(
    prompts,
    progress('effects of other users’ histories', 'prompts', prompts.length),
  );
  let at = 0;
  return pairs.map(({ responseIds: { length } }, i) => {
    const count = others[i]!.length;
    if (count === 0)
      return {
        generic: new Float32Array(length),
        placeboMost: new Float32Array(length).fill(BEYOND_EFFECTS),
      };
    const [none, ...ofOthers] = scores.slice(at, at + count + 1) as [Float32Array, ...Float32Array[]];
    at += count + 1;
    return {
      generic: Float32Array.from(
        namedEffectsOfTokens({ own: none, none, others: ofOthers }),
        ({ generic }) => generic,
      ),
      placeboMost: none.map((value, t) => Math.max(...ofOthers.map((other) => other[t]!)) - value),
    };
  });
}

/** The estimator of a run; undefined for the model in training alone. */
export function createEstimator(
  settings: ResolvedSettings,
  parameters: FlatParameters,
  fixed: FixedEstimates | undefined,
  { model, pairs, threads, signal }: Pick<FixedEstimatesOptions, 'model' | 'pairs' | 'threads' | 'signal'>,
): Estimator | undefined {
  const known = (index: number) => fixed?.estimates[index] ?? {};
  if (settings.objective.estimator !== 'moving-average')
    return (
      fixed && {
        estimates: async (indices) => indices.map(known),
        afterStep: () => {},
        [Symbol.asyncDispose]: async () => {},
      }
    );
  const tensors = viewsOf(parameters, parameters.average!);
  const { lora, estimatorDecay } = settings;
  const scorer = createScorer(
    { model, ...(lora === undefined ? { trained: tensors } : { adapter: { lora, tensors } }) },
    { ...(threads === undefined ? {} : { threads }), ...(signal === undefined ? {} : { signal }) },
  );
  return {
    estimates: async (indices) => {
      const effects = await scorer.effects(indices.map((index) => pairs[index]!));
      return effects.map((effect, i) => ({ ...effect, ...known(indices[i]!) }));
    },
    afterStep: () => updateAverage(parameters, estimatorDecay),
    [Symbol.asyncDispose]: () => scorer[Symbol.asyncDispose](),
  };
}

function hashOf(estimates: readonly TokenEstimate[]): string {
  const hash = createHash('sha256');
  for (const estimate of estimates)
    for (const [name, values] of Object.entries(estimate) as [string, Float32Array][]) {
      hash.update(`${name} ${values.length}\n`);
      hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    }
  return hash.digest('hex');
}

function checkTokenizer(estimator: Model, model: Model, source = 'the starting model'): void {
  if (estimator.tokenizer.hash === model.tokenizer.hash) return;
  throw new ConfigError(
    `estimatorModel ${source}: expected the tokenizer of the trained model, ${model.tokenizer.hash.slice(0, 12)}…, got another, ${estimator.tokenizer.hash.slice(0, 12)}…`,
    {
      code: 'estimator/tokenizer',
      hint: 'Effects belong to tokens: name a model with the same tokenizer, or an adapter of this model.',
    },
  );
}

function noOthers(isGeneric: boolean): ConfigError {
  const [option, remedy] = isGeneric
    ? ['weightsFrom userSpecific', 'use weightsFrom total']
    : ['targetWeight', 'remove targetWeight'];
  return new ConfigError(`${option}: expected other users’ histories, got token ids alone`, {
    code: 'objective/no-others',
    hint: `Train on examples, or ${remedy}.`,
  });
}
