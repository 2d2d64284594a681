/** @file The memory of a run's estimators: their sessions run before the first step, or beside the training graph. */
import { frozenParameters, loraParameters, trainedParameters } from '../../../engine/models/parameters.ts';
import { promptOf } from '../../prompts/collate.ts';
import type { PromptPair } from '../../prompts/pair.ts';
import { effectGraph, promptGraph, type ScoringGraph } from '../../scoring/scoring-graphs.ts';
import { scoringGroups, tokensOfOneRun } from '../../scoring/scoring-groups.ts';
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
  { model, objective, lora }: TrainingGraphOptions,
  pairs: readonly PromptPair[],
  microbatches: readonly (readonly PromptPair[])[],
): EstimatorMemory {
  const base = frozenParameters(model.quantised);
  const average = () => (lora === undefined ? trainedParameters() : loraParameters(lora, { base }));
  const { needs, estimator } = objective;
  const scored = (batch: readonly PromptPair[]) =>
    scoringGroups(
      batch.map((pair) => promptOf(pair)),
      model.config.vocabularySize,
      tokensOfOneRun(model),
    ).map((group) => group.map((i) => batch[i]!));
  const bytesOf = <T>(graph: ScoringGraph<T>, groups: readonly (readonly T[])[]) => {
    const {
      weights,
      activations,
      graph: own,
    } = sessionMemory(
      graph.outputs,
      groups.map((rows) => ({ feeds: graph.feeds(rows) })),
    );
    // Where all weights are trained, training maps none.
    return { weights: lora === undefined ? weights : 0, own: activations + own };
  };
  const sessions = [];
  if (estimator === 'fixed') sessions.push(bytesOf(effectGraph(model, base), largest(scored(pairs))));
  if (needs.generic)
    // Prompts with others' histories are as long as those with the user's own.
    sessions.push(
      bytesOf(
        promptGraph(model, base),
        largest(scored(pairs)).map((group) => group.map((pair) => promptOf(pair))),
      ),
    );
  return {
    before:
      Math.max(0, ...sessions.map(({ weights }) => weights)) +
      sessions.reduce((sum, { own }) => sum + own, 0),
    during:
      estimator === 'moving-average'
        ? bytesOf(effectGraph(model, average()), microbatches.flatMap(scored)).own
        : 0,
  };
}

/** The groups with the most padded tokens and with the most response tokens. */
function largest(groups: readonly (readonly PromptPair[])[]): (readonly PromptPair[])[] {
  const most = (of: (group: readonly PromptPair[]) => number) =>
    groups.reduce((largest, group) => (of(group) > of(largest) ? group : largest));
  const lengthOf = ({ withHistoryIds, responseIds }: PromptPair) =>
    withHistoryIds.length + responseIds.length;
  return [
    most((group) => group.length * Math.max(...group.map(lengthOf))),
    most((group) => group.reduce((sum, { responseIds }) => sum + responseIds.length, 0)),
  ];
}
