/** @file Tests of the counts of a set of examples. */
import { describe, expect, it } from 'vitest';
import type { Example } from '../../../src/method/data/example.ts';
import { describeExamples } from '../../../src/method/data/statistics.ts';

const example = (user: string, response: string, texts: string[], split?: 'train' | 'test'): Example => ({
  id: response,
  user,
  query: 'q',
  response,
  history: texts.map((text, i) => ({ id: `${i}`, query: '', text })),
  ...(split && { split }),
});

describe('describeExamples', () => {
  it('counts users, splits, items and words', () => {
    const examples = [
      example('u', 'one', [], 'train'),
      example('u', 'one two', ['a b', 'c'], 'train'),
      example('v', 'one two three four', ['a'], 'test'),
      example('u', 'one  two\nthree', ['a', 'b', 'c d e']),
    ];
    expect(describeExamples(examples)).toEqual({
      examples: 4,
      users: 2,
      splits: { train: 2, validation: 0, test: 1, none: 1 },
      examplesPerUser: { min: 1, median: 2, max: 3 },
      historyItems: { min: 0, median: 1.5, max: 3 },
      responseWords: { min: 1, median: 2.5, max: 4 },
      historyWords: { min: 0, median: 2, max: 5 },
      emptyHistoryShare: 0.25,
    });
  });

  it('is all zero for no examples', () => {
    const none = describeExamples([]);
    expect(none.examples).toBe(0);
    expect(none.emptyHistoryShare).toBe(0);
    expect(none.historyItems).toEqual({ min: 0, median: 0, max: 0 });
  });
});
