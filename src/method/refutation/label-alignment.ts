/**
 * @file Labels shifted by one: what is scored must be the token that comes next. Effects whose labels are off by one can
 * look plausible, since a history that fits makes later tokens likelier, too; the likelihood itself gives them away.
 */
import type { RefutationTest } from './refutation-test.ts';
import { ROUNDING, shareText, verdictOf } from './verdict.ts';

export const labelAlignment: RefutationTest = {
  name: 'label-alignment',
  title: 'Labels shifted by one',
  what: 'At the place of every token the one before it and the one after it are scored in its stead.',
  expected: 'Both are less likely than the token itself.',
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
  judge: ({ effect }) => {
    const text = `the tokens are likelier than their neighbours by ${shareText(effect)} nats`;
    const verdict = verdictOf(
      effect,
      [ROUNDING, Number.POSITIVE_INFINITY],
      [[Number.NEGATIVE_INFINITY, -ROUNDING]],
    );
    const why = {
      passes: '',
      fails: ': the labels are shifted, and no effect is about the token that it is shown at',
      'cannot tell': ', which includes 0: score more users',
    };
    return { verdict, why: `At their own places ${text}${why[verdict]}.` };
  },
};
