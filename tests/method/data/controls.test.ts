/** @file Controls: placebos that never hold the response, items shuffled and halved, an irrelevant note, a wrong target. */
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/base/errors.ts';
import {
  irrelevantNote,
  placeboHistories,
  randomHalf,
  shuffledItems,
  withIrrelevantNote,
  wrongTarget,
} from '../../../src/method/data/controls.ts';
import type { Example, HistoryItem } from '../../../src/method/data/example.ts';
import { simulate } from '../../../src/method/simulation/simulate.ts';

const draw = { example: 'e', seed: 3 };
const items = (count: number): HistoryItem[] =>
  Array.from({ length: count }, (_, i) => ({ id: `${i}`, query: 'q', text: `text ${i}` }));
const ids = (history: readonly HistoryItem[]) => history.map(({ id }) => id).join('');

describe('placebo histories', () => {
  const examples = simulate({ users: 24, seed: 9, historyItems: 3 });
  const example = examples[0]!;

  it('are other users’, as many and as long as the own one, and repeat for a seed', () => {
    const placebos = placeboHistories(examples, example, 3, { seed: 5 });
    expect(placeboHistories(examples, example, 3, { seed: 5 })).toEqual(placebos);
    expect(new Set(placebos.others.map(({ user }) => user)).size).toBe(3);
    for (const { user, history } of placebos.others) {
      expect(user).not.toBe(example.user);
      expect(history).toHaveLength(placebos.own.length);
    }
  });

  it('come in an order that does not follow their length', () => {
    const firstIsNearest = Array.from({ length: 40 }, (_, seed) => {
      const { others, own } = placeboHistories(examples, example, 3, { seed });
      const length = (history: readonly HistoryItem[]) =>
        history.reduce((sum, { text }) => sum + text.split(' ').length, 0);
      const distances = others.map(({ history }) => Math.abs(length(history) - length(own)));
      return distances[0] === Math.min(...distances);
    }).filter(Boolean).length;
    expect(firstIsNearest).toBeGreaterThan(4);
    expect(firstIsNearest).toBeLessThan(30);
  });

  it('never hold the response, its paper, or a paper that the user co-wrote', () => {
    const paper = (id: string, text: string, authors: string[]): HistoryItem => ({
      id,
      query: `title of ${id}`,
      text,
      meta: { authors },
    });
    const written = (user: string, extra: readonly HistoryItem[]): Example => ({
      id: `of ${user}`,
      user,
      query: 'q',
      response: `abstract of ${user}`,
      history: [paper(`${user}1`, `one of ${user}`, [user]), ...extra],
      meta: { authors: [user] },
    });
    const me = written('me', []);
    const pool = [
      me,
      written('a', [paper('of me', 'my paper under another text', ['a'])]),
      written('b', [paper('b2', 'Abstract of ME!', ['b'])]),
      written('c', [paper('c2', 'a joint paper', ['c', 'me'])]),
      written('d', [paper('d2', 'a paper', ['d'])]),
    ];
    for (let seed = 0; seed < 10; seed++) {
      for (const { history } of placeboHistories(pool, me, 4, { seed }).others)
        for (const { id } of history) expect(['of me', 'b2', 'c2']).not.toContain(id);
    }
  });

  it('are refused where none is asked for', () => {
    expect(() => placeboHistories(examples, example, 0)).toThrow(ConfigError);
  });
});

describe('controls of a history', () => {
  it('shuffle its items into another order, the same for every history of that length', () => {
    for (let seed = 0; seed < 20; seed++) {
      const shuffled = shuffledItems(items(3), { example: 'e', seed });
      expect(ids(shuffled)).not.toBe('012');
      expect([...ids(shuffled)].sort().join('')).toBe('012');
      expect(ids(shuffledItems(items(3).reverse(), { example: 'e', seed }))).toBe(
        [...ids(shuffled)].map((id) => 2 - Number(id)).join(''),
      );
    }
    expect(ids(shuffledItems(items(2), draw))).toBe('10');
    expect(ids(shuffledItems(items(1), draw))).toBe('0');
  });

  it('keep half of its items in their order', () => {
    for (let seed = 0; seed < 20; seed++) {
      const half = ids(randomHalf(items(5), { example: 'e', seed }));
      expect(half).toHaveLength(2);
      expect(half).toBe([...half].sort().join(''));
    }
    expect(randomHalf(items(1), draw)).toEqual([]);
  });

  it('add a note that is nobody’s at a random place and leave the items as they are', () => {
    const places = new Set<number>();
    for (let seed = 0; seed < 20; seed++) {
      const noted = withIrrelevantNote(items(2), { example: 'e', seed });
      places.add(noted.findIndex(({ id }) => id === irrelevantNote(draw).id));
      expect(ids(noted.filter(({ id }) => id !== 'irrelevant-note'))).toBe('01');
    }
    expect([...places].sort()).toEqual([0, 1, 2]);
  });
});

describe('the wrong target', () => {
  const examples = simulate({ users: 12, seed: 4, historyItems: 2 });

  it('is a text of another user, of the same domain where there is one, and repeats for a seed', () => {
    for (const example of examples) {
      const target = wrongTarget(examples, example, 1)!;
      expect(target.user).not.toBe(example.user);
      expect(wrongTarget(examples, example, 1)).toBe(target);
      const hasOther = examples.some(
        ({ user, meta }) => user !== example.user && meta?.domain === example.meta?.domain,
      );
      expect(target.meta?.domain === example.meta?.domain).toBe(hasOther);
    }
  });

  it('is never a text that the history holds, and absent where there is no other', () => {
    const [one, two] = [examples[0]!, examples[1]!];
    const copied: Example = { ...one, history: [{ id: 'x', query: '', text: two.response }] };
    expect(wrongTarget([copied, two], copied, 0)).toBeUndefined();
    expect(wrongTarget([one], one, 0)).toBeUndefined();
  });
});
