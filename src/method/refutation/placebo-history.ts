/** @file Placebo history: another user's history in the place of the own one, measured against yet others'. */
import { contrast, type RefutationTest } from './refutation-test.ts';
import { HALF, keptWithin } from './verdict.ts';

export const placeboHistory: RefutationTest = {
  name: 'placebo-history',
  leaves: 'nothing',
  // They come in random order, so the first is no better matched than the rest.
  control: ({ example, others: [first, ...rest] }, { prompt }) =>
    contrast(
      prompt(example, first!.history),
      rest.map(({ history }) => prompt(example, history)),
    ),
  judge: keptWithin(-HALF, HALF),
};
