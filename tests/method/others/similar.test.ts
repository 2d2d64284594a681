/** @file The most similar users: by the words of their histories alone, never by what is to be predicted. */
import { describe, expect, it } from 'vitest';
import { DataError } from '../../../src/base/errors.ts';
import type { Example } from '../../../src/method/data/example.ts';
import { matchingOf } from '../../../src/method/others/matching.ts';
import { othersHistories } from '../../../src/method/others/others-histories.ts';
import { similarOthers } from '../../../src/method/others/similar.ts';

const example = (user: string, response: string, ...texts: string[]): Example => ({
  id: `of ${user}`,
  user,
  query: 'q',
  response,
  history: texts.map((text, i) => ({ id: `${user}${i}`, query: '', text })),
});

const me = example('me', 'the answer', 'storms over the violin garden', 'a violin in the storm');
const pool = [
  me,
  { ...me, id: 'me again' },
  example('near', 'x', 'the violin storms', 'garden and violin'),
  example('far', 'the answer the answer', 'tax returns of the year', 'the ledger closes'),
  example('middle', 'x', 'a garden in the year', 'the garden closes'),
];

describe('similarOthers', () => {
  it('takes the users whose histories share rare words, whatever the responses say', () => {
    const match = similarOthers(pool, me, 2);
    expect(match.others.map(({ user }) => user)).toEqual(['near', 'middle']);
    expect(match.similarity).toBeGreaterThan(0);
    const other = { ...me, response: 'tax returns ledger year closes' };
    expect(similarOthers(pool, other, 1).others[0]!.user).toBe('near');
    expect(matchingOf([match]).similarity?.least).toBe(match.similarity);
  });

  it('shows nothing of the response, of the own history, or of as many items as the prompt cannot show', () => {
    const copy = example('copy', 'x', 'storms over the violin garden', 'the answer', 'a violin');
    const match = similarOthers([...pool, copy], me, 1);
    expect(match.others[0]!.user).not.toBe('copy');
    const one = similarOthers([me, copy], me, 1, { maxItems: 8 });
    expect(one.others[0]).toEqual({ user: 'copy', history: [copy.history[2]] });
    expect(one.own).toHaveLength(1);
  });

  it('is refused where there are too few users', () => {
    expect(() => similarOthers(pool, me, 4)).toThrow(DataError);
  });

  it('is what othersHistories asks by `similar`', () => {
    const found = othersHistories(pool, me, 1, { by: 'similar' });
    expect(found!.others[0]!.user).toBe('near');
  });
});
