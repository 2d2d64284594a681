/** @file The anchor: holds the pass without history to the starting model, so that new users do not pay for the objective. */
import { exp, logSoftmax, mul, reduceSum, stopGradient, sub } from '../../engine/ops/operators.ts';
import { type Value, withScope } from '../../engine/ops/value.ts';

/**
 * $$ \mathrm{KL}(p_0 \| p_\varnothing) = \sum_v p_0(v) \log [p_0(v) / p_\varnothing(v)] $$
 * Its gradient is that of the cross-entropy of the starting model's distribution, whose entropy is constant; as a
 * divergence it is 0 where nothing was lost. Ours.
 * @param start logits of the starting model without history, f32[S, V]
 * @param withoutHistory z_∅, f32[S, V]
 * @returns f32[S], nats, at least 0
 * Gradient: into z_∅ only.
 */
export function anchorDivergence(start: Value, withoutHistory: Value): Value {
  return withScope('anchor', () => {
    const logStart = stopGradient(logSoftmax(start));
    return reduceSum(mul(exp(logStart), sub(logStart, logSoftmax(withoutHistory))), [-1]);
  });
}
