/** @file Controls: items shuffled and halved, an irrelevant note, a wrong target. */
import { describe, expect, it } from 'vitest';
import type { Example, HistoryItem } from '../../../src/method/data/example.ts';
import {
  irrelevantNote,
  randomHalf,
  shuffledItems,
  withIrrelevantNote,
  wrongTarget,
} from '../../../src/method/others/controls.ts';
import { simulate } from '../../../src/method/simulation/simulate.ts';

const draw = { example: 'e', seed: 3 };
const items = (count: number): HistoryItem[] =>
  Array.from({ length: count }, (_, i) => ({ id: `${i}`, query: 'q', text: `text ${i}` }));
const ids = (history: readonly HistoryItem[]) => history.map(({ id }) => id).join('');

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
        ({ user, domain }) => user !== example.user && domain === example.domain,
      );
      expect(target.domain === example.domain).toBe(hasOther);
    }
  });

  it('is never a text that the history holds, and absent where there is no other', () => {
    const [one, two] = [examples[0]!, examples[1]!];
    const copied: Example = { ...one, history: [{ id: 'x', query: '', text: two.response }] };
    expect(wrongTarget([copied, two], copied, 0)).toBeUndefined();
    expect(wrongTarget([one], one, 0)).toBeUndefined();
  });
});
