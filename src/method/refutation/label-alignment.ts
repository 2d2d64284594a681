/**
 * @file Labels shifted by one: what is scored must be the token that comes next. Effects whose labels are off by one can
 * look plausible, since a history that fits makes later tokens likelier, too; the likelihood itself gives them away.
 */
import type { RefutationTest } from './refutation-test.ts';
import { ROUNDING, verdictOf } from './verdict.ts';

export const labelAlignment: RefutationTest = {
  name: 'label-alignment',
  needsLogits: true,
  control: ({ example, own }, { prompt }) => {
    const aligned = prompt(example, own);
    if (aligned === undefined) return undefined;
    const ids = aligned.responseIds;
    const later = ids.map((id, t) => ids[t + 1] ?? id);
    const earlier = ids.map((id, t) => ids[t - 1] ?? id);
    return {
      prompts: [aligned, { ...aligned, targetIds: later }, { ...aligned, targetIds: earlier }],
      effect: ([own, ...shifted]) => own! - Math.max(...shifted),
    };
  },
  judge: ({ effect }) => ({
    verdict: verdictOf(effect, [ROUNDING, Number.POSITIVE_INFINITY], [[Number.NEGATIVE_INFINITY, -ROUNDING]]),
    reason: { code: 'neighbours', effect },
  }),
};
