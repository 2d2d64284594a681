/** @file The texts of each user by both rules: every earlier text once, with what lies strictly before it as its history. */
import { describe, expect, it } from 'vitest';
import type { Example } from '../../../src/method/data/example.ts';
import { textsOfUsers } from '../../../src/method/data/user-texts.ts';

const item = (id: string, time: string, text = `text ${id}`) => ({ id, time, query: `query ${id}`, text });
const example = (id: string, user: string, history: Example['history']): Example => ({
  id,
  user,
  time: '2020-06-01',
  query: 'q',
  response: 'the target',
  history,
});
const rows = [
  example('1', 'ann', [item('a', '2020-01-01'), item('c', '2020-01-03'), item('d', '2020-01-03')]),
  example('2', 'bob', []),
  // The first item again, one that lies between, and another text under an id that is taken.
  example('3', 'ann', [item('a', '2020-01-01'), item('b', '2020-01-02'), item('d', '2020-01-04', 'other')]),
];

describe('texts of users', () => {
  it('by rows are the rows of each', () => {
    const texts = textsOfUsers(rows, 'rows');
    expect([...texts].map(([user, own]) => [user, own.map(({ id }) => id)])).toEqual([
      ['ann', ['1', '3']],
      ['bob', ['2']],
    ]);
  });

  it('by history are all earlier texts once, in the order of time, and no response of a row', () => {
    const texts = textsOfUsers(rows, 'history');
    expect([...texts.keys()]).toEqual(['ann']);
    const own = texts.get('ann')!;
    expect(
      own.map(({ id, response, history }) => [id, response, history.map((earlier) => earlier.id)]),
    ).toEqual([
      ['a', 'text a', []],
      ['b', 'text b', ['a']],
      ['c', 'text c', ['a', 'b']],
      // Of one day with c: no history of it.
      ['d', 'text d', ['a', 'b']],
      ['d (2)', 'other', ['a', 'b', 'c', 'd']],
    ]);
    expect(own[1]).toMatchObject({ user: 'ann', query: 'query b', time: '2020-01-02' });
  });

  it('keep the order of the rows where times are missing', () => {
    const { time: _, ...timeless } = item('z', '');
    const own = textsOfUsers([example('1', 'ann', [timeless, item('a', '2020-01-01')])], 'history').get(
      'ann',
    )!;
    expect(own.map(({ id, history }) => [id, history.length])).toEqual([
      ['z', 0],
      ['a', 1],
    ]);
  });
});
