/**
 * @file The named effects of a history: A, B, C and D_i. This is their definition; everything that reports one of them
 * computes it here.
 *
 * A text y of T tokens is scored after a query x with a history h, by its mean log-probability, in nats a token:
 *
 * $$ s(h) = \frac{1}{T} \sum_t \log p(y_t \mid x, h, y_{<t}) $$
 *
 * With h_u the user's own history, ∅ the reference value (no history, unless the prompt settings say otherwise) and h_v the
 * histories of other users v, matched to the user (src/method/others):
 *
 * $$ A = s(h_u) - s(\varnothing) \qquad\text{total: what the user's own history changes} $$
 * $$ B = \mathrm{mean}_v\, s(h_v) - s(\varnothing) \qquad\text{generic: what another user's history changes too} $$
 * $$ C = A - B = s(h_u) - \mathrm{mean}_v\, s(h_v) \qquad\text{user-specific: what only the own history changes} $$
 * $$ D_i = s(h_u) - s(h_u \setminus i) \qquad\text{what item } i \text{ adds to all other items} $$
 *
 * C is the honest measure of personalisation: B holds whatever any history of this kind would bring, such as style,
 * domain and period. For A, B and C of one token, s is the log-probability of that token; those of a text, or of a part of
 * one, are the means of its tokens'. All are direct effects on the text as it was written: D_i need not add up to A, and
 * none of them says what would be generated.
 *
 * The own history in A and C is all that the prompt shows of it. Those of the others are cut to one number of items, at
 * most as many: where the others have fewer items, some of C may be due to that. A refutation cuts the own one as well.
 *
 * The effects that are made of whole distributions, and their gradients, are in effects.ts: its log ratio is A of a token.
 */
import { mean } from '../../base/statistics/mean.ts';

/** A, B and C, each as a number, or as an estimate with its interval. */
export interface NamedEffects<T = number> {
  /** A: the user's own history against none. */
  readonly total: T;
  /** B: other users' histories against none. */
  readonly generic: T;
  /** C = A − B: the user's own history against other users'. */
  readonly userSpecific: T;
}

/** Log-probabilities of one text, or of one token, after each of its histories; nats. */
export interface HistoryScores<T = number> {
  /** After the user's own history. */
  readonly own: T;
  /** After the reference value. */
  readonly none: T;
  /** After each other user's history. */
  readonly others: readonly T[];
}

/** Tokens `from` to `to` of a text, end exclusive. */
export interface TokenRange {
  readonly from: number;
  readonly to: number;
}

/** A, B and C of a text or a token, by its scores; B and C are NaN where there are no others. */
export function namedEffects({ own, none, others }: HistoryScores): NamedEffects {
  return {
    total: totalEffect(own, none),
    generic: mean(others) - none,
    userSpecific: userSpecificEffect(own, others),
  };
}

/** A. */
export const totalEffect = (own: number, none: number): number => own - none;

/** C: of the own history among others, or of any other history in its place. */
export const userSpecificEffect = (own: number, others: readonly number[]): number => own - mean(others);

/** D_i, or the same with only some of the other items shown. */
export const itemEffect = (withItem: number, withoutItem: number): number => withItem - withoutItem;

/** A, B and C of a text, from the log-probabilities of its tokens, f32[S] each; of some of its tokens where a range is given. */
export function namedEffectsOfText(
  { own, none, others }: HistoryScores<Float32Array>,
  { from, to }: TokenRange = { from: 0, to: own.length },
): NamedEffects {
  const score = (tokens: Float32Array) => mean(tokens.subarray(from, to));
  return namedEffects({ own: score(own), none: score(none), others: others.map(score) });
}

/** A, B and C of each token of a text, from the log-probabilities of its tokens, f32[S] each. */
export function namedEffectsOfTokens({
  own,
  none,
  others,
}: HistoryScores<Float32Array>): NamedEffects<number>[] {
  return Array.from(own, (value, t) =>
    namedEffects({ own: value, none: none[t]!, others: others.map((tokens) => tokens[t]!) }),
  );
}
