/** @file Log-probabilities at several strengths of the history at once: logits z_∅ + s (z_h − z_∅), as generation steers by. */
import { throwIfAborted } from '../../base/errors.ts';
import { openSession, parameterSource } from '../../engine/models/pass.ts';
import type { HostTensor } from '../../engine/runtime/session.ts';
import { promptOf } from '../prompts/collate.ts';
import type { PromptPair } from '../prompts/pair.ts';
import type { ScoredModel } from './scored-model.ts';
import type { ScorerOptions } from './scorer.ts';
import { strengthGraph } from './scoring-graphs.ts';
import { scoringGroups, tokensOfOneRun } from './scoring-groups.ts';

/**
 * The mean log-probability of a response token of each pair at each strength, nats; f64[pairs][strengths].
 * @throws {AbortedError} when the signal says so
 * Cost: two passes a pair, and one softmax for each strength.
 */
export async function logProbabilitiesAtStrengths(
  scored: ScoredModel,
  pairs: readonly PromptPair[],
  strengths: readonly number[],
  {
    threads,
    signal,
    tokensPerRun,
    onDone,
  }: Pick<ScorerOptions, 'threads' | 'signal' | 'tokensPerRun'> & { onDone?: (done: number) => void } = {},
): Promise<number[][]> {
  const { model } = scored;
  const { source, feeds } = parameterSource(scored, model);
  const graph = strengthGraph(model, source, strengths);
  await using session = await openSession(model, graph.outputs, threads === undefined ? {} : { threads });
  const prompts = pairs.map((pair) => promptOf(pair));
  const most = (tokensPerRun ?? tokensOfOneRun(model)) / 2;
  const means: number[][] = pairs.map(() => []);
  let done = 0;
  for (const group of scoringGroups(prompts, model.config.vocabularySize, most)) {
    throwIfAborted(signal);
    const run: Record<string, HostTensor> = await session.run({
      ...feeds,
      ...graph.feeds(group.map((place) => pairs[place]!)),
    });
    strengths.forEach((_, s) => {
      const values = run[`strength${s}`]!.data as Float32Array;
      let at = 0;
      for (const place of group) {
        const length = prompts[place]!.responseIds.length;
        let sum = 0;
        for (let t = at; t < at + length; t++) sum += values[t]!;
        means[place]![s] = sum / length;
        at += length;
      }
    });
    done += group.length;
    onDone?.(done);
  }
  return means;
}
