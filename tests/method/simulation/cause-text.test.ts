/** @file Tests of texts under construction. */
import { expect, test } from 'vitest';
import { causeText } from '../../../src/method/simulation/cause-text.ts';

test('a space belongs to the word behind it, punctuation to nobody, and equal neighbours are one span', () => {
  const out = causeText();
  out.settle(0.5);
  out.settle(1);
  out.word('Well,', 'user');
  out.word('so', 'neither');
  out.word('good', 'query');
  out.word('deal.', 'query');
  expect(out.finish()).toEqual({
    text: 'Well, so good deal.',
    causes: [
      { start: 0, end: 4, cause: 'user', logRatio: 1.5 },
      { start: 4, end: 8, cause: 'neither' },
      { start: 8, end: 18, cause: 'query' },
      { start: 18, end: 19, cause: 'neither' },
    ],
  });
});

test('words with a log ratio stay apart from their neighbours', () => {
  const out = causeText();
  for (const word of ['a', 'b']) {
    out.settle(1);
    out.word(word, 'user');
  }
  out.word('c', 'user');
  expect(out.finish().causes.map(({ start, end }) => [start, end])).toEqual([
    [0, 1],
    [1, 3],
    [3, 5],
  ]);
});
