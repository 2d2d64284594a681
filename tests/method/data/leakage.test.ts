/** @file Tests of the leakage check: every planted leak is found and named, clean data pass. */
import { describe, expect, it } from 'vitest';
import { DataError } from '../../../src/base/errors.ts';
import type { Example, HistoryItem } from '../../../src/method/data/example.ts';
import { checkLeakage, checkLeakageWithPauses } from '../../../src/method/data/leakage.ts';
import { sotuExamples } from '../../../src/method/data/sotu.ts';

const words = (name: string) => `${name} wrote these eight words and a few more`;
const item = (id: string, change: Partial<HistoryItem> = {}): HistoryItem => ({
  id,
  time: '2019',
  query: 'q',
  text: words(id),
  ...change,
});
const train: Example = {
  id: 'a',
  user: 'u',
  time: '2020',
  query: 'q',
  response: words('a'),
  history: [item('h')],
  split: 'train',
};
const test: Example = {
  ...train,
  id: 'b',
  user: 'v',
  response: words('b'),
  history: [item('i')],
  split: 'test',
};

describe('checkLeakage', () => {
  it('passes clean examples, also those without times and splits', () => {
    const { time: _, split: __, ...bare } = train;
    expect(() => checkLeakage([train, test])).not.toThrow();
    expect(() => checkLeakage([bare, { ...bare, id: 'c' }])).not.toThrow();
  });

  it.each<[string, readonly Example[], string]>([
    [
      'the response in its own history, cut, by its id',
      [{ ...train, history: [item('a', { text: 'A wrote these' })] }],
      'example "a": history item "a" is the response, cut or longer',
    ],
    [
      'the text of the response in its own history, in other case and punctuation',
      [{ ...train, history: [item('h', { text: `${train.response.toUpperCase()} !` })] }],
      'example "a": history item "h" has the text of the response',
    ],
    [
      'a short text of the response in its own history',
      [{ ...train, response: 'Great!', history: [item('h', { text: 'great' })] }],
      'example "a": history item "h" has the text of the response',
    ],
    [
      'an item of the same time',
      [{ ...train, history: [item('h', { time: '2020' })] }],
      'example "a": history item "h" of 2020 is not strictly before the response of 2020',
    ],
    [
      'one response in two splits',
      [train, { ...test, response: train.response }],
      'example "b" (test) has the response of example "a" (train)',
    ],
    [
      'a test response as training history, by text, of another user',
      [{ ...train, history: [item('h', { text: test.response })] }, test],
      'example "a" (train): history item "h" is the response of example "b" (test)',
    ],
    [
      'a validation response as training history, cut, by id, of the same user',
      [
        { ...train, history: [item('b', { text: 'b wrote these' })] },
        { ...test, user: 'u', split: 'validation' },
      ],
      'example "a" (train): history item "b" is the response of example "b" (validation)',
    ],
    [
      'one id in train and test of a user',
      [train, { ...test, user: 'u', id: 'a' }],
      'example "a" (train) is also in test',
    ],
  ])('finds %s', (_, examples, message) => {
    expect(() => checkLeakage(examples)).toThrow(message);
  });

  // The ids of examples are line numbers where a file gives none, and a history's own may be 1, 2, 3.
  it('takes no two texts for one by their ids alone', () => {
    const numbered = { ...train, id: '1', history: [item('1'), item('2')] };
    expect(() => checkLeakage([numbered, { ...test, user: 'u', id: '2' }])).not.toThrow();
  });

  it('finds the response in another user’s history that stands for the own one', () => {
    const others = new Map([['b', [item('p', { text: test.response })]]]);
    expect(() => checkLeakage([train, test], { others })).toThrow(
      'example "b": other user’s item "p" has the text of the response',
    );
  });

  it('lets two users write the same few words in two splits', () => {
    const short = { response: 'Great book!' };
    expect(() =>
      checkLeakage([
        { ...train, ...short },
        { ...test, ...short },
      ]),
    ).not.toThrow();
    expect(() =>
      checkLeakage(
        [
          { ...train, ...short },
          { ...test, ...short },
        ],
        { minWords: 1 },
      ),
    ).toThrow(DataError);
  });

  it('counts all leaks and shows the first five', async () => {
    const leaking = Array.from({ length: 8 }, (_, i) => ({
      ...train,
      id: `e${i}`,
      history: [item('h', { text: train.response })],
    }));
    expect(() => checkLeakage(leaking)).toThrow(/expected no leakage, got 8: .*"e4".*; and 3 more$/);
    await expect(checkLeakageWithPauses(leaking)).rejects.toThrow('expected no leakage, got 8: ');
  });

  it('finds a test passage planted in the training history of the real addresses', () => {
    const examples = sotuExamples({ passagesPerAddress: 2 });
    const held = examples.find(({ split }) => split === 'test')!;
    const place = examples.findIndex(({ split, user }) => split === 'train' && user !== held.user);
    const victim = examples[place]!;
    const planted = { ...victim.history[0]!, id: 'planted', text: held.response };
    const leaking = examples.with(place, { ...victim, history: [planted, ...victim.history.slice(1)] });
    expect(() => checkLeakage(examples)).not.toThrow();
    expect(() => checkLeakage(leaking)).toThrow(
      `examples: expected no leakage, got 1: example "${victim.id}" (train): history item "planted" is the response of example "${held.id}" (test)`,
    );
  });
});
