/**
 * @file Examples that cannot be used, and the one rule for them: training, effects, evaluation, audits and refutations leave
 * them out, count them by reason and name the first; where the caller is strict, a text that is too long is refused.
 */
import { pauses } from '../../base/breathe.ts';
import { DataError } from '../../base/errors.ts';
import type { Tokenizer } from '../../engine/tokenizer/tokenizer.ts';
import type { Example } from '../data/example.ts';
import type { NoHistories, TooLongExamples } from '../data/notice.ts';
import { type PromptPair, type PromptSettings, promptPair } from './pair.ts';

/** Why an example is left out. */
export const leftOutReasons = ['withoutHistory', 'historyDoesNotFit', 'othersDoNotFit', 'tooLong'] as const;

export type LeftOutReason = (typeof leftOutReasons)[number];

/** How many examples were left out for each reason. */
export interface LeftOut extends Readonly<Record<LeftOutReason, number>> {
  /** Query and response do not fit even without a history. */
  readonly tooLong: number;
  /** No history at all. */
  readonly withoutHistory: number;
  /** No item of the history fits beside query and response. */
  readonly historyDoesNotFit: number;
  /** No item of another user's history does. */
  readonly othersDoNotFit: number;
  /** Ids of the first example of each reason; that of an example without an id is its line. */
  readonly first: Readonly<Partial<Record<LeftOutReason, string>>>;
}

/** Counts examples as they are left out. */
export interface LeftOutCounter {
  add(reason: LeftOutReason, example: Pick<Example, 'id'>): void;
  result(): LeftOut;
}

export function leftOutCounter(): LeftOutCounter {
  const counts: Record<LeftOutReason, number> = {
    tooLong: 0,
    withoutHistory: 0,
    historyDoesNotFit: 0,
    othersDoNotFit: 0,
  };
  const first: Partial<Record<LeftOutReason, string>> = {};
  return {
    add: (reason, { id }) => {
      counts[reason] += 1;
      first[reason] ??= id;
    },
    result: () => ({ ...counts, first: { ...first } }),
  };
}

/** Examples left out in all. */
export const totalLeftOut = (leftOut: LeftOut): number =>
  leftOutReasons.reduce((sum, reason) => sum + leftOut[reason], 0);

/** Whether an error says that query and response do not fit. */
export const isTooLong = (error: unknown): error is DataError =>
  error instanceof DataError && error.code === 'data/too-long';

/**
 * What `make` gives, or undefined where the texts are too long.
 * @throws {DataError} as `make`; where the caller is strict, for texts that are too long, too
 */
export function unlessTooLong<T>(make: () => T, isStrict: boolean): T | undefined {
  try {
    return make();
  } catch (error) {
    if (isStrict || !isTooLong(error)) throw error;
    return undefined;
  }
}

/** The pair of prompts of an example, whose history may not show; undefined where its texts are too long. */
export function pairUnlessTooLong(
  example: Example,
  tokenizer: Tokenizer,
  settings: PromptSettings,
  isStrict = false,
): PromptPair | undefined {
  // Whether an item fits does not depend on the reference value.
  const make = () => promptPair(example, tokenizer, { ...settings, reference: 'removed' });
  return unlessTooLong(make, isStrict);
}

/** Options of what leaves examples out. */
export interface LeavingOutOptions {
  /** Refuses a text that is too long in place of leaving it out; false by default. */
  readonly strict?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The examples whose query and response fit.
 * @throws {DataError} when none does, and when one does not and the caller is strict
 * @throws {AbortedError} when the signal says so
 */
export async function examplesThatFit(
  examples: readonly Example[],
  tokenizer: Tokenizer,
  settings: PromptSettings,
  { strict = false, signal }: LeavingOutOptions = {},
): Promise<{ readonly used: readonly Example[]; readonly leftOut: LeftOut }> {
  const counter = leftOutCounter();
  const used: Example[] = [];
  const pause = pauses(signal);
  // The prompt without a history decides, and is the quickest to make.
  const bare = { ...settings, maxHistory: 0 };
  for (const example of examples) {
    if (pairUnlessTooLong(example, tokenizer, bare, strict)) used.push(example);
    else counter.add('tooLong', example);
    await pause();
  }
  if (used.length === 0 && examples.length > 0) pairUnlessTooLong(examples[0]!, tokenizer, bare, true);
  return { used, leftOut: counter.result() };
}

/** Tells of examples that are left out because they are too long; undefined where none is. */
export function tooLongNotice(
  { tooLong, first }: LeftOut,
  total: number,
  { maxTokens }: PromptSettings,
): TooLongExamples | undefined {
  return tooLong === 0
    ? undefined
    : { code: 'prompts/too-long', count: tooLong, total, example: first.tooLong!, maxTokens };
}

/** Tells of examples whose history is empty, where an effect of it is asked for; undefined where none is. */
export function noHistoryNotice(
  examples: readonly Example[],
  consequence: NoHistories['consequence'],
): NoHistories | undefined {
  const without = examples.filter(({ history }) => history.length === 0);
  if (without.length === 0) return undefined;
  return {
    code: 'prompts/no-history',
    count: without.length,
    total: examples.length,
    example: without[0]!.id,
    consequence,
  };
}
