/** @file Examples that a result says nothing about, in the words that every command and page uses. */
import { type LeftOut, type LeftOutReason, leftOutReasons } from '../../method/prompts/left-out.ts';
import { count } from './lists.ts';
import { quotedText } from './visible-text.ts';

/** Why examples are left out, as the end of a sentence. */
function leftOutReasonText(reason: LeftOutReason, maxTokens: number): string {
  const room = `${maxTokens.toLocaleString('en')} tokens`;
  return {
    tooLong: `query and response do not fit in ${room}`,
    withoutHistory: 'they have no history',
    historyDoesNotFit: `no history item fits in ${room} with the query and response`,
    othersDoNotFit: `no item of another user’s history fits in ${room} beside them`,
  }[reason];
}

/**
 * A sentence for each reason, such as `2 examples left out (the first is "e5"): they have no history.`
 * @param options.names whether the first of each is named; true by default
 */
export function leftOutTexts(
  leftOut: LeftOut,
  maxTokens: number,
  { names = true }: { readonly names?: boolean } = {},
): string[] {
  return leftOutReasons
    .filter((reason) => leftOut[reason] > 0)
    .map((reason) =>
      leftOutText(reason, leftOut[reason], names ? leftOut.first[reason] : undefined, maxTokens),
    );
}

/** The sentence of one reason. */
export function leftOutText(
  reason: LeftOutReason,
  examples: number,
  first: string | undefined,
  maxTokens: number,
): string {
  const named = first === undefined ? '' : ` (the first is ${quotedText(first)})`;
  return `${count(examples, 'example')} left out${named}: ${leftOutReasonText(reason, maxTokens)}.`;
}
