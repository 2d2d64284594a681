/**
 * @file Log-probabilities at several strengths at once, as generation steers by: of the history, z_∅ + s (z_h − z_∅), or of an adapter,
 * z_base + s (z_adapter − z_base).
 */
import { throwIfAborted } from '../../base/errors.ts';
import { groupBy } from '../../base/group-by.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';
import { mean } from '../../base/statistics/mean.ts';
import type { Model } from '../../engine/models/model.ts';
import { openSession, parameterSource } from '../../engine/models/pass.ts';
import type { HostTensor } from '../../engine/runtime/session.ts';
import { promptOf, type ScoredPrompt } from '../prompts/collate.ts';
import type { PromptPair } from '../prompts/pair.ts';
import { pairKey, promptKey, type ScoreKeeper, scoresThroughKeeper } from './score-keeper.ts';
import type { ScoredModel } from './scored-model.ts';
import type { ScorerOptions } from './scorer.ts';
import { contrastGraph, type ScoringGraph, strengthGraph } from './scoring-graphs.ts';
import { rowsOf, scoringRuns } from './scoring-groups.ts';

interface StrengthsOptions extends Pick<ScorerOptions, 'threads' | 'signal' | 'tokensPerRun' | 'onTokens'> {
  readonly onDone?: (done: number) => void;
}

/**
 * The mean log-probability of a response token of each pair at each strength of its history, nats; f64[pairs][strengths].
 * @throws {AbortedError} when the signal says so
 * Cost: two passes a pair, and one softmax for each strength.
 */
export function logProbabilitiesAtStrengths(
  scored: ScoredModel,
  pairs: readonly PromptPair[],
  strengths: readonly number[],
  options: StrengthsOptions = {},
): Promise<number[][]> {
  const { source, feeds } = parameterSource(scored, scored.model);
  const prompts = pairs.map((pair) => promptOf(pair));
  const graph = strengthGraph(scored.model, source, strengths);
  return meansAtStrengths(scored.model, { graph, feeds, rows: pairs, prompts }, strengths.length, options);
}

/**
 * The mean log-probability of a response token of each prompt at each strength of the adapter, z_base + s (z_adapter − z_base), nats;
 * f64[prompts][strengths].
 * @throws {AbortedError} when the signal says so
 * Cost: two passes a prompt, and one softmax for each strength.
 */
export function logProbabilitiesContrasted(
  { model, adapter }: Required<Pick<ScoredModel, 'model' | 'adapter'>>,
  prompts: readonly ScoredPrompt[],
  strengths: readonly number[],
  options: StrengthsOptions = {},
): Promise<number[][]> {
  const graph = contrastGraph(model, adapter.lora, strengths);
  return meansAtStrengths(
    model,
    { graph, feeds: adapter.tensors, rows: prompts, prompts },
    strengths.length,
    options,
  );
}

/**
 * The log-probability of every response token of each pair at each strength of its history, nats; f32[S] each, [pairs][strengths].
 * What a keeper has is not computed again; at 0 and 1 these are the scores of the two prompts, and kept as theirs.
 * @throws {AbortedError} when the signal says so
 * Cost: two passes a pair, and one softmax for each strength.
 */
export async function tokensAtStrengths(
  scored: ScoredModel,
  pairs: readonly PromptPair[],
  strengths: readonly number[],
  { keeper, onDone, ...options }: StrengthsOptions & { readonly keeper?: ScoreKeeper | undefined },
): Promise<Float32Array[][]> {
  const items = pairs.flatMap((pair) =>
    strengths.map((strength): PairAtStrength => ({ pair, strength, responseIds: pair.responseIds })),
  );
  const values = await scoresThroughKeeper(
    items,
    {
      keyOf: strengthKey,
      compute: async function* (distinct, isWanted) {
        const { source, feeds } = parameterSource(scored, scored.model);
        const graph = strengthGraph(scored.model, source, strengths);
        const placesOf = groupBy(distinct.keys(), (place) => distinct[place]!.pair);
        const rows = [...placesOf.keys()];
        const wanted = rows.map((pair) => placesOf.get(pair)!.filter(isWanted));
        const prompts = rows.map((pair) => promptOf(pair));
        for await (const run of runsAtStrengths(
          scored.model,
          { graph, feeds, rows, prompts },
          strengths.length,
          { ...options, isWanted: (row) => wanted[row]!.length > 0 },
        ))
          yield run.flatMap(([row, at]) =>
            wanted[row]!.map(
              (place) =>
                [place, { logProbability: at[strengths.indexOf(distinct[place]!.strength)]! }] as const,
            ),
          );
      },
    },
    keeper,
    onDone && ((done) => onDone(Math.floor(done / strengths.length))),
  );
  return pairs.map((_, i) => strengths.map((_, s) => values[i * strengths.length + s]!.logProbability!));
}

interface PairAtStrength {
  readonly pair: PromptPair;
  readonly strength: number;
  readonly responseIds: readonly number[];
}

/** Names a pair at a strength: at 0 and 1 one of its prompts. */
function strengthKey({ pair, strength }: PairAtStrength): string {
  if (strength === 1) return promptKey(promptOf(pair));
  if (strength === 0) return promptKey(promptOf(pair, 'withoutHistoryIds'));
  return sha256(canonicalJson([pairKey(pair), 'strength', strength]));
}

interface StrengthRows<T> {
  readonly graph: ScoringGraph<T>;
  /** Of the parameters that are inputs. */
  readonly feeds: Readonly<Record<string, HostTensor>>;
  readonly rows: readonly T[];
  /** The longer prompt of each row. */
  readonly prompts: readonly ScoredPrompt[];
}

async function meansAtStrengths<T>(
  model: Model,
  rows: StrengthRows<T>,
  strengths: number,
  { onDone, ...options }: StrengthsOptions,
): Promise<number[][]> {
  const means: number[][] = [];
  let done = 0;
  for await (const run of runsAtStrengths(model, rows, strengths, options)) {
    for (const [row, at] of run) means[row] = at.map((values) => mean(values));
    done += run.length;
    onDone?.(done);
  }
  return means;
}

/**
 * Run by run, the log-probabilities of the response tokens of each row at each strength, f32[S]. A run of which
 * something is wanted is computed whole, so that what is known does not move the others' last digits.
 */
async function* runsAtStrengths<T>(
  model: Model,
  { graph, feeds, rows, prompts }: StrengthRows<T>,
  strengths: number,
  {
    threads,
    signal,
    tokensPerRun,
    onTokens,
    isWanted = () => true,
  }: Omit<StrengthsOptions, 'onDone'> & { readonly isWanted?: (row: number) => boolean },
): AsyncGenerator<(readonly [row: number, values: Float32Array[]])[]> {
  await using session = await openSession(model, graph.outputs, threads === undefined ? {} : { threads });
  for (const plan of scoringRuns(prompts, model, tokensPerRun)) {
    if (!plan.some(({ places }) => places.some(isWanted))) continue;
    throwIfAborted(signal);
    const batch = graph.batch(rowsOf(plan, rows));
    const run: Record<string, HostTensor> = await session.run({ ...feeds, ...batch.feeds });
    onTokens?.(batch.tokens);
    let start = 0;
    yield plan
      .flatMap(({ places }) => places)
      .map((row) => {
        const [from, to] = [start, start + prompts[row]!.responseIds.length];
        start = to;
        const at = Array.from({ length: strengths }, (_, s) =>
          (run[`strength${s}`]!.data as Float32Array).slice(from, to),
        );
        return [row, at] as const;
      });
  }
}
