/** @file Random half of the history: a smaller dose of the same kind. */
import { randomHalf } from '../others/controls.ts';
import { contrast, type RefutationTest } from './refutation-test.ts';
import { keptWithin } from './verdict.ts';

export const randomHalfOfHistory: RefutationTest = {
  name: 'random-half',
  leaves: 'part',
  control: ({ example, own, others }, { prompt, seed }) => {
    if (own.length < 2) return undefined;
    // The others stay whole: if they were halved as well, a model that over-trusts short histories could show a larger C
    // on half the data.
    return contrast(
      prompt(example, randomHalf(own, { example: example.id, seed })),
      others.map(({ history }) => prompt(example, history)),
    );
  },
  judge: keptWithin(0, 1),
};
