/** @file Runs a model over prompts and their responses: log-probabilities of one pass, effects of a pair of passes. */
import { type EngineError, throwIfAborted } from '../../base/errors.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';
import type { ProgressListener } from '../../base/progress.ts';
import { openSession, parameterSource } from '../../engine/models/pass.ts';
import type { HostTensor } from '../../engine/runtime/session.ts';
import { checkFiniteWeights } from '../../engine/weights/finite.ts';
import type { Example } from '../data/example.ts';
import type { NoticeListener } from '../data/notice.ts';
import { checkCopied } from '../objectives/copied.ts';
import type { ObjectiveOptions } from '../objectives/objective-options.ts';
import type { ObjectiveChoice } from '../objectives/objectives.ts';
import { type ObjectivePlan, optionsInUse, planObjective } from '../objectives/plan.ts';
import type { OthersBy } from '../others/similar.ts';
import { promptOf, type ScoredPrompt } from '../prompts/collate.ts';
import type { PromptSettings } from '../prompts/pair.ts';
import { bookKeeper, type EffectCache } from './effect-cache.ts';
import { type GraphUse, keptGraphs } from './kept-graphs.ts';
import type { PairEffects, Scorer } from './pair-effects.ts';
import { remoteScorer } from './remote-scorer.ts';
import {
  keepersInTurn,
  memoryKeeper,
  pairKey,
  promptKey,
  promptsOfPair,
  type ScoredRun,
  type ScoreKeeper,
  scoresThroughKeeper,
} from './score-keeper.ts';
import { scoresHash } from './scored-hash.ts';
import type { ScoredModel } from './scored-model.ts';
import { effectGraph, promptGraph, type ScoringGraph } from './scoring-graphs.ts';
import { rowsOf, scoringRuns } from './scoring-groups.ts';
import { notFinite, type ScoringRuns, withoutEffect } from './scoring-runs.ts';
import type { TokenCount } from './token-count.ts';
import { workerRuns } from './worker-runs.ts';

export interface ScorerOptions {
  readonly threads?: number;
  /** Whose weights `effects` reports; uniform when absent. */
  readonly objective?: ObjectiveChoice;
  readonly objectiveOptions?: ObjectiveOptions;
  /** Padded tokens of one run at most, except for a longer single prompt; fewer for larger models by default. */
  readonly tokensPerRun?: number;
  /** Where scores are looked up, and kept at the end; whatever command or settings they were computed for. */
  readonly cache?: EffectCache | undefined;
  /** Where scores are looked up first, and kept after each run; whoever made it disposes of it. */
  readonly keeper?: ScoreKeeper | undefined;
  /** Asks a server for the likeliest tokens, which bound the divergence that it cannot give; false by default. */
  readonly divergenceBound?: boolean;
  readonly signal?: AbortSignal;
  /** Told after each run of the model what it computed. */
  readonly onTokens?: ((count: TokenCount) => void) | undefined;
}

/** How examples are scored beside other users' histories. */
export interface ComparingScorerOptions extends ScorerOptions {
  readonly prompt: PromptSettings;
  /** Where other users' histories come from; the examples themselves by default. */
  readonly pool?: readonly Example[];
  /** Which other users; `matched` by default. */
  readonly othersBy?: OthersBy;
  /** Draws other users' histories, that of the reference value `placebo` too; 0 by default. */
  readonly seed?: number;
  readonly onProgress?: ProgressListener;
  /** Told how many texts are compared with nobody, and the like. */
  readonly onNotice?: NoticeListener | undefined;
}

/** Keeps the scores of a model's prompts: in the keeper given first, and in the cache when it is disposed of. */
export function promptKeeper(
  scored: ScoredModel,
  { cache, keeper }: Pick<ScorerOptions, 'cache' | 'keeper'>,
): ScoreKeeper & AsyncDisposable {
  const book = cache && bookOf(cache, scored, PLAIN);
  const keepers = [keeper ?? memoryKeeper(), ...(book ? [book] : [])];
  return { ...keepersInTurn(keepers), [Symbol.asyncDispose]: async () => book?.[Symbol.asyncDispose]() };
}

/** What weights depend on that depend on no effect. */
const PLAIN: readonly unknown[] = ['sft', {}];

/** Prompts and pairs are known by their ids; beside the model, only weights depend on more: on the objective. */
const bookOf = (cache: EffectCache, scored: ScoredModel, weights: readonly unknown[]) =>
  bookKeeper(cache, {
    key: sha256(canonicalJson([scoresHash(scored), ...weights])),
    tokenizerHash: scored.model.tokenizer.hash,
  });

/** A scorer; its graphs are compiled when first used. It scores each distinct prompt once, and none that is kept. */
export function createScorer(scored: ScoredModel, options: ScorerOptions = {}): Scorer {
  const { cache, keeper, objective = 'sft', objectiveOptions, divergenceBound = false } = options;
  const plan = planObjective(objective, objectiveOptions);
  const scorerWith = (prompts: ScoreKeeper | undefined, pairs = prompts) =>
    scored.remote === undefined
      ? keptScorer(runsOf(scored, plan, options), prompts, pairs)
      : remoteScorer(scored.remote, plan, { keeper: prompts, divergenceBound, signal: options.signal });
  if (cache === undefined) return scorerWith(keeper);
  const prompts = bookOf(cache, scored, PLAIN);
  const pairs =
    plan.rule === 'uniform' ? prompts : bookOf(cache, scored, ['fit', plan.name, optionsInUse(plan)]);
  const both = (book: ScoreKeeper) => (keeper === undefined ? book : keepersInTurn([keeper, book]));
  const scorer = scorerWith(both(prompts), both(pairs));
  return {
    ...scorer,
    [Symbol.asyncDispose]: async () => {
      await scorer[Symbol.asyncDispose]();
      await prompts[Symbol.asyncDispose]();
      if (pairs !== prompts) await pairs[Symbol.asyncDispose]();
    },
  };
}

/** What computes: another process, or graphs of this package. */
function runsOf(scored: ScoredModel, plan: ObjectivePlan, options: ScorerOptions): ScoringRuns {
  const { worker } = scored.model;
  return worker === undefined ? modelRuns(scored, plan, options) : workerRuns(worker, scored, plan, options);
}

/** A scorer over runs that asks a keeper first. @param pairs keeps pairs, where that is another one */
export function keptScorer(runs: ScoringRuns, keeper?: ScoreKeeper, pairs = keeper): Scorer {
  return {
    logProbabilities: async (prompts, onDone) => {
      const scoring = { keyOf: promptKey, compute: runs.logProbabilities };
      const scores = await scoresThroughKeeper(prompts, scoring, keeper, onDone);
      return scores.map(({ logProbability }) => logProbability!);
    },
    effects: async (items, onDone) => {
      const scoring = { keyOf: pairKey, compute: runs.effects, toldOf: promptsOfPair };
      return (await scoresThroughKeeper(items, scoring, pairs, onDone)) as unknown as PairEffects[];
    },
    [Symbol.asyncDispose]: () => runs[Symbol.asyncDispose](),
  };
}

function modelRuns(scored: ScoredModel, objective: ObjectivePlan, options: ScorerOptions): ScoringRuns {
  const { model, adapter, trained, graphs = keptGraphs(0) } = scored;
  const { threads, tokensPerRun, signal, onTokens } = options;
  const { source, feeds } = parameterSource(scored, model);
  const lazily = <T>(kind: readonly unknown[], build: () => ScoringGraph<T>) =>
    whenRun(() =>
      graphs.use(
        JSON.stringify([...kind, adapter?.lora ?? null, trained !== undefined, threads ?? null]),
        async () => {
          const graph = build();
          const options = threads === undefined ? {} : { threads };
          return { graph, session: await openSession(model, graph.outputs, options) };
        },
      ),
    );
  const single = lazily(['prompts'], () => promptGraph(model, source));
  const pair = lazily(['pairs', objective.name, optionsInUse(objective)], () =>
    effectGraph(model, source, objective),
  );

  /** Runs `session` over rows of prompts that begin alike. */
  async function* inRuns<T>(
    items: readonly T[],
    prompts: readonly ScoredPrompt[],
    session: LazySession<T>,
    isWanted: (place: number) => boolean,
  ): AsyncGenerator<ScoredRun> {
    for (const planned of scoringRuns(prompts, model, tokensPerRun)) {
      const wanted = planned
        .map((row) => ({ ...row, places: row.places.filter(isWanted) }))
        .filter((row) => row.places.length > 0);
      if (wanted.length === 0) continue;
      throwIfAborted(signal);
      const places = wanted.flatMap((row) => row.places);
      const scores = await session.run(rowsOf(wanted, items), feeds, onTokens);
      const lengths = places.map((place) => prompts[place]!.responseIds.length);
      const values = places.map((): Record<string, Float32Array> => ({}));
      let failure: EngineError | undefined;
      for (const [name, all] of Object.entries(scores))
        for (const [i, part] of cut(all, lengths).entries()) {
          const place = () => `${model.folder}: ${name} of prompt ${places[i]! + 1} of ${items.length}`;
          failure ??= notFinite(part, place);
          values[i]![name] = part;
        }
      if (failure !== undefined) {
        // The weights themselves may be why: then the tensor is named.
        await checkFiniteWeights(
          model.weights,
          model.parameters.map((parameter) => parameter.name),
        );
        throw failure;
      }
      yield places.map((place, i) => [place, values[i]!]);
    }
  }

  return {
    logProbabilities: (prompts, isWanted) => inRuns(prompts, prompts, single, isWanted),
    effects: async function* (pairs, isWanted) {
      checkCopied(pairs, objective);
      const prompts = pairs.map((each) => promptOf(each));
      for await (const run of inRuns(pairs, prompts, pair, isWanted))
        yield run.map(([place, values]) => [
          place,
          pairs[place]!.hasHistory ? values : { ...withoutEffect(values as unknown as PairEffects) },
        ]);
    },
    [Symbol.asyncDispose]: async () => {
      await single[Symbol.asyncDispose]();
      await pair[Symbol.asyncDispose]();
    },
  };
}

interface LazySession<T> extends AsyncDisposable {
  run(
    rows: readonly (readonly T[])[],
    feeds: Readonly<Record<string, HostTensor>>,
    onTokens: ScorerOptions['onTokens'],
  ): Promise<Record<string, HostTensor>>;
}

/** A graph that is taken when it is first run. */
function whenRun<T>(use: () => Promise<GraphUse<T>>): LazySession<T> {
  let used: Promise<GraphUse<T>> | undefined;
  return {
    run: async (rows, feeds, onTokens) => {
      used ??= use();
      const { graph, session } = await used;
      const batch = graph.batch(rows);
      const scores = await session.run({ ...feeds, ...batch.feeds });
      onTokens?.(batch.tokens);
      return scores;
    },
    [Symbol.asyncDispose]: async () => {
      const given = used;
      used = undefined;
      await (await given?.catch(() => undefined))?.release();
    },
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
