/** @file The latest items of a history: the default, and the reference code's rule. */
import type { RetrievalRule } from './rule.ts';

export const latest: RetrievalRule = {
  name: 'latest',
  what: 'the latest items',
  scores: (history) => history.map((_, place) => place),
};
