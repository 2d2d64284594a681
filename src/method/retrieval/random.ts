/** @file Items of a history drawn at random: what every other rule must beat. */
import { randomStream } from '../../base/random.ts';
import type { RetrievalRule } from './rule.ts';

export const random: RetrievalRule = {
  name: 'random',
  what: 'items drawn at random, always the same ones for an example',
  scores: (history, { id }) => {
    const stream = randomStream(0, `retrieval/random/${id}`);
    return history.map(() => stream.next());
  },
};
