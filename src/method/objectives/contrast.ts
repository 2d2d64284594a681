/** @file The sequence-wise contrast: a text is to be told by its author's history among those of other users (InfoNCE). */
import { add, exp, gemm, log, maximum, mul, reshape, stopGradient, sub } from '../../engine/ops/operators.ts';
import { type Value, withScope } from '../../engine/ops/value.ts';
import type { ResolvedObjectiveOptions } from './objective-options.ts';
import type { TokenGroups } from './token-weights.ts';

/** Log-probabilities of the response tokens, each f32[S], nats. */
export interface ContrastedTexts {
  readonly own: Value;
  /** With the histories of other users, one each. */
  readonly others: readonly Value[];
}

/**
 * $$ -\ln \frac{e^{\ell_h / \tau_c}}{e^{\ell_h / \tau_c} + \sum_{j=1}^{k} e^{\ell_{v_j} / \tau_c}}, \quad
 *    \ell_h = \tfrac{1}{|S|} \sum_t \log p(y_t|x,h,y_{<t}) $$
 * InfoNCE (arXiv 1807.03748, Eq. (4)) over histories for one text in place of texts for one context, its scores the text's own mean
 * log-likelihoods: the mean, so that long texts are not told more surely by their length; τ_c is `contrastTemperature`. It is ln(k + 1)
 * where all histories do alike, and 0 where the own one does more than a few τ_c a token above the others.
 * @returns f32[S]: the loss of a token's example at each of its tokens, nats
 * Gradient: into all passes. Into the own one alone it would be the fit again, weighted by text; what makes it a contrast is that the
 * text becomes less likely with others' histories.
 */
export function contrastLoss(
  { own, others }: ContrastedTexts,
  groups: TokenGroups,
  { contrastTemperature }: Pick<ResolvedObjectiveOptions, 'contrastTemperature'>,
): Value {
  return withScope('contrast', () => {
    const count = own.shape[0]!;
    const tokens = mul(groups.uniform, 1 / contrastTemperature);
    /** (ℓ_v − ℓ_h) / τ_c, f32[G, 1] */
    const leads = others.map((other) =>
      gemm(groups.membership, reshape(mul(sub(other, own), tokens), [count, 1])),
    );
    // The largest exponent is taken out, that of the own history, 0, among them.
    const largest = stopGradient(
      leads.reduce<Value>((most, lead) => maximum(most, lead), maximum(leads[0]!, 0)),
    );
    const sum = leads.reduce<Value>(
      (total, lead) => add(total, exp(sub(lead, largest))),
      exp(mul(largest, -1)),
    );
    const losses = add(log(sum), largest); // f32[G, 1]
    return reshape(gemm(groups.membership, losses, { transA: true }), [count]);
  });
}
