/** @file Tokens with their log-probabilities, in the shapes of OpenAI's chat and of its older completions. */
import type { RankedToken } from '../../engine/generate/log-probabilities.ts';
import type { SequenceStep } from '../../engine/generate/text-sequence.ts';
import type { Tokenizer } from '../../engine/tokenizer/tokenizer.ts';

/** A number that JSON can hold: what is impossible has the lowest one. */
export const finite = (value: number): number => (value === Number.NEGATIVE_INFINITY ? -9999 : value);

/** One token of a chat's `logprobs.content`. */
export interface ChatTokenJson {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
  readonly top_logprobs: readonly Omit<ChatTokenJson, 'top_logprobs' | 'nextquill'>[];
  /** Where effects were asked for: both passes, nats. */
  readonly nextquill?: {
    readonly logProbWithHistory: number;
    readonly logProbWithoutHistory: number;
    readonly effectLogRatio: number;
  };
}

/** @param effects whether both passes are told; without a history they are the same */
export function chatToken(step: SequenceStep, tokenizer: Tokenizer, effects: boolean): ChatTokenJson {
  const logProbs = step.logProbs!;
  const spell = ({ token, logProb }: RankedToken) => ({
    token: tokenizer.tokenText(token),
    logprob: finite(logProb),
    bytes: [...tokenizer.tokenBytes(token)],
  });
  const { byPrompt = logProbs.logProb, byGuidance = byPrompt } = logProbs;
  return {
    ...spell({ token: step.token, logProb: logProbs.logProb }),
    top_logprobs: logProbs.top.map(spell),
    ...(effects && {
      nextquill: {
        logProbWithHistory: finite(byPrompt),
        logProbWithoutHistory: finite(byGuidance),
        effectLogRatio: finite(byPrompt) - finite(byGuidance),
      },
    }),
  };
}

/** `logprobs` of a completion: lists side by side. */
export interface CompletionLogprobs {
  tokens: string[];
  token_logprobs: (number | null)[];
  top_logprobs: (Record<string, number> | null)[];
  text_offset: number[];
}

export const emptyLogprobs = (): CompletionLogprobs => ({
  tokens: [],
  token_logprobs: [],
  top_logprobs: [],
  text_offset: [],
});

/** The likeliest tokens by their texts, the token itself among them; of two with one text the likelier stays. */
export function topByText(
  own: RankedToken,
  top: readonly RankedToken[],
  tokenizer: Tokenizer,
): Record<string, number> {
  const entries = [...top, ...(top.some(({ token }) => token === own.token) ? [] : [own])];
  const result: Record<string, number> = {};
  for (const { token, logProb } of entries) {
    const text = tokenizer.tokenText(token);
    if (!Object.hasOwn(result, text)) result[text] = finite(logProb);
  }
  return result;
}
