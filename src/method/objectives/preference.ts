/** @file A preference between histories: the same text is to be likelier with its author's than with another user's. */
import {
  add,
  exp,
  gemm,
  greater,
  log,
  maximum,
  mul,
  neg,
  reshape,
  sub,
  where,
} from '../../engine/ops/operators.ts';
import { type Value, withScope } from '../../engine/ops/value.ts';
import type { ResolvedObjectiveOptions } from './objective-options.ts';
import type { TokenGroups } from './token-weights.ts';

/** Log-probabilities of the response tokens, each f32[S], nats. */
export interface ComparedTexts {
  readonly own: Value;
  readonly other: Value;
  /** own − other of the starting model; 0 where absent. */
  readonly startMargin?: Value;
}

/**
 * $$ -\ln \sigma(\beta \sum_t [\log p(y_t|h) - \log p(y_t|h_v)] - [\log p_0(y_t|h) - \log p_0(y_t|h_v)]) $$
 * DPO's loss (arXiv 2305.18290, Eq. 7) with two contexts of one text in place of two texts of one context; p_0 is the starting model.
 * @returns f32[S]: the loss of a token's example at each of its tokens, nats
 * Gradient: into both passes.
 */
export function preferenceLoss(
  { own, other, startMargin }: ComparedTexts,
  groups: TokenGroups,
  { preferenceBeta }: Pick<ResolvedObjectiveOptions, 'preferenceBeta'>,
): Value {
  return withScope('preference', () => {
    const count = own.shape[0]!;
    const margin = sub(own, other);
    const tokens = startMargin === undefined ? margin : sub(margin, startMargin);
    const sums = gemm(groups.membership, reshape(tokens, [count, 1])); // f32[G, 1]
    const perToken = reshape(gemm(groups.membership, sums, { transA: true }), [count]);
    return negativeLogSigmoid(mul(perToken, preferenceBeta));
  });
}

/** Where e^−x would be too large a number, −ln σ(x) is −x to f32's last digit. */
const STEEP = -15;

function negativeLogSigmoid(x: Value): Value {
  const gentle = log(add(exp(neg(maximum(x, STEEP))), 1));
  return where(greater(x, STEEP), gentle, neg(x));
}
