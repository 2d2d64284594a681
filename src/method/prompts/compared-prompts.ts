/** @file The prompts in which an example's own history is compared with other users': what each of them shows. */
import type { Tokenizer } from '../../engine/tokenizer/tokenizer.ts';
import type { Example, HistoryItem } from '../data/example.ts';
import type { HiddenOthers } from '../data/notice.ts';
import type { MatchedOthers } from '../others/matching.ts';
import { othersHistories, referenceHistory } from '../others/others-histories.ts';
import type { OthersBy } from '../others/similar.ts';
import { itemChooser } from '../retrieval/choose.ts';
import { copiedRuns, copiedTokens } from '../texts/copied-runs.ts';
import {
  type PromptPair,
  type PromptSettings,
  promptPair,
  promptsFor,
  type ResponseRoom,
  type ShownItems,
} from './pair.ts';

export interface ComparedPrompts {
  /** Own history, as much as fits, against the reference value. */
  readonly pair: PromptPair & ShownItems;
  /** The own history cut to as many items as the others show; absent where there is nothing to compare. */
  readonly own?: PromptPair;
  /** Other users' histories, each with the same number of items; empty where nothing of the own one or of theirs shows. */
  readonly others: readonly PromptPair[];
  /** Whose histories they are. */
  readonly matched?: MatchedOthers;
}

export interface ComparingOptions {
  /** Where other users' histories come from; may contain the example. */
  readonly pool: readonly Example[];
  /** Number of other users' histories; beside them one more is drawn where the reference value is `placebo`. */
  readonly others: number;
  /** Which other users; `matched` by default. */
  readonly othersBy?: OthersBy;
  /** Draws them; default 0. */
  readonly seed?: number;
  /** Whether `pair` says which response tokens are copied from the history that it shows; false by default. */
  readonly marksCopied?: boolean;
}

/**
 * The prompts of an example with its own history, the reference value and other users' histories.
 * @throws {DataError} when a prompt does not fit even without history, or too few users have one
 * Cost: tokenises the prompts of each user that is asked, one to three times.
 */
export function comparedPrompts(
  example: Example,
  tokenizer: Tokenizer,
  settings: PromptSettings,
  { marksCopied = false, ...options }: ComparingOptions,
): ComparedPrompts {
  const compared = promptsBesideOthers(example, tokenizer, settings, options);
  const { pair } = compared;
  return marksCopied ? { ...compared, pair: { ...pair, copied: copiedIn(example, pair) } } : compared;
}

/** Which tokens of a response touch a run of words that stands in the history that its prompt shows. */
const copiedIn = ({ response }: Example, { shown, responseStarts, responseEnds }: PromptPair & ShownItems) =>
  copiedTokens(
    copiedRuns(
      response,
      shown.map(({ text }) => text),
    ),
    responseStarts,
    responseEnds,
  );

function promptsBesideOthers(
  example: Example,
  tokenizer: Tokenizer,
  settings: PromptSettings,
  { pool, others: count, othersBy, seed = 0 }: Omit<ComparingOptions, 'marksCopied'>,
): ComparedPrompts {
  const alone = () => ({ pair: promptPair(example, tokenizer, settings), others: [] });
  const isCompared = count > 0 || settings.reference === 'placebo';
  if (!isCompared) return alone();

  // Whether an item fits does not depend on the reference value, so every history is tried against none.
  const pairWith = remembered((history: readonly HistoryItem[]) =>
    promptPair(example, tokenizer, { ...settings, reference: 'removed' }, { history }),
  );
  const itemsShown = (history: readonly HistoryItem[]) => pairWith(history).historyItemsUsed;
  if (itemsShown(example.history) === 0) return alone();

  const choose = itemChooser(example, settings.retrieval);
  const reference =
    settings.reference === 'placebo'
      ? referenceHistory(pool, example, { seed, itemsShown, choose })
      : undefined;
  const pair =
    reference !== undefined
      ? { ...pairWith(example.history), withoutHistoryIds: pairWith(reference.history).withHistoryIds }
      : settings.reference === 'removed'
        ? pairWith(example.history)
        : promptPair(example, tokenizer, settings);
  if (count === 0) return { pair, others: [] };

  const without = new Set(reference && [reference.user]);
  const matched = othersHistories(pool, example, count, {
    seed,
    itemsShown,
    choose,
    without,
    ...(othersBy && { by: othersBy }),
  });
  if (matched === undefined) return { pair, others: [] };
  // All that is shown of the own history is shown of that cut to as many items.
  const own = matched.own.length < pair.historyItemsUsed ? matched.own : example.history;
  return {
    pair,
    own: pairWith(own),
    others: matched.others.map(({ history }) => pairWith(history)),
    matched,
  };
}

/** A function of a history that does its work once for each list of items. */
function remembered<T>(of: (history: readonly HistoryItem[]) => T): (history: readonly HistoryItem[]) => T {
  const known = new Map<readonly HistoryItem[], T>();
  return (history) => {
    const value = known.get(history) ?? of(history);
    known.set(history, value);
    return value;
  };
}

/**
 * What the reference value `placebo` shows in place of the history of an example whose response is not written yet.
 * @returns undefined where the prompt shows no item of the own history, or none of others'
 */
export function referenceItems(
  example: Example,
  tokenizer: Tokenizer,
  settings: PromptSettings,
  room: ResponseRoom,
  { pool, seed = 0 }: Omit<ComparingOptions, 'others'>,
): readonly HistoryItem[] | undefined {
  if (settings.reference !== 'placebo' || example.history.length === 0) return undefined;
  const itemsShown = (history: readonly HistoryItem[]) =>
    promptsFor(example, tokenizer, { ...settings, reference: 'removed' }, room, { history }).historyItemsUsed;
  const choose = itemChooser(example, settings.retrieval);
  return referenceHistory(pool, example, { seed, itemsShown, choose })?.history;
}

/** Whether an example shows some of its history, and nobody else's beside the same query and response. */
export const lacksOthers = ({ pair, others }: ComparedPrompts): boolean =>
  pair.hasHistory && others.length === 0;

/**
 * The notice of examples that can be compared with nobody.
 * @param lacking those that lack others, of `total`
 * @returns undefined where there is none
 */
export function hiddenOthers(
  lacking: readonly Example[],
  total: number,
  { maxTokens }: PromptSettings,
  consequence: HiddenOthers['consequence'],
): HiddenOthers | undefined {
  if (lacking.length === 0) return undefined;
  return {
    code: 'prompts/others-hidden',
    count: lacking.length,
    total,
    example: lacking[0]!.id,
    maxTokens,
    consequence,
  };
}
