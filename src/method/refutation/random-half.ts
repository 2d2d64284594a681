/** @file Random half of the history: a smaller dose of the same kind. */
import { randomHalf } from '../others/controls.ts';
import { contrast, type RefutationTest } from './refutation-test.ts';
import { keptWithin } from './verdict.ts';

export const randomHalfOfHistory: RefutationTest = {
  name: 'random-half',
  title: 'Random half of the history',
  what: 'The own history is cut to a random half of its items; other users’ stay whole.',
  expected: 'C is smaller and keeps its sign: half of the dose does no more than all of it.',
  leaves: 'part',
  control: ({ example, own, others }, { prompt, seed }) => {
    if (own.length < 2) return undefined;
    // Were the others cut, too, a model that trusts short histories too much would find more of C with less of it.
    return contrast(
      prompt(example, randomHalf(own, { example: example.id, seed })),
      others.map(({ history }) => prompt(example, history)),
    );
  },
  judge: keptWithin(0, 1),
};
