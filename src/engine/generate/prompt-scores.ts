/** @file How likely the tokens of a prompt are by the model itself, each with its rank and the likeliest ones in its place. */
import type { Model } from '../models/model.ts';
import { likeliestTokens, logSumExp, type RankedToken, rankOf } from './log-probabilities.ts';

/** One token of a prompt behind its first, nats. */
export interface PromptScore extends RankedToken {
  /** 1 for the likeliest token. */
  readonly rank: number;
  readonly top: readonly RankedToken[];
}

/** Logits of one chunk at most, which are all held at once and read by this thread. */
const LOGITS_OF_CHUNK = 2 ** 20;

/** Tokens of a scored prompt that run at once. */
export const scoringChunk = ({ vocabularySize }: Pick<Model['config'], 'vocabularySize'>): number =>
  Math.max(1, Math.min(64, Math.floor(LOGITS_OF_CHUNK / vocabularySize)));

/**
 * @param logits f32[T · V] of the positions before `targets`; more positions than targets are not read
 * @param targets the tokens that follow
 */
export function promptScores(
  logits: Float32Array,
  targets: readonly number[],
  { promptLogProbs = 0 }: { readonly promptLogProbs?: number | undefined },
  { config, tokenizer }: Pick<Model, 'config' | 'tokenizer'>,
): PromptScore[] {
  const width = config.vocabularySize;
  return targets.map((token, t) => {
    const at = logits.subarray(t * width, t * width + tokenizer.vocabularySize);
    const normaliser = logSumExp(at);
    return {
      token,
      logProb: at[token]! - normaliser,
      rank: rankOf(at, token),
      top: likeliestTokens(at, promptLogProbs, normaliser),
    };
  });
}
