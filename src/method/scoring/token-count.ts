/** @file How many tokens scoring computed, and how many it did not have to because prompts begin alike. */
import type { CollatedBatch, ScoredPrompt } from '../prompts/collate.ts';

/** Tokens of prompts and responses; scripts rely on the names of these fields. */
export interface TokenCount {
  readonly tokensComputed: number;
  /** What the same prompts would have taken more in rows of their own. What a cache already knew is in neither number. */
  readonly tokensSaved: number;
}

/** Of one pass over prompts. */
export function tokensOfPass(
  prompts: readonly ScoredPrompt[],
  { attentionMask }: Pick<CollatedBatch, 'attentionMask'>,
): TokenCount {
  const tokensComputed = attentionMask.reduce((sum, flag) => sum + flag, 0);
  const alone = prompts.reduce((sum, prompt) => sum + prompt.promptIds.length + prompt.responseIds.length, 0);
  return { tokensComputed, tokensSaved: alone - tokensComputed };
}

export const addTokens = (a: TokenCount, b: TokenCount): TokenCount => ({
  tokensComputed: a.tokensComputed + b.tokensComputed,
  tokensSaved: a.tokensSaved + b.tokensSaved,
});

/** Adds up what several scorers tell. */
export function tokenCounter(): { readonly add: (count: TokenCount) => void; total(): TokenCount } {
  let total: TokenCount = { tokensComputed: 0, tokensSaved: 0 };
  return {
    add: (count) => {
      total = addTokens(total, count);
    },
    total: () => total,
  };
}
