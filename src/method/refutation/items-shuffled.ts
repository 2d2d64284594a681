/** @file Items shuffled: the items of every history in another order. */
import { shuffledItems } from '../others/controls.ts';
import { contrast, type RefutationTest } from './refutation-test.ts';
import { HALF, keptWithin } from './verdict.ts';

export const itemsShuffled: RefutationTest = {
  name: 'items-shuffled',
  leaves: 'all',
  control: ({ example, own, others }, { prompt, seed }) => {
    if (own.length < 2) return undefined;
    const draw = { example: example.id, seed };
    return contrast(
      prompt(example, shuffledItems(own, draw)),
      others.map(({ history }) => prompt(example, shuffledItems(history, draw))),
    );
  },
  judge: keptWithin(1 - HALF, 1 + HALF),
};
