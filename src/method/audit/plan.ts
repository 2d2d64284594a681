/** @file What an audit scores: which examples, and for each its prompts with the own history, none, others', and fewer items. */

import { largest } from '../../base/largest.ts';
import type { Tokenizer } from '../../engine/tokenizer/tokenizer.ts';
import type { Example } from '../data/example.ts';
import type { ScoredPrompt } from '../prompts/collate.ts';
import type { ComparedPrompts } from '../prompts/compared-prompts.ts';
import { type PromptPair, type PromptSettings, promptPair } from '../prompts/pair.ts';
import { itemChooser } from '../retrieval/choose.ts';

/** An example with all prompts that its response is scored after. */
export interface AuditText {
  readonly example: Example;
  readonly pair: PromptPair;
  readonly others: readonly PromptPair[];
  /** With the latest 1, 2, 4 and 8 items; fewer where there are fewer. */
  readonly doses: readonly PromptPair[];
}

/** Numbers of items of the dose curve beside none. */
const DOSES = [1, 2, 4, 8];

/** A text may show more items than this, where the prompt settings let it. */
export const LARGEST_DOSE = Math.max(...DOSES);

/** The items of each point of the dose curve, 0 first: no point beyond what any text shows. */
export function dosesOf(pairs: readonly PromptPair[]): number[] {
  const most = largest(pairs.map(({ historyItemsUsed }) => historyItemsUsed));
  return [0, ...new Set(DOSES.map((items) => Math.min(items, most)))];
}

/** All prompts of an example. */
export function auditText(
  example: Example,
  { pair, others }: ComparedPrompts,
  doses: readonly number[],
  tokenizer: Tokenizer,
  prompt: PromptSettings,
): AuditText {
  const choose = itemChooser(example, prompt.retrieval);
  return {
    example,
    pair,
    others,
    doses: doses.slice(1).map((items) => {
      if (items >= pair.historyItemsUsed) return pair;
      const history = choose(example.history, items);
      return promptPair(example, tokenizer, prompt, { history });
    }),
  };
}

/** The prompts of a text in a fixed order: own history, none, others', doses. */
export function promptsOf({ pair, others, doses }: AuditText): ScoredPrompt[] {
  const after = (promptIds: readonly number[]) => ({ promptIds, responseIds: pair.responseIds });
  return [
    after(pair.withHistoryIds),
    after(pair.withoutHistoryIds),
    ...[...others, ...doses].map(({ withHistoryIds }) => after(withHistoryIds)),
  ];
}
