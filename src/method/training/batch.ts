/** @file A microbatch as the training graph takes it: its padded passes, over the same response tokens. */
import type { TokenBatch } from '../../engine/models/token-inputs.ts';
import { copiedTokensOf } from '../objectives/copied.ts';
import { type PassName, placeOfOther } from '../objectives/plan.ts';
import { checkAligned, collate, type PromptWithResponse } from '../prompts/collate.ts';
import { packedRows, type RowCost } from '../prompts/packed-rows.ts';
import { otherPrompts, type PromptPair } from '../prompts/pair.ts';
import { tokensOf } from '../prompts/shared-prefixes.ts';
import { addTokens, type TokenCount, tokensOfPass } from '../scoring/token-count.ts';
import type { TokenEstimate } from './given-effects.ts';

/** One pass of a microbatch: padded tokens, and the flat positions whose logits predict the response tokens. */
export interface PassBatch extends TokenBatch {
  readonly responseRows: BigInt64Array; // [S]
  readonly targets: BigInt64Array; // [S]
  /** The example of each response token. */
  readonly exampleOf: ArrayLike<number>; // [S]
  /** For adapters with dropout: see dropout-noise.ts. */
  readonly noise?: BigInt64Array; // [B · T]
}

/** A microbatch; all passes hold the same examples in the same order, and the same response tokens. */
export interface TrainingBatch {
  readonly withHistory?: PassBatch;
  readonly withoutHistory?: PassBatch;
  /** With another user's history; for an example that has none to be compared with, the own prompt again. */
  readonly otherHistory?: PassBatch;
  /** With the second and further other users' histories, in the same way. */
  readonly [further: `otherHistory${number}`]: PassBatch;
  /** For each example. */
  readonly hasHistory: readonly boolean[];
  /** For each example, where there is a pass with another user's history: whether there is one to be compared with. */
  readonly isCompared?: readonly boolean[];
  /** Whether each response token stands in a run that the shown history holds, where an objective asks; false where its pair does not say. */
  readonly isCopied?: readonly boolean[]; // [S]
  /** For each example, where token weights need effects that the passes do not give. */
  readonly estimates?: readonly TokenEstimate[];
}

/** The microbatch with each of its passes changed. */
export function withEachPass(batch: TrainingBatch, change: (pass: PassBatch) => PassBatch): TrainingBatch {
  const changed = Object.entries(batch).map(([name, part]) => [name, isPass(name) ? change(part) : part]);
  return Object.fromEntries(changed) as TrainingBatch;
}

const isPass = (name: string): name is PassName =>
  name === 'withHistory' || name === 'withoutHistory' || placeOfOther(name) !== undefined;

/** The prompt of a pass; the own one again, where a pair is compared with nobody. */
function promptIdsOf(pass: PassName, pair: PromptPair): readonly number[] {
  if (pass === 'withoutHistory') return pair.withoutHistoryIds;
  const place = placeOfOther(pass);
  return (place === undefined ? undefined : otherPrompts(pair)[place]) ?? pair.withHistoryIds;
}

/** What a pass reads of some examples, in their order. */
export function promptsOfPass(pairs: readonly PromptPair[], pass: PassName): PromptWithResponse[] {
  return pairs.map((pair) => ({
    promptIds: promptIdsOf(pass, pair),
    responseIds: pair.responseIds,
    ...(pair.fitted && { fitted: pair.fitted }),
  }));
}

/**
 * The passes of some examples that an objective needs, padded on the right.
 * @param rowCost what a row costs, where rows are packed: losses and gradients are then those of one row an example, in another
 *   order of summation. Without, every example has a row of its own.
 */
export function trainingBatch(
  pairs: readonly PromptPair[],
  passes: readonly PassName[],
  padId: number,
  rowCost?: RowCost,
): TrainingBatch {
  const collated = passes.map((name) => {
    const prompts = promptsOfPass(pairs, name);
    const packed = rowCost && { layout: packedRows(prompts.map(tokensOf), rowCost).layout };
    return [name, collate(prompts, { padId, side: 'right', ...packed })] as const;
  });
  const [[, first], ...others] = collated as [(typeof collated)[number], ...typeof collated];
  for (const [, pass] of others) checkAligned(first, pass);
  return {
    ...(Object.fromEntries(collated) as Partial<Record<PassName, PassBatch>>),
    hasHistory: pairs.map((pair) => pair.hasHistory),
    ...(passes.includes('otherHistory') && {
      isCompared: pairs.map((pair) => pair.otherHistoryIds !== undefined),
    }),
    isCopied: pairs.flatMap(copiedFitted),
  };
}

/** Of the response tokens that are fitted. */
const copiedFitted = (pair: PromptPair): boolean[] =>
  copiedTokensOf(pair).filter((_, t) => pair.fitted?.[t] !== false);

/** Tokens of all passes of a microbatch. */
export function tokensOfBatch(
  batch: TrainingBatch,
  pairs: readonly PromptPair[],
  passes: readonly PassName[],
): TokenCount {
  return passes
    .map((name) => tokensOfPass(promptsOfPass(pairs, name), batch[name]!))
    .reduce(addTokens, { tokensComputed: 0, tokensSaved: 0 });
}
