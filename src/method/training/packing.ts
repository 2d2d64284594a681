/**
 * @file Which examples of a step meet in a microbatch where rows are packed: those whose prompts begin alike, so that what they
 * share is computed once. A step keeps its examples, and so its loss and its gradients.
 */
import type { Model } from '../../engine/models/model.ts';
import type { PassName } from '../objectives/plan.ts';
import { packedRows, type RowCost } from '../prompts/packed-rows.ts';
import type { PromptPair } from '../prompts/pair.ts';
import { planRows, rowTokens, tokensOf, unboundRows } from '../prompts/shared-prefixes.ts';
import { rowCost } from '../scoring/scoring-groups.ts';
import { promptsOfPass } from './batch.ts';

/** As in scoring, but the gradients of attention compute its probabilities again (measured). */
const SCORE_WEIGHT = 2.5;

/** What a row of a training step costs, up to a factor. */
export const trainingRowCost = (model: Pick<Model, 'parameters' | 'config'>): RowCost =>
  rowCost(model, SCORE_WEIGHT);

export interface PackingOptions {
  readonly passes: readonly PassName[];
  /** Examples of a microbatch at most. */
  readonly batchSize: number;
  readonly rowCost: RowCost;
}

/** A step's microbatches as they were drawn, or its examples in others, whichever costs less. */
export function packedMicrobatches(
  drawn: readonly (readonly number[])[],
  pairs: readonly PromptPair[],
  options: PackingOptions,
): readonly (readonly number[])[] {
  if (drawn.length === 1) return drawn;
  const regrouped = byBeginning(drawn.flat(), pairs, options);
  return costOf(regrouped, pairs, options) < costOf(drawn, pairs, options) ? regrouped : drawn;
}

/** Of all microbatches and passes. */
function costOf(
  microbatches: readonly (readonly number[])[],
  pairs: readonly PromptPair[],
  { passes, rowCost }: PackingOptions,
): number {
  const costs = microbatches.flatMap((indices) => {
    const some = indices.map((index) => pairs[index]!);
    return passes.map((pass) => packedRows(promptsOfPass(some, pass).map(tokensOf), rowCost).cost);
  });
  return costs.reduce((sum, cost) => sum + cost, 0);
}

/** Microbatches of examples that share their beginnings in the first pass, filled up with others that are about as long. */
function byBeginning(
  indices: readonly number[],
  pairs: readonly PromptPair[],
  { passes, batchSize, rowCost }: PackingOptions,
): number[][] {
  const some = indices.map((index) => pairs[index]!);
  const sequences = promptsOfPass(some, passes[0]!).map(tokensOf);
  const rows = planRows(
    sequences,
    sequences.map(() => 0),
    unboundRows(rowCost),
  );
  const parts = rows.flatMap(({ places }) =>
    Array.from({ length: Math.ceil(places.length / batchSize) }, (_, part) => {
      const own = places.slice(part * batchSize, (part + 1) * batchSize);
      return { places: own, tokens: rowTokens(own, sequences) };
    }),
  );
  parts.sort((a, b) => b.tokens - a.tokens || a.places[0]! - b.places[0]!);
  const microbatches: number[][] = [];
  for (const { places } of parts) {
    const own = places.map((place) => indices[place]!);
    const withRoom = microbatches.find(({ length }) => length + own.length <= batchSize);
    if (withRoom === undefined) microbatches.push(own);
    else withRoom.push(...own);
  }
  return microbatches;
}
