/** @file Effects as targets: the model's own effects are to be as large as the estimator finds them in the data. */
import { greater, maximum, minimum, mul, neg, stopGradient, sub, where } from '../../engine/ops/operators.ts';
import { type Value, withScope } from '../../engine/ops/value.ts';
import { logRatioEffect } from '../effects/effects.ts';
import type { ResolvedObjectiveOptions } from './objective-options.ts';
import type { EstimatedEffects } from './weight-rules.ts';

/** Log-probabilities of the text by the model in training, and what its effects are held to; each f32[S], nats. */
export interface TargetedEffects {
  readonly withHistory: Value;
  readonly withoutHistory: Value;
  /** By a fixed or averaged model. */
  readonly estimate: EstimatedEffects;
  /** The largest log ratio of another user's history by that model. */
  readonly placeboMost: Value;
}

/**
 * $$ 1[A^*_t > \max_v A^*_{t,v}]\; H_c(A_t - A^*_t), \quad A_t = \log p_h(y_t) - \log p_\varnothing(y_t) $$
 * A* is the effect by the estimator, A*_{t,v} that of the history of another user v in place of the own one, and H_c is Huber's
 * distance (1964): ½ d² up to |d| = c (`targetKnee`), c (|d| − ½ c) beyond. It is 0 where the own history does no more for a token
 * than the best of the others', and where the model's effect is the data's. Aligns effects as §3 of arXiv 2506.02368 words it; ours.
 * @returns f32[S], nats squared up to c, at least 0
 * Gradient: into the pass with history, and into the one without unless `stopGradient`.
 */
export function targetLoss(
  { withHistory, withoutHistory, estimate, placeboMost }: TargetedEffects,
  { targetKnee, stopGradient: stops }: Pick<ResolvedObjectiveOptions, 'targetKnee' | 'stopGradient'>,
): Value {
  return withScope('targets', () => {
    const effect = logRatioEffect(withHistory, stops ? stopGradient(withoutHistory) : withoutHistory);
    const target = stopGradient(logRatioEffect(estimate.logProbWithHistory, estimate.logProbWithoutHistory));
    const apart = sub(effect, target);
    const distance = maximum(apart, neg(apart));
    const near = minimum(distance, targetKnee);
    const huber = mul(near, sub(distance, mul(near, 0.5)));
    return where(greater(target, placeboMost), huber, 0);
  });
}
