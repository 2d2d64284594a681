/** @file A lower bound of the divergence effect where of both predictions only some tokens are known: those that a server tells. */

/** log p of some tokens in one place of a text, nats, by id. */
export type KnownTokens = ReadonlyMap<number, number>;

/** What probabilities may add up to above 1 by rounding: servers compute in bfloat16. */
const ROUNDING = 1e-3;

/**
 * $$ \mathrm{KL}(P_h \| M) + \mathrm{KL}(P_\varnothing \| M),\; M = (P_h + P_\varnothing)/2 $$
 * `divergenceEffect` (effects.ts) of the predictions over fewer outcomes: each token that is known in both, and all others as one.
 * Merging outcomes cannot raise a divergence, so that it is at most that of the whole predictions, and equal where all is known.
 * @returns nats, 0 … 2 ln 2; NaN where the numbers are those of no prediction: they add up to more than 1
 */
export function divergenceAtLeast(withHistory: KnownTokens, withoutHistory: KnownTokens): number {
  let [restWith, restWithout] = [1, 1];
  let divergence = 0;
  for (const [id, logProb] of withHistory) {
    const other = withoutHistory.get(id);
    if (other === undefined) continue;
    const [p, q] = [Math.exp(logProb), Math.exp(other)];
    divergence += divergenceOfOutcome(p, q);
    restWith -= p;
    restWithout -= q;
  }
  if (!(Math.min(restWith, restWithout) >= -ROUNDING)) return Number.NaN;
  return divergence + divergenceOfOutcome(Math.max(0, restWith), Math.max(0, restWithout));
}

/** p ln(p/m) + q ln(q/m): what one outcome adds, which is never negative. */
function divergenceOfOutcome(p: number, q: number): number {
  const middle = (p + q) / 2;
  const side = (x: number) => (x === 0 ? 0 : x * Math.log(x / middle));
  return Math.max(0, side(p) + side(q));
}
