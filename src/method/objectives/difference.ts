/** @file The loss on the logit difference: over the whole vocabulary as the paper has it, or over plausible tokens. */
import {
  add,
  gatherElements,
  lessEqual,
  neg,
  reduceMax,
  reshape,
  scatterAddElements,
  selectedLogProbability,
  stopGradient,
  sub,
  where,
} from '../../engine/ops/operators.ts';
import { type Value, withScope } from '../../engine/ops/value.ts';
import { type LogitPair, modelSideEffect } from '../effects/effects.ts';
import type { ResolvedObjectiveOptions } from './objective-options.ts';

/** Lower than any logit difference, and e to it is 0. */
const IMPLAUSIBLE = -1e30;

/**
 * $$ -\log \frac{e^{d_t(y_t)}}{\sum_{v \in P_t} e^{d_t(v)}}, \quad d_t = z_h - z_\varnothing, \quad
 *    P_t = \{v : p_h(v) \ge \alpha_p \max_w p_h(w)\} \cup \{y_t\} $$
 * With `plausibility` α_p = 0 P_t is the vocabulary: Eq. (4). That sum runs over the tail, starts near ln V whatever the text, and
 * is least where every log ratio exceeds ln V. Over plausible tokens alone (the constraint of contrastive decoding, arXiv
 * 2210.15097, Eq. (2)) the loss is at most a few nats where both passes agree, and 0 where only y_t is plausible.
 * @returns f32[S], nats, at least 0
 * Gradient: into z_h, and into z_∅ unless `stopGradient`; P_t carries none.
 */
export function differenceLoss(
  pair: LogitPair,
  { plausibility, stopGradient: stops }: Pick<ResolvedObjectiveOptions, 'plausibility' | 'stopGradient'>,
): Value {
  return withScope('difference', () => {
    const { withHistory, targets } = pair;
    const withoutHistory = stops ? stopGradient(pair.withoutHistory) : pair.withoutHistory;
    const effect = modelSideEffect({ ...pair, withoutHistory });
    const plausible =
      plausibility > 0
        ? where(isPlausible(stopGradient(withHistory), targets, plausibility), effect, IMPLAUSIBLE)
        : effect;
    return neg(selectedLogProbability(plausible, targets));
  });
}

/** bool[S, V]: v ∈ P_t. p_h(v) ≥ α_p max p_h is z_h(v) ≥ max z_h + ln α_p. */
function isPlausible(logits: Value, targets: Value, plausibility: number): Value {
  const column = reshape(targets, [logits.shape[0]!, 1]);
  const largest = reduceMax(logits, [-1], true); // f32[S, 1]
  // The target's logit is raised above the largest one, so that one comparison finds all of P_t.
  const lacking = add(sub(largest, gatherElements(logits, column)), 1);
  return lessEqual(add(largest, Math.log(plausibility)), scatterAddElements(logits, column, lacking));
}
