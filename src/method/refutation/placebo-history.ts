/** @file Placebo history: another user's history in the place of the own one, measured against yet others'. */
import { contrast, type RefutationTest } from './refutation-test.ts';
import { HALF, keptWithin } from './verdict.ts';

export const placeboHistory: RefutationTest = {
  name: 'placebo-history',
  title: 'Placebo history',
  what: 'Another user’s history takes the place of the own one, and is compared with yet other users’.',
  expected: 'Nothing is left of C: one stranger’s history is as good as another’s.',
  leaves: 'nothing',
  // They come in random order, so the first is no better matched than the rest.
  control: ({ example, others: [first, ...rest] }, { prompt }) =>
    contrast(
      prompt(example, first!.history),
      rest.map(({ history }) => prompt(example, history)),
    ),
  judge: keptWithin(-HALF, HALF),
};
