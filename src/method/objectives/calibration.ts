/** @file The calibration loss: effects of such a size that histories are neither trusted too little nor too much. */
import { add, mul, neg, selectedLogProbability, stopGradient, sub } from '../../engine/ops/operators.ts';
import { type Value, withScope } from '../../engine/ops/value.ts';
import type { LogitPair } from '../effects/effects.ts';
import type { ResolvedObjectiveOptions } from './objective-options.ts';

/**
 * $$ \tfrac12 \sum_{s \in \{1-\delta_s,\, 1+\delta_s\}} \mathrm{CE}(z_\varnothing + s\,(z_h - z_\varnothing), y_t)
 *    = \mathrm{CE}(z_h, y_t) + \tfrac12 \delta_s^2\, \mathrm{Var}_{p_h}(z_h - z_\varnothing) + O(\delta_s^4) $$
 * The text is to be likely when a history counts for somewhat more than it does and for somewhat less, δ_s being `strengthSpread`.
 * Beside the fit: effects that the text bears out stay, and those that spread over other tokens shrink. Ours.
 * @returns f32[S], nats
 * Gradient: into z_h, and into z_∅ unless `stopGradient`; the latter is of second order in δ_s.
 */
export function calibrationLoss(
  pair: LogitPair,
  { strengthSpread, stopGradient: stops }: Pick<ResolvedObjectiveOptions, 'strengthSpread' | 'stopGradient'>,
): Value {
  return withScope('calibration', () => {
    const { withHistory, targets } = pair;
    const withoutHistory = stops ? stopGradient(pair.withoutHistory) : pair.withoutHistory;
    const change = mul(sub(withHistory, withoutHistory), strengthSpread);
    const [weaker, stronger] = [sub(withHistory, change), add(withHistory, change)].map((logits) =>
      selectedLogProbability(logits, targets),
    ) as [Value, Value];
    return mul(neg(add(weaker, stronger)), 0.5);
  });
}
