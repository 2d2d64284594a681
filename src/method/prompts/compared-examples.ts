/** @file The examples that an evaluation or an audit can use, each with the prompts that its own history is compared in. */
import { pauses } from '../../base/breathe.ts';
import { DataError } from '../../base/errors.ts';
import type { Tokenizer } from '../../engine/tokenizer/tokenizer.ts';
import type { Example } from '../data/example.ts';
import { DEFAULT_OTHERS, othersForAll } from '../others/others-histories.ts';
import type { OthersBy } from '../others/similar.ts';
import { type ComparedPrompts, comparedPrompts, lacksOthers } from './compared-prompts.ts';
import { type LeavingOutOptions, type LeftOut, leftOutCounter, pairUnlessTooLong } from './left-out.ts';
import type { PromptSettings } from './pair.ts';

export interface ComparedExample extends ComparedPrompts {
  readonly example: Example;
}

export interface ComparedExamples {
  /** At least one. */
  readonly compared: readonly ComparedExample[];
  /** Other users' histories beside each. */
  readonly others: number;
  readonly leftOut: LeftOut;
}

export interface ComparedExamplesOptions extends LeavingOutOptions {
  /** Where other users' histories come from; may contain the examples. */
  readonly pool: readonly Example[];
  /** Other users' histories for each example; {@link DEFAULT_OTHERS} by default, or fewer where fewer users have one. */
  readonly others?: number | undefined;
  /** Which other users; `matched` by default. */
  readonly othersBy?: OthersBy | undefined;
  readonly seed: number;
  /** Who asks, in errors. */
  readonly caller: string;
}

/**
 * The examples whose own history shows, beside other users' histories.
 * @throws {DataError} when no example can be compared, or too few users have a history
 * @throws {AbortedError} when the signal says so
 */
export async function comparedExamples(
  examples: readonly Example[],
  tokenizer: Tokenizer,
  settings: PromptSettings,
  { pool, others: asked, othersBy, seed, caller, strict = false, signal }: ComparedExamplesOptions,
): Promise<ComparedExamples> {
  const leftOut = leftOutCounter();
  const pause = pauses(signal);
  const showing: Example[] = [];
  for (const example of examples) {
    const pair = pairUnlessTooLong(example, tokenizer, settings, strict);
    if (pair?.hasHistory) showing.push(example);
    else if (pair === undefined) leftOut.add('tooLong', example);
    else leftOut.add(example.history.length === 0 ? 'withoutHistory' : 'historyDoesNotFit', example);
    await pause();
  }
  if (showing.length === 0) throw noHistories(caller, examples.length, leftOut.result(), settings);
  // One more user's history stands for none.
  const reference = settings.reference === 'placebo' ? 1 : 0;
  const most = (asked ?? DEFAULT_OTHERS) + reference;
  const others = othersForAll(showing, pool, most, asked === undefined ? 1 + reference : most) - reference;
  const compared: ComparedExample[] = [];
  for (const example of showing) {
    const prompts = comparedPrompts(example, tokenizer, settings, {
      pool,
      others,
      seed,
      ...(othersBy && { othersBy }),
    });
    if (lacksOthers(prompts)) leftOut.add('othersDoNotFit', example);
    else compared.push({ example, ...prompts });
    await pause();
  }
  if (compared.length === 0)
    throw new DataError(
      `${caller}: expected another user’s history of which an item fits into ${settings.maxTokens} tokens beside query and response, got none for any example`,
      { code: 'data/no-history', hint: 'Raise maxTokens, or give users with shorter items.' },
    );
  return { compared, others, leftOut: leftOut.result() };
}

/** None of the examples shows its history. */
export function noHistories(
  caller: string,
  total: number,
  leftOut: LeftOut,
  { maxTokens }: PromptSettings,
): DataError {
  const { withoutHistory, historyDoesNotFit, othersDoNotFit, tooLong } = leftOut;
  const reasons: readonly (readonly [number, string])[] = [
    [withoutHistory, 'without a history'],
    [historyDoesNotFit, 'whose history does not fit'],
    [othersDoNotFit, 'beside which no other user’s history fits'],
    [tooLong, 'whose query and response do not fit'],
  ];
  const found = reasons.filter(([count]) => count > 0).map(([count, reason]) => `${count} ${reason}`);
  return new DataError(
    `${caller}: expected examples with a history that fits into ${maxTokens} tokens, got none among ${total}: ${found.join(', ')}`,
    { code: 'data/no-history', hint: 'Give examples with histories, or raise maxTokens.' },
  );
}
