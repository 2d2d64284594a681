/** @file Irrelevant note: an item that says nothing of anybody is added to every history. */
import { withIrrelevantNote } from '../others/controls.ts';
import { contrast, type RefutationTest } from './refutation-test.ts';
import { HALF, keptWithin } from './verdict.ts';

export const irrelevantNoteAdded: RefutationTest = {
  name: 'irrelevant-note',
  leaves: 'all',
  control: ({ example, own, others }, { prompt, seed }) => {
    const draw = { example: example.id, seed };
    return contrast(
      prompt(example, withIrrelevantNote(own, draw)),
      others.map(({ history }) => prompt(example, withIrrelevantNote(history, draw))),
    );
  },
  judge: keptWithin(1 - HALF, 1 + HALF),
};
