/**
 * @file Log-probabilities at several strengths at once, as generation steers by: of the history, z_∅ + s (z_h − z_∅), or of an adapter,
 * z_base + s (z_adapter − z_base).
 */
import { throwIfAborted } from '../../base/errors.ts';
import { mean } from '../../base/statistics/mean.ts';
import type { Model } from '../../engine/models/model.ts';
import { openSession, parameterSource } from '../../engine/models/pass.ts';
import type { HostTensor } from '../../engine/runtime/session.ts';
import { promptOf, type ScoredPrompt } from '../prompts/collate.ts';
import type { PromptPair } from '../prompts/pair.ts';
import type { ScoredModel } from './scored-model.ts';
import type { ScorerOptions } from './scorer.ts';
import { contrastGraph, type ScoringGraph, strengthGraph } from './scoring-graphs.ts';
import { rowsOf, scoringRuns } from './scoring-groups.ts';

interface StrengthsOptions extends Pick<ScorerOptions, 'threads' | 'signal' | 'tokensPerRun'> {
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
  { graph, feeds, rows, prompts }: StrengthRows<T>,
  strengths: number,
  { threads, signal, tokensPerRun, onDone }: StrengthsOptions,
): Promise<number[][]> {
  await using session = await openSession(model, graph.outputs, threads === undefined ? {} : { threads });
  const means: number[][] = rows.map(() => []);
  let done = 0;
  for (const plan of scoringRuns(prompts, model, tokensPerRun)) {
    throwIfAborted(signal);
    const group = plan.flatMap(({ places }) => places);
    const run: Record<string, HostTensor> = await session.run({
      ...feeds,
      ...graph.batch(rowsOf(plan, rows)).feeds,
    });
    for (let s = 0; s < strengths; s++) {
      const values = run[`strength${s}`]!.data as Float32Array;
      let at = 0;
      for (const place of group) {
        const length = prompts[place]!.responseIds.length;
        means[place]![s] = mean(values.subarray(at, at + length));
        at += length;
      }
    }
    done += group.length;
    onDone?.(done);
  }
  return means;
}
