/** @file Log-probabilities of the next token as callers see them: of one token, and of the likeliest ones. */

/** A token and its log-probability, nats. */
export interface RankedToken {
  readonly token: number;
  readonly logProb: number;
}

/**
 * ln Σ exp of logits, in f64; a logit minus it is a log-probability.
 * Cost: O(V).
 */
export function logSumExp(logits: Float32Array): number {
  let highest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > highest) highest = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - highest);
  return highest + Math.log(sum);
}

/**
 * The k likeliest tokens, likeliest first, the lower id first among equals.
 * @param normaliser {@link logSumExp} of the logits
 * Cost: O(V · k) at worst, O(V) in practice: a logit is compared with the k-th alone.
 */
export function likeliestTokens(logits: Float32Array, k: number, normaliser: number): RankedToken[] {
  const ids: number[] = [];
  for (let id = 0; id < logits.length && k > 0; id++) {
    const logit = logits[id]!;
    if (ids.length === k && !(logit > logits[ids[k - 1]!]!)) continue;
    let place = ids.length;
    while (place > 0 && logit > logits[ids[place - 1]!]!) place--;
    ids.splice(place, 0, id);
    if (ids.length > k) ids.pop();
  }
  return ids.map((token) => ({ token, logProb: logits[token]! - normaliser }));
}

/** Which of all tokens a token is by likelihood, 1 for the likeliest. */
export function rankOf(logits: Float32Array, token: number): number {
  const own = logits[token]!;
  let rank = 1;
  for (const logit of logits) if (logit > own) rank++;
  return rank;
}
