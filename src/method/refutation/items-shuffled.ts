/** @file Items shuffled: the items of every history in another order. */
import { shuffledItems } from '../others/controls.ts';
import { contrast, type RefutationTest } from './refutation-test.ts';
import { HALF, keptWithin } from './verdict.ts';

export const itemsShuffled: RefutationTest = {
  name: 'items-shuffled',
  title: 'Items shuffled',
  what: 'The items of every history are put into another order.',
  expected: 'C stays about what it is: it comes from what the items say.',
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
