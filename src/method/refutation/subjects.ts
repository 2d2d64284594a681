/** @file The examples of a refutation: each with the items of its history that fit, and as many of every other user's. */
import { pauses } from '../../base/breathe.ts';
import type { Tokenizer } from '../../engine/tokenizer/tokenizer.ts';
import type { Example, HistoryItem } from '../data/example.ts';
import { irrelevantNote } from '../others/controls.ts';
import type { MatchedOthers } from '../others/matching.ts';
import { othersHistories } from '../others/others-histories.ts';
import type { OthersBy } from '../others/similar.ts';
import { promptOf, type ScoredPrompt } from '../prompts/collate.ts';
import { noHistories } from '../prompts/compared-examples.ts';
import { type LeavingOutOptions, type LeftOut, leftOutCounter, unlessTooLong } from '../prompts/left-out.ts';
import { type PromptSettings, promptPair } from '../prompts/pair.ts';
import { itemChooser } from '../retrieval/choose.ts';

/**
 * An example whose history shows, with the latest of its items and those of others: as many as fit beside a note, and as
 * every one of these histories has.
 */
export interface Subject extends MatchedOthers {
  readonly example: Example;
}

/** How the prompts of a subject are made, and what its controls may draw from. */
export interface SubjectPrompts {
  readonly subjects: readonly Subject[];
  readonly leftOut: LeftOut;
  readonly seed: number;
  readonly template: string;
  /**
   * The prompt of an example with these items as its history, all of them; none is the prompt without history.
   * @returns undefined when they do not all fit
   */
  prompt(example: Example, history: readonly HistoryItem[], template?: string): ScoredPrompt | undefined;
}

export interface SubjectOptions extends LeavingOutOptions {
  readonly prompt: PromptSettings;
  /** Other users' histories for each example. */
  readonly others: number;
  /** Which other users; `matched` by default. */
  readonly othersBy?: OthersBy;
  /** Where they come from. */
  readonly pool: readonly Example[];
  readonly seed: number;
}

/**
 * The examples that can be used: those of which an item fits.
 * @throws {DataError} when there is none, or too few users have a history
 */
export async function refutationSubjects(
  examples: readonly Example[],
  tokenizer: Tokenizer,
  { prompt: settings, others, othersBy, pool, seed, strict = false, signal }: SubjectOptions,
): Promise<SubjectPrompts> {
  // Shown without a history section: what a refutation asks of does not depend on the reference value.
  const pairOf = (example: Example, history: readonly HistoryItem[], template = settings.template) =>
    promptPair(
      example,
      tokenizer,
      { ...settings, template, reference: 'removed', retrieval: 'latest', maxHistory: history.length },
      { history },
    );
  const chooser = (example: Example) => itemChooser(example, settings.retrieval);
  /** How many of the items that a prompt shows fit when a note stands beside them. */
  const fitting = (example: Example, history: readonly HistoryItem[]) => {
    const note = irrelevantNote({ example: example.id, seed });
    const shown = chooser(example)(history, settings.maxHistory);
    return Math.max(0, pairOf(example, [...shown, note]).historyItemsUsed - 1);
  };
  const subjects: Subject[] = [];
  const leftOut = leftOutCounter();
  const pause = pauses(signal);
  for (const example of examples) {
    const itemsShown = (history: readonly HistoryItem[]) => fitting(example, history);
    const own = unlessTooLong(() => itemsShown(example.history), strict);
    const choose = chooser(example);
    const by = othersBy && { by: othersBy };
    const matched = own
      ? othersHistories(pool, example, others, { seed, itemsShown, choose, ...by })
      : undefined;
    if (matched !== undefined) subjects.push({ example, ...matched });
    else if (own === undefined) leftOut.add('tooLong', example);
    else if (example.history.length === 0) leftOut.add('withoutHistory', example);
    else leftOut.add(own === 0 ? 'historyDoesNotFit' : 'othersDoNotFit', example);
    await pause();
  }
  if (subjects.length === 0) throw noHistories('refute', examples.length, leftOut.result(), settings);
  return {
    subjects,
    leftOut: leftOut.result(),
    seed,
    template: settings.template,
    prompt: (example, history, template) => {
      const pair = unlessTooLong(() => pairOf(example, history, template), false);
      return pair?.historyItemsUsed === history.length ? promptOf(pair) : undefined;
    },
  };
}
