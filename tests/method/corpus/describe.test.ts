/** @file Tests of what a set holds: each number counted by hand, leaks and repeats named, distributions against sorting. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describer } from '../../../src/method/corpus/describe.ts';
import { counter } from '../../../src/method/corpus/distribution.ts';
import type { Example } from '../../../src/method/data/example.ts';

const long = (name: string) => `${name} wrote these eight words and a few more`;
const examples: readonly Example[] = [
  {
    ...{ id: 'a', user: 'Ada Lovelace', time: '2020-03-04', query: 'q', response: long('a'), split: 'train' },
    history: [
      { id: 'h1', query: '', text: 'I am Ada.' },
      { id: 'h2', query: '', text: long('held') },
    ],
    domain: 'books',
  },
  { id: 'b', user: 'bob', query: 'two words', response: 'x', history: [], split: 'train' },
  {
    ...{
      id: 'c',
      user: 'bob',
      time: '2021',
      query: 'q',
      response: long('HELD'),
      split: 'test',
      domain: 'books',
    },
    history: [{ id: 'h1', query: '', text: 'x' }],
  },
  {
    id: 'd',
    user: 'eve',
    query: 'q',
    response: 'X!',
    history: [{ id: 'i', query: '', text: 'x' }],
    split: 'test',
  },
];

function described(list: readonly Example[]) {
  const each = describer();
  for (const example of list) each.add(example);
  if (each.needsSecondPass()) for (const example of list) each.addAgain(example);
  return each.result();
}

describe('describer', () => {
  it('counts examples, users, splits, domains, times and words', () => {
    const data = described(examples);
    expect(data).toMatchObject({
      ...{ examples: 4, users: 3, withoutHistory: 1, domains: { count: 1, most: [['books', 2]] } },
      splits: { train: { examples: 2, users: 2 }, test: { examples: 2, users: 2 }, none: { examples: 0 } },
      times: {
        first: '2020-03-04',
        last: '2021-01-01',
        without: 2,
        years: [
          [2020, 1],
          [2021, 1],
        ],
      },
      examplesPerUser: { least: 1, median: 1, most: 2 },
      historyItems: { least: 0, median: 1, mean: 1, most: 2 },
      words: { query: { most: 2 }, response: { least: 1, most: 9 } },
    });
  });

  it('names repeats, texts that name their author, and leaks', () => {
    const data = described(examples);
    expect(data.repeatedResponses).toEqual({ count: 1, share: 0.25, first: ['d'] });
    expect(data.ownNames).toMatchObject({ count: 1, first: ['a: history item h1'] });
    expect(data.leaks.count).toBe(2);
    expect(data.leaks.first).toEqual([
      'example "d": history item "i" has the text of the response',
      'example "a" (train): history item "h2" is a response that is held out',
    ]);
  });
});

describe('counter', () => {
  it('has the quantiles of the sorted numbers, and bars that hold them all', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 5000 }), { minLength: 1, maxLength: 60 }), (values) => {
        const each = counter();
        for (const value of values) each.add(value);
        const { least, median, most90, most, bars } = each.result()!;
        const sorted = values.toSorted((a, b) => a - b);
        const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1];
        expect([least, median, most]).toEqual([sorted[0], at(0.5), sorted.at(-1)]);
        expect(most90).toBe(at(0.9));
        for (const { low, high, count } of bars)
          expect(count).toBe(values.filter((value) => value >= low && value <= high).length);
        expect(bars.reduce((sum, { count }) => sum + count, 0)).toBe(values.length);
      }),
    );
    expect(counter().result()).toBeUndefined();
  });
});
