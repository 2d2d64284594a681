/** @file Runs a model over prompts and their responses: log-probabilities of one pass, effects of a pair of passes. */
import { throwIfAborted } from '../../base/errors.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';
import type { Model } from '../../engine/models/model.ts';
import {
  createPasses,
  openSession,
  type ParameterValues,
  parameterSource,
} from '../../engine/models/pass.ts';
import { input, selectedLogProbability } from '../../engine/ops/operators.ts';
import type { Value } from '../../engine/ops/value.ts';
import type { HostTensor, Session } from '../../engine/runtime/session.ts';
import { groupFeeds, groupInputs } from '../objectives/groups.ts';
import type { ObjectiveOptions } from '../objectives/objective-options.ts';
import { type ObjectiveName, objectiveWeights } from '../objectives/objectives.ts';
import {
  type CollatedBatch,
  checkAligned,
  collate,
  type PromptWithResponse,
  passRows,
} from '../prompts/collate.ts';
import type { PromptPair } from '../prompts/pair.ts';
import { cachedScorer, type EffectCache } from './effect-cache.ts';
import { tokenEffects } from './effects.ts';
import { scoredHash } from './scored-hash.ts';

/** A model as it is to be scored: frozen, with an adapter, or with weights under training. */
export interface ScoredModel extends ParameterValues {
  readonly model: Model;
}

export interface ScorerOptions {
  readonly threads?: number;
  /** Whose weights `effects` reports; uniform when absent. */
  readonly objective?: ObjectiveName;
  readonly objectiveOptions?: ObjectiveOptions;
  /** Padded tokens of one run at most, but for a longer single prompt; 4096 by default. */
  readonly tokensPerRun?: number;
  /** Where scores are looked up first, and kept. */
  readonly cache?: EffectCache;
  /** What else scores depend on, such as the settings of the prompt: names them in the cache. */
  readonly cacheContext?: unknown;
  readonly signal?: AbortSignal;
}

/** Effects of the response tokens of one pair, each f32[S]; natural logarithms (see effects.ts). */
export interface PairEffects {
  readonly logProbWithHistory: Float32Array;
  readonly logProbWithoutHistory: Float32Array;
  readonly probability: Float32Array;
  readonly logRatio: Float32Array;
  readonly divergence: Float32Array;
  /** The objective's, summing to 1. */
  readonly weight: Float32Array;
}

/** A prompt with the response whose tokens are scored. */
export type ScoredPrompt = PromptWithResponse;

export interface Scorer extends AsyncDisposable {
  /** log p of every response token, nats; in the order given. `onDone` counts prompts. */
  logProbabilities(
    prompts: readonly ScoredPrompt[],
    onDone?: (done: number) => void,
  ): Promise<Float32Array[]>;
  /** Effects of every response token; in the order given. Exactly 0 for pairs without history. */
  effects(pairs: readonly PromptPair[], onDone?: (done: number) => void): Promise<PairEffects[]>;
}

/** Logits of one run at most: 128 MiB of f32, a few times over. */
const LOGITS_PER_RUN = 1 << 25;

/** A scorer; its graphs are compiled when first used. With a cache it computes only what is not there. */
export function createScorer(scored: ScoredModel, options: ScorerOptions = {}): Scorer {
  const { cache, cacheContext = null, objective = 'sft', objectiveOptions = {} } = options;
  const scorer = computingScorer(scored, options);
  if (cache === undefined) return scorer;
  const key = sha256(canonicalJson([scoredHash(scored), cacheContext, objective, objectiveOptions]));
  return cachedScorer(scorer, cache, { key, tokenizerHash: scored.model.tokenizer.hash });
}

function computingScorer(scored: ScoredModel, options: ScorerOptions): Scorer {
  const { model } = scored;
  const { config } = model;
  const { threads, objective = 'sft', objectiveOptions, tokensPerRun = 4096, signal } = options;
  const { source, feeds: parameterFeeds } = parameterSource(scored, model);
  const passes = createPasses(model, source);
  const targets = input('targets', 'i64', ['S']);
  const sessions = new Map<string, Promise<Session>>();

  const session = (name: string, outputs: () => Record<string, Value>) => {
    const known = sessions.get(name);
    if (known !== undefined) return known;
    const made = openSession(model, outputs(), threads === undefined ? {} : { threads });
    sessions.set(name, made);
    return made;
  };
  const single = () =>
    session('single', () => ({
      logProbability: selectedLogProbability(passes.logits('prompt', 'T'), targets),
    }));
  const pair = () =>
    session('pair', () => {
      const both = {
        withHistory: passes.logits('withHistory', 'T'),
        withoutHistory: passes.logits('withoutHistory', 'U'),
        targets,
      };
      const effects = tokenEffects(both);
      return { ...effects, weight: objectiveWeights(objective, both, groupInputs(), objectiveOptions) };
    });

  const batchOf = (prompts: readonly ScoredPrompt[]) =>
    collate(prompts, { padId: model.tokenizer.padId, side: 'right' });
  const feedsOf = (batches: Readonly<Record<string, CollatedBatch>>) => {
    const { targets: ids } = Object.values(batches)[0]!;
    return {
      ...parameterFeeds,
      ...passes.feeds(passRows(batches)),
      targets: { data: ids, shape: [ids.length] },
    };
  };
  /** Runs `score` over groups of similar length, and puts the results back into the order given. */
  async function inGroups<T>(
    prompts: readonly ScoredPrompt[],
    score: (indices: readonly number[]) => Promise<T[]>,
    onDone: ((done: number) => void) | undefined,
  ): Promise<T[]> {
    const results = new Array<T>(prompts.length);
    let done = 0;
    for (const indices of groupsByLength(prompts, tokensPerRun, LOGITS_PER_RUN / config.vocabularySize)) {
      throwIfAborted(signal);
      const scores = await score(indices);
      indices.forEach((index, i) => {
        results[index] = scores[i]!;
      });
      done += indices.length;
      onDone?.(done);
    }
    return results;
  }

  return {
    logProbabilities: (prompts, onDone) =>
      inGroups(
        prompts,
        async (indices) => {
          const chosen = indices.map((index) => prompts[index]!);
          const { logProbability } = await (await single()).run(feedsOf({ prompt: batchOf(chosen) }));
          return splitBy(chosen, logProbability!);
        },
        onDone,
      ),
    effects: (pairs, onDone) =>
      inGroups(
        pairs.map((p) => ({ promptIds: p.withHistoryIds, responseIds: p.responseIds })),
        async (indices) => {
          const chosen = indices.map((index) => pairs[index]!);
          const pass = (ids: 'withHistoryIds' | 'withoutHistoryIds') =>
            chosen.map((p) => ({ promptIds: p[ids], responseIds: p.responseIds }));
          const withHistory = batchOf(pass('withHistoryIds'));
          const withoutHistory = batchOf(pass('withoutHistoryIds'));
          checkAligned(withHistory, withoutHistory);
          const groups = groupFeeds(
            withHistory.exampleOf,
            chosen.map((p) => p.hasHistory),
            chosen.length,
          );
          const results = await (await pair()).run({
            ...feedsOf({ withHistory, withoutHistory }),
            ...groups,
          });
          const parts = Object.fromEntries(
            Object.entries(results).map(([name, values]) => [name, splitBy(chosen, values)]),
          );
          return chosen.map((p, i) => {
            const effects = Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part[i]!]));
            return p.hasHistory
              ? (effects as unknown as PairEffects)
              : withoutEffect(effects as unknown as PairEffects);
          });
        },
        onDone,
      ),
    [Symbol.asyncDispose]: async () => {
      for (const made of sessions.values()) await (await made)[Symbol.asyncDispose]();
    },
  };
}

/** One prompt: its second pass differs by rounding only, and the effect is 0 by definition. */
function withoutEffect({ logProbWithHistory, weight }: PairEffects): PairEffects {
  const zero = new Float32Array(weight.length);
  const logProbWithoutHistory = logProbWithHistory;
  return {
    logProbWithHistory,
    logProbWithoutHistory,
    probability: zero,
    logRatio: zero,
    divergence: zero,
    weight,
  };
}

/** Cuts a result for all response tokens into one part for each prompt. */
function splitBy(prompts: readonly Pick<ScoredPrompt, 'responseIds'>[], values: HostTensor): Float32Array[] {
  let at = 0;
  return prompts.map(({ responseIds }) => {
    const part = (values.data as Float32Array).slice(at, at + responseIds.length);
    at += responseIds.length;
    return part;
  });
}

/** Indices in groups of similar length, within a budget of padded tokens and of response tokens. */
function groupsByLength(
  prompts: readonly ScoredPrompt[],
  tokens: number,
  responseTokens: number,
): number[][] {
  const length = (index: number) => prompts[index]!.promptIds.length + prompts[index]!.responseIds.length;
  const order = prompts.map((_, index) => index).sort((a, b) => length(a) - length(b) || a - b);
  const groups: number[][] = [];
  let responses = 0;
  for (const index of order) {
    const group = groups.at(-1);
    const added = prompts[index]!.responseIds.length;
    if (group && (group.length + 1) * length(index) <= tokens && responses + added <= responseTokens) {
      group.push(index);
      responses += added;
    } else {
      groups.push([index]);
      responses = added;
    }
  }
  return groups;
}
