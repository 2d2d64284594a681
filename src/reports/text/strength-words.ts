/** @file How far a model should trust histories, in words: the same in every report. */
import { decimal, estimateText } from '../../base/number-format.ts';
import type { StrengthFinding } from '../../method/evaluation/strength-finding.ts';
import type { TokenKind } from '../../method/strength/token-kinds.ts';

/** One sentence. */
export function strengthText({ side, best, largest }: StrengthFinding): string {
  const at = estimateText(best, 2);
  if (best.isAtEnd)
    return best.value === largest
      ? `The model makes too little of histories: texts are likelier the more their effect is scaled up, to ${decimal(largest, 2)} times at least.`
      : 'The model would do better without histories: texts are likeliest where their effect is scaled to 0.';
  if (side < 0)
    return `The model makes too much of histories: texts are likeliest at ${at} times their effect.`;
  if (side > 0)
    return `The model makes too little of histories: texts are likeliest at ${at} times their effect.`;
  return `The model trusts histories about as far as it should: texts are likeliest at ${at} times their effect.`;
}

/** Names of parts that are kinds of tokens. */
export const kindWords: Readonly<Record<TokenKind, string>> = {
  copied: 'copied: in runs of five words of the history',
  names: 'names and numbers',
  functionWords: 'function words',
  otherWords: 'other words',
  marks: 'punctuation and ends',
};

/** A part as tables name it: a third of the text, or a kind of tokens. */
export const partText = (name: string): string =>
  (kindWords as Readonly<Record<string, string>>)[name] ?? name;

/** What s is. */
export const strengthMeaning =
  's scales what the history changes: 0 is no history, 1 the history as the model takes it. s* is where held-out texts are likeliest; a strength to be used is chosen on other users.';
