/** @file The memory of sessions that score for a run: its estimators', before the first step or beside the training graph, and that of its held-out loss. */
import type { Model } from '../../../engine/models/model.ts';
import { frozenParameters, loraParameters, trainedParameters } from '../../../engine/models/parameters.ts';
import { comparesWithOthers } from '../../objectives/plan.ts';
import { promptOf } from '../../prompts/collate.ts';
import type { PromptPair } from '../../prompts/pair.ts';
import { effectGraph, promptGraph, type ScoringGraph } from '../../scoring/scoring-graphs.ts';
import { rowsOf, type ScoringRun, scoringRuns } from '../../scoring/scoring-groups.ts';
import type { TrainingGraphOptions } from '../training-graph.ts';
import { sessionMemory } from './session-memory.ts';

/** Bytes that estimators need beside the weights that training maps, too. */
export interface EstimatorMemory {
  /** Before the first step; given back by then. */
  readonly before: number;
  /** From the first step to the last. */
  readonly during: number;
}

/**
 * Predicts both from the graphs that effects are scored by. A fixed estimator is taken to be as large as the trained model.
 * @param microbatches the largest ones of training
 */
export function estimatorMemory(
  options: TrainingGraphOptions,
  pairs: readonly PromptPair[],
  microbatches: readonly (readonly PromptPair[])[],
): EstimatorMemory {
  const { model, objective } = options;
  const base = frozenParameters(model.quantised);
  const { needs, estimator } = objective;
  const sessions = [];
  if (estimator === 'fixed')
    sessions.push(
      bytesOf(
        options,
        effectGraph(model, base),
        largest(scored(model, pairs)).map(({ rows }) => rows),
      ),
    );
  if (comparesWithOthers(objective) || needs.startMargin)
    // Prompts with others' histories are as long as those with the user's own.
    sessions.push(
      bytesOf(options, promptGraph(model, base), largest(scored(model, pairs)).map(promptsOfRun)),
    );
  return {
    before:
      Math.max(0, ...sessions.map(({ weights }) => weights)) +
      sessions.reduce((sum, { own }) => sum + own, 0),
    during:
      estimator === 'moving-average'
        ? bytesOf(
            options,
            effectGraph(model, trainedSource(options)),
            microbatches.flatMap((batch) => scored(model, batch).map(({ rows }) => rows)),
          ).own
        : 0,
  };
}

/** Bytes of the session that scores held-out rows by the weights in training, which it is fed; 0 where there are none. */
export function evaluationMemory(options: TrainingGraphOptions, heldOut: readonly PromptPair[]): number {
  if (heldOut.length === 0) return 0;
  const { model } = options;
  const runs = largest(scored(model, heldOut)).map(promptsOfRun);
  return bytesOf(options, promptGraph(model, trainedSource(options)), runs).own;
}

const trainedSource = ({ model, lora }: TrainingGraphOptions) =>
  lora === undefined
    ? trainedParameters()
    : loraParameters(lora, { base: frozenParameters(model.quantised) });

type PairRun = { readonly plan: ScoringRun; readonly rows: readonly (readonly PromptPair[])[] };

const promptsOfRun = ({ rows }: PairRun) => rows.map((row) => row.map((pair) => promptOf(pair)));

/** Pairs in the runs that they are scored in. */
function scored(model: Model, pairs: readonly PromptPair[]): PairRun[] {
  const prompts = pairs.map((pair) => promptOf(pair));
  return scoringRuns(prompts, model).map((plan) => ({ plan, rows: rowsOf(plan, pairs) }));
}

function bytesOf<T>(
  { lora }: TrainingGraphOptions,
  graph: ScoringGraph<T>,
  runs: readonly (readonly (readonly T[])[])[],
): { weights: number; own: number } {
  const planned = runs.map((rows) => graph.batch(rows));
  const { weights, activations, graph: own } = sessionMemory(graph.outputs, planned);
  // Where all weights are trained, training maps none.
  return { weights: lora === undefined ? weights : 0, own: activations + own };
}

/** The runs with the most padded tokens, with the longest row and with the most response tokens. */
function largest(runs: readonly PairRun[]): PairRun[] {
  const most = (of: (run: PairRun) => number) =>
    runs.reduce((largest, run) => (of(run) > of(largest) ? run : largest));
  const longest = ({ plan }: PairRun) => Math.max(...plan.map(({ tokens }) => tokens));
  return [
    most((run) => run.plan.length * longest(run)),
    most(longest),
    most(({ rows }) => rows.flat().reduce((sum, { responseIds }) => sum + responseIds.length, 0)),
  ];
}
