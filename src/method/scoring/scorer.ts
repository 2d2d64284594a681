/** @file Runs a model over prompts and their responses: log-probabilities of one pass, effects of a pair of passes. */
import { EngineError, throwIfAborted } from '../../base/errors.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';
import type { ProgressListener } from '../../base/progress.ts';
import { openSession, parameterSource } from '../../engine/models/pass.ts';
import type { Value } from '../../engine/ops/value.ts';
import type { HostTensor, Session } from '../../engine/runtime/session.ts';
import { checkFiniteWeights } from '../../engine/weights/finite.ts';
import type { Example } from '../data/example.ts';
import type { ObjectiveOptions } from '../objectives/objective-options.ts';
import type { ObjectiveChoice } from '../objectives/objectives.ts';
import { type ObjectivePlan, optionsInUse, planObjective } from '../objectives/plan.ts';
import { promptOf, type ScoredPrompt } from '../prompts/collate.ts';
import type { PromptSettings } from '../prompts/pair.ts';
import { cachedScorer, type EffectCache } from './effect-cache.ts';
import type { PairEffects, Scorer } from './pair-effects.ts';
import { scoredHash } from './scored-hash.ts';
import type { ScoredModel } from './scored-model.ts';
import { effectGraph, promptGraph, type ScoringGraph } from './scoring-graphs.ts';
import { scoringGroups } from './scoring-groups.ts';

export interface ScorerOptions {
  readonly threads?: number;
  /** Whose weights `effects` reports; uniform when absent. */
  readonly objective?: ObjectiveChoice;
  readonly objectiveOptions?: ObjectiveOptions;
  /** Padded tokens of one run at most, but for a longer single prompt; 4096 by default. */
  readonly tokensPerRun?: number;
  /** Where scores are looked up first, and kept. */
  readonly cache?: EffectCache;
  /** What else scores depend on, such as the settings of the prompt: names them in the cache. */
  readonly cacheContext?: unknown;
  readonly signal?: AbortSignal;
}

/** How examples are scored beside other users' histories. */
export interface ComparingScorerOptions extends ScorerOptions {
  readonly prompt: PromptSettings;
  /** Where other users' histories come from; the examples themselves by default. */
  readonly pool?: readonly Example[];
  /** Draws other users' histories, that of the reference value `placebo` too; 0 by default. */
  readonly seed?: number;
  readonly onProgress?: ProgressListener;
  /** Told how many texts are compared with nobody, and the like. */
  readonly onWarning?: (message: string) => void;
}

/** A scorer; its graphs are compiled when first used. With a cache it computes only what is not there. */
export function createScorer(scored: ScoredModel, options: ScorerOptions = {}): Scorer {
  const { cache, cacheContext = null, objective = 'sft', objectiveOptions } = options;
  const plan = planObjective(objective, objectiveOptions);
  const scorer = computingScorer(scored, plan, options);
  if (cache === undefined) return scorer;
  const weights = plan.rule === 'uniform' ? ['sft', {}] : [plan.name, optionsInUse(plan)];
  const key = sha256(canonicalJson([scoredHash(scored), cacheContext, ...weights]));
  return cachedScorer(scorer, cache, { key, tokenizerHash: scored.model.tokenizer.hash });
}

function computingScorer(scored: ScoredModel, objective: ObjectivePlan, options: ScorerOptions): Scorer {
  const { model } = scored;
  const { threads, tokensPerRun, signal } = options;
  const { source, feeds } = parameterSource(scored, model);
  const open = (outputs: Readonly<Record<string, Value>>) =>
    openSession(model, outputs, threads === undefined ? {} : { threads });
  const single = whenRun(() => promptGraph(model, source), open);
  const pair = whenRun(() => effectGraph(model, source, objective), open);

  /** Runs `session` over groups of similar length; the parts of each row, in the order given. */
  async function inGroups<T>(
    rows: readonly T[],
    asPrompt: (row: T) => ScoredPrompt,
    session: LazySession<T>,
    onDone: ((done: number) => void) | undefined,
  ): Promise<Record<string, Float32Array>[]> {
    const prompts = rows.map(asPrompt);
    const results = new Array<Record<string, Float32Array>>(rows.length);
    let done = 0;
    for (const indices of scoringGroups(prompts, model.config.vocabularySize, tokensPerRun)) {
      throwIfAborted(signal);
      const scores = await session.run(
        indices.map((index) => rows[index]!),
        feeds,
      );
      const lengths = indices.map((index) => prompts[index]!.responseIds.length);
      for (const index of indices) results[index] = {};
      let failure: EngineError | undefined;
      for (const [name, values] of Object.entries(scores))
        cut(values, lengths).forEach((part, i) => {
          const index = indices[i]!;
          failure ??= notFinite(
            part,
            () => `${model.folder}: ${name} of prompt ${index + 1} of ${rows.length}`,
          );
          results[index]![name] = part;
        });
      if (failure !== undefined) {
        // The weights themselves may be why: then the tensor is named.
        await checkFiniteWeights(
          model.weights,
          model.parameters.map((parameter) => parameter.name),
        );
        throw failure;
      }
      done += indices.length;
      onDone?.(done);
    }
    return results;
  }

  return {
    logProbabilities: async (prompts, onDone) => {
      const scores = await inGroups(prompts, (prompt) => prompt, single, onDone);
      return scores.map(({ logProbability }) => logProbability!);
    },
    effects: async (pairs, onDone) => {
      const effects = (await inGroups(
        pairs,
        (each) => promptOf(each),
        pair,
        onDone,
      )) as unknown as PairEffects[];
      return effects.map((effect, i) => (pairs[i]!.hasHistory ? effect : withoutEffect(effect)));
    },
    [Symbol.asyncDispose]: async () => {
      await single[Symbol.asyncDispose]();
      await pair[Symbol.asyncDispose]();
    },
  };
}

interface LazySession<T> extends AsyncDisposable {
  run(rows: readonly T[], feeds: Readonly<Record<string, HostTensor>>): Promise<Record<string, HostTensor>>;
}

/** A graph that is built and compiled when it is first run. */
function whenRun<T>(
  build: () => ScoringGraph<T>,
  open: (outputs: Readonly<Record<string, Value>>) => Promise<Session>,
): LazySession<T> {
  let graph: ScoringGraph<T> | undefined;
  let session: Promise<Session> | undefined;
  return {
    run: async (rows, feeds) => {
      graph ??= build();
      session ??= open(graph.outputs);
      return (await session).run({ ...feeds, ...graph.feeds(rows) });
    },
    [Symbol.asyncDispose]: async () => (await session)?.[Symbol.asyncDispose](),
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
function cut(values: HostTensor, lengths: readonly number[]): Float32Array[] {
  let at = 0;
  return lengths.map((length) => {
    const part = (values.data as Float32Array).slice(at, at + length);
    at += length;
    return part;
  });
}

/** What is no number would be drawn as no effect, kept by a cache, and told as an error of the data. */
function notFinite(values: Float32Array, place: () => string): EngineError | undefined {
  const token = values.findIndex((value) => !Number.isFinite(value));
  if (token < 0) return undefined;
  return new EngineError(
    `${place()}, response token ${token + 1}: expected a finite number, got ${values[token]}`,
    {
      code: 'scoring/nan',
      hint: 'Look for numbers that are not finite in the weights of the model and its adapter.',
    },
  );
}
