/** @file The pair of prompts of an example: same query, same response, with the history and without. */
import { ConfigError, DataError } from '../../base/errors.ts';
import { type ChatMessage, type ChatPiece, promptPieces } from '../../engine/tokenizer/chat-template.ts';
import type { TextPart, Tokenizer } from '../../engine/tokenizer/tokenizer.ts';
import type { Example, HistoryItem } from '../data/example.ts';
import type { HiddenHistories } from '../data/notice.ts';
import { DEFAULT_RETRIEVAL, type ItemChooser, itemChooser, type Retrieval } from '../retrieval/choose.ts';
import { latestThatFit, steppedCount } from './budget.ts';
import { promptTemplate, type ReferenceValue } from './template.ts';

/** How prompts are made; saved beside every adapter, so that training and scoring cannot differ. */
export interface PromptSettings {
  /** Id of the template. */
  readonly template: string;
  readonly reference: ReferenceValue;
  /** Tokens of prompt and response together at most; history items are dropped until they fit, those that `retrieval` ranks lowest first. */
  readonly maxTokens: number;
  /** History items used at most. */
  readonly maxHistory: number;
  /** Which of them; `latest` where absent. */
  readonly retrieval?: Retrieval;
  /**
   * The latest items begin at a multiple of this in the user's history: up to this − 1 fewer are shown, and texts that follow one
   * another share the beginnings of their prompts. Where none of those that fit is such a beginning, it has no part. 1 where absent.
   * Of a history that stands for the user's own, such as another user's, no item is left out by it.
   */
  readonly historyStride?: number;
}

/** The reference code's numbers: the 8 latest items, 2,048 tokens; here no more than the model's own positions. */
export function defaultPromptSettings(maxPositions = 2048): PromptSettings {
  return {
    template: 'default',
    reference: 'removed',
    maxTokens: Math.min(2048, maxPositions),
    maxHistory: 8,
  };
}

/** Token ids of both prompts, up to where the response begins. */
export interface Prompts {
  readonly withHistoryIds: readonly number[];
  readonly withoutHistoryIds: readonly number[];
  /** Items of the history that `withHistoryIds` shows. */
  readonly historyItemsUsed: number;
  /** False when no item is used: both prompts are then the same. */
  readonly hasHistory: boolean;
}

/** Both prompts, and the one response that follows either. */
export interface PromptPair extends Prompts {
  /** The response's tokens and the end-of-turn token. */
  readonly responseIds: readonly number[];
  /** UTF-16 offsets in the response; those of the end-of-turn token are its length. */
  readonly responseStarts: readonly number[];
  readonly responseEnds: readonly number[];
  /** The prompt with another user's history, where an objective compares the own one with it. */
  readonly otherHistoryIds?: readonly number[];
  /** Prompts with the second and further other users' histories, where an objective contrasts the own one with several. */
  readonly furtherHistoryIds?: readonly (readonly number[])[];
  /** Which response tokens stand in runs of words that the shown history holds, where an objective asks. */
  readonly copied?: readonly boolean[];
  /** Which response tokens are fitted; all when absent. The others are read and not predicted. */
  readonly fitted?: readonly boolean[];
}

/** The prompts of a pair with other users' histories; none where it is compared with nobody. */
export const otherPrompts = ({
  otherHistoryIds,
  furtherHistoryIds = [],
}: Pick<PromptPair, 'otherHistoryIds' | 'furtherHistoryIds'>): readonly (readonly number[])[] =>
  otherHistoryIds === undefined ? [] : [otherHistoryIds, ...furtherHistoryIds];

/** The items of the history that prompts show, in its order. */
export interface ShownItems {
  readonly shown: readonly HistoryItem[];
}

/** What stands for the history in a pair. */
export interface PairHistories {
  /** In place of the example's own history, such as another user's. */
  readonly history?: readonly HistoryItem[];
  /** The items of the reference value `placebo`. */
  readonly placebo?: readonly HistoryItem[];
}

/**
 * The pair of prompts of an example. Prompt and response are tokenised separately, and the texts of users never
 * yield a special token.
 *
 * The prompt without history is the one that an example with an empty history gets; an example of which no item is
 * used has that prompt twice.
 * @throws {DataError} when the response is too long, the prompt does not fit even without history, or the reference
 *   value is `placebo` and no item of one is given or fits
 */
export function promptPair(
  example: Example & EarlierTurns,
  tokenizer: Tokenizer,
  settings: PromptSettings,
  histories: PairHistories = {},
): PromptPair & ShownItems {
  const { ids, starts, ends } = tokenizer.encode(example.response, settings.maxTokens);
  if (ids.length === 0)
    throw new DataError(`example ${example.id}: response: expected text, got none that gives a token`, {
      code: 'data/empty-response',
      hint: 'Remove the example.',
    });
  const responseIds = [...ids, tokenizer.endOfTurnId];
  const { length } = responseIds;
  return {
    ...promptsFor(example, tokenizer, settings, { least: length, most: length }, histories),
    responseIds,
    responseStarts: [...starts, example.response.length],
    responseEnds: [...ends, example.response.length],
  };
}

/** What was said in a conversation before the query: it stands in both prompts as it is. */
export interface EarlierTurns {
  readonly earlier?: readonly ChatMessage[];
}

/** Tokens kept free for a response behind the prompts: `most`, but fewer rather than none of the query, down to `least`. */
export interface ResponseRoom {
  readonly least: number;
  readonly most: number;
}

/**
 * The prompts of an example whose response is not written yet, as those of {@link promptPair} otherwise.
 * @throws {DataError} when a response of the least size does not fit even without history, or the reference value is
 *   `placebo` and no item of one is given or fits
 */
export function promptsFor(
  example: Pick<Example, 'id' | 'query' | 'history' | 'queryEmbedding'> & EarlierTurns,
  tokenizer: Tokenizer,
  settings: PromptSettings,
  { least, most }: ResponseRoom,
  histories: PairHistories = {},
): Prompts & ShownItems {
  const { maxTokens } = settings;
  const prompt = (history: readonly HistoryItem[] | 'none' | undefined, most = maxTokens) =>
    promptIds(example.query, history, tokenizer, settings.template, most, example.earlier);
  const bare = prompt(settings.reference === 'none-text' ? 'none' : undefined);
  const left = maxTokens - bare.length;
  if (left < least)
    throw new DataError(
      `example ${example.id}: prompt of ${countText(bare.length, maxTokens)} and response of ${countText(least, maxTokens)} tokens: expected at most ${maxTokens} in all, even without history, got ${bare.length > maxTokens || least > maxTokens ? 'more' : bare.length + least}`,
      { code: 'data/too-long', hint: 'Raise maxTokens, shorten the texts, or remove the example.' },
    );
  const room = settings.maxTokens - Math.min(most, left);
  const choose = itemChooser(example, settings.retrieval);
  const fit = (history: readonly HistoryItem[], stride = 1) =>
    fitHistory(history, choose, { ...settings, stride }, room, prompt);
  const own =
    histories.history === undefined ? fit(example.history, strideOf(settings)) : fit(histories.history);
  const reference = (): readonly number[] => {
    if (settings.reference !== 'placebo' || own === undefined) return bare;
    const placebo = fit(histories.placebo ?? []);
    if (placebo) return placebo.ids;
    throw new DataError(
      `example ${example.id}: placebo: expected another user's history of which an item fits into ${room} tokens, got ${histories.placebo?.length ?? 0} items of which none does`,
      {
        code: 'data/no-placebo',
        hint: 'Give a placebo history, raise maxTokens, or use the reference removed.',
      },
    );
  };
  return {
    withHistoryIds: own?.ids ?? bare,
    withoutHistoryIds: reference(),
    shown: own?.items ?? [],
    historyItemsUsed: own?.items.length ?? 0,
    hasHistory: own !== undefined,
  };
}

/** @throws {ConfigError} for a stride that is no count, or of items that form no window */
function strideOf({ historyStride = 1, retrieval = DEFAULT_RETRIEVAL }: PromptSettings): number {
  const fail = (expected: string, got: string | number, hint: string) =>
    new ConfigError(`historyStride: expected ${expected}, got ${got}`, { code: 'prompt/stride', hint });
  if (!Number.isSafeInteger(historyStride) || historyStride < 1)
    throw fail('a whole number of 1 or more', historyStride, 'Set historyStride to such a number.');
  if (historyStride > 1 && retrieval !== 'latest')
    throw fail(
      'retrieval latest with it',
      `retrieval ${retrieval}`,
      'Remove historyStride, or set retrieval to latest.',
    );
  return historyStride;
}

/** A count of tokens; texts are cut behind `most`. */
const countText = (count: number, most: number) => (count > most ? `more than ${most}` : `${count}`);

/**
 * The notice of histories that do not show: all that is said of such an example is said of a user without history.
 * @param pairs of the examples, in their order
 * @returns undefined when every example that has a history shows some of it
 */
export function hiddenHistories(
  examples: readonly Example[],
  pairs: readonly Pick<Prompts, 'hasHistory'>[],
  { maxTokens, maxHistory }: PromptSettings,
): HiddenHistories | undefined {
  const hidden = examples.filter(({ history }, i) => history.length > 0 && !pairs[i]!.hasHistory);
  if (hidden.length === 0) return undefined;
  return {
    code: 'prompts/history-hidden',
    count: hidden.length,
    total: examples.length,
    example: hidden[0]!.id,
    maxTokens,
    maxHistory,
  };
}

/** The prompt with as many of the items that are to be shown as fit into `room` tokens; undefined when none does. */
function fitHistory(
  history: readonly HistoryItem[],
  choose: ItemChooser,
  { maxHistory, stride }: Pick<PromptSettings, 'maxHistory'> & { readonly stride: number },
  room: number,
  prompt: (history: readonly HistoryItem[], most: number) => number[],
): { items: readonly HistoryItem[]; ids: number[] } | undefined {
  let ids: number[] = [];
  let items: readonly HistoryItem[] = [];
  const fitting = latestThatFit(Math.min(maxHistory, history.length), (count) => {
    const chosen = choose(history, count);
    const tried = prompt(chosen, room);
    if (tried.length > room) return false;
    items = chosen;
    ids = tried; // counts that fit only grow, so the last one is the answer's
    return true;
  });
  const stepped = steppedCount(history.length, fitting, stride);
  if (stepped < fitting) {
    items = choose(history, stepped);
    ids = prompt(items, room);
  }
  return items.length === 0 ? undefined : { items, ids };
}

/**
 * The ids of a prompt: the template's message or turns inside the model's chat template, up to where the assistant speaks.
 * A model without a chat template gets the message and a blank line.
 * @param most a longer prompt is cut: it then has more than `most` tokens, and is not the whole prompt
 * @param earlier turns before the query, as they are
 * @throws {WeightsError} when the chat template refuses the roles of a conversation
 */
export function promptIds(
  query: string,
  history: readonly HistoryItem[] | 'none' | undefined,
  tokenizer: Tokenizer,
  templateId: string,
  most = Number.POSITIVE_INFINITY,
  earlier: readonly ChatMessage[] = [],
): number[] {
  const template = promptTemplate(templateId);
  const message = template.message(query, history);
  const before = earlier.map(({ content }): TextPart[] => [{ text: content, isTemplate: false }]);
  if (tokenizer.chatTemplate === undefined) {
    const begin = tokenizer.beginId === undefined ? [] : [tokenizer.beginId];
    const parts = [...before, message].flatMap((of) => [...of, { text: '\n\n', isTemplate: true }]);
    return [...begin, ...tokenizer.encodeParts(parts, most)];
  }
  const turns =
    template.turns !== undefined && typeof history === 'object' ? template.turns(query, history) : [message];
  const messages = [...before, ...turns];
  const roles = [
    ...earlier.map(({ role }) => role),
    ...turns.map((_, i) => (i % 2 === 0 ? ('user' as const) : ('assistant' as const))),
  ];
  const parts = chatParts(tokenizer, roles).flatMap((piece): readonly TextPart[] =>
    'markup' in piece ? [{ text: piece.markup, isTemplate: true }] : messages[piece.message]!,
  );
  return tokenizer.encodeParts(parts, most);
}

const chatPartsOf = new WeakMap<Tokenizer, Map<string, readonly ChatPiece[]>>();

/** Layouts of conversations that are kept of a tokenizer: callers choose their roles. */
const MOST_LAYOUTS = 64;

/** Rendering Jinja for every prompt would take longer than tokenising it. */
function chatParts(tokenizer: Tokenizer, roles: readonly ChatMessage['role'][]): readonly ChatPiece[] {
  const known = chatPartsOf.get(tokenizer) ?? new Map<string, readonly ChatPiece[]>();
  chatPartsOf.set(tokenizer, known);
  let parts = known.get(roles.join());
  if (parts === undefined) {
    parts = promptPieces(tokenizer.chatTemplate!, tokenizer.specialTokenTexts, roles);
    if (known.size < MOST_LAYOUTS) known.set(roles.join(), parts);
  }
  return parts;
}
