/** @file Other users' histories: drawn, matched on what a prompt shows, cut to one number of items, and dropped where nothing shows. */
import { describe, expect, it } from 'vitest';
import { ConfigError, DataError } from '../../../src/base/errors.ts';
import type { Example, HistoryItem } from '../../../src/method/data/example.ts';
import { matchedOthers } from '../../../src/method/others/matching.ts';
import {
  othersForAll,
  othersHistories,
  referenceHistory,
} from '../../../src/method/others/others-histories.ts';
import { simulate } from '../../../src/method/simulation/simulate.ts';

/** A user with items of so many words, oldest first. */
const user = (name: string, time: string, words: readonly number[]): Example => ({
  id: `of ${name}`,
  user: name,
  time,
  query: 'q',
  response: `response of ${name}`,
  history: words.map((count, i) => ({
    id: `${name}${i}`,
    query: 'q',
    text: Array.from({ length: count }, (_, w) => `${name}${i}${w}`).join(' '),
  })),
});

/** How many of the latest items fit into so many words. */
const shownIn = (room: number) => (history: readonly HistoryItem[]) => {
  let left = room;
  let items = 0;
  for (const { text } of history.toReversed()) {
    left -= text.split(' ').length;
    if (left < 0) break;
    items += 1;
  }
  return items;
};

const names = (found: { readonly others: readonly { readonly user: string }[] } | undefined) =>
  found?.others.map((other) => other.user).sort();

describe('other users’ histories', () => {
  const examples = simulate({ users: 24, seed: 9, historyItems: 3 });
  const example = examples[0]!;

  it('are other users’, as many and as long as the own one, and repeat for a seed', () => {
    const drawn = othersHistories(examples, example, 3, { seed: 5 })!;
    expect(othersHistories(examples, example, 3, { seed: 5 })).toEqual(drawn);
    expect(new Set(drawn.others.map(({ user }) => user)).size).toBe(3);
    for (const { user, history } of drawn.others) {
      expect(user).not.toBe(example.user);
      expect(history).toHaveLength(drawn.own.length);
    }
  });

  it('come in an order that does not follow their length', () => {
    const firstIsNearest = Array.from({ length: 40 }, (_, seed) => {
      const { others, own } = othersHistories(examples, example, 3, { seed })!;
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
      authors,
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
      written('a', [paper('of me', 'abstract of me, with more words', ['a'])]),
      written('b', [paper('b2', 'Abstract of ME!', ['b'])]),
      written('c', [paper('c2', 'a joint paper', ['c', 'me'])]),
      written('d', [paper('d2', 'a paper', ['d'])]),
    ];
    for (let seed = 0; seed < 10; seed++) {
      for (const { history } of othersHistories(pool, me, 4, { seed })!.others)
        for (const { id } of history) expect(['of me', 'b2', 'c2']).not.toContain(id);
    }
  });

  it('are refused where none is asked for', () => {
    expect(() => othersHistories(examples, example, 0)).toThrow(ConfigError);
  });
});

describe('what the prompt shows', () => {
  const me = user('me', '1900', [9, 9, 9]);

  it('is asked of the nearest first: who shows less than the own history gives way to the next', () => {
    const pool = [
      user('long', '1901', [9, 9, 200]),
      user('half', '1902', [9, 50, 9]),
      ...['1910', '1920', '1930'].map((year) => user(year, year, [9, 9, 9])),
    ];
    expect(names(othersHistories(pool, me, 2))).toEqual(['half', 'long']);
    const itemsShown = shownIn(30);
    const found = othersHistories(pool, me, 2, { itemsShown });
    expect(names(found)).toEqual(['1910', '1920']);
    expect(found!.periodYears).toBeCloseTo(20, 1);
  });

  it('cuts all histories to one number of items where too few users show as many as the own one', () => {
    const pool = [user('a', '1901', [9, 50, 9]), user('b', '1902', [9, 9, 10])];
    const found = othersHistories(pool, me, 2, { itemsShown: shownIn(30) })!;
    expect(found.others.map(({ history }) => history.length)).toEqual([1, 1]);
    expect(found.own.map(({ id }) => id)).toEqual(['me2']);
    // The lengths are those of what is itemsShown: 9 words, and 9 and 10.
    expect(found.lengthDifference).toBeCloseTo(1 / 9, 10);
  });

  it('compares with nobody where nothing shows, of the own history or of the others’', () => {
    const pool = [user('a', '1901', [9, 9, 50]), user('b', '1902', [9, 9, 60])];
    expect(othersHistories(pool, me, 1, { itemsShown: shownIn(30) })).toBeUndefined();
    expect(othersHistories(pool, me, 1, { itemsShown: shownIn(5) })).toBeUndefined();
    expect(referenceHistory(pool, me, { itemsShown: shownIn(30) })).toBeUndefined();
  });

  it('bounds what is matched: long histories of other users are not preferred', () => {
    const mine = user(
      'me',
      '1900',
      Array.from({ length: 20 }, () => 9),
    );
    const pool = ['1899', '1901', '1700', '1710'].map((year) =>
      user(
        year,
        year,
        Array.from({ length: Number(year) < 1800 ? 20 : 10 }, () => 9),
      ),
    );
    expect(names(othersHistories(pool, mine, 2, { itemsShown: shownIn(30) }))).toEqual(['1899', '1901']);
  });
});

describe('the history that stands for none', () => {
  const examples = simulate({ users: 24, seed: 9, historyItems: 3 });
  const example = examples[0]!;

  it('is drawn by the seed, one of the nearest and not always the nearest', () => {
    const drawn = Array.from(
      { length: 30 },
      (_, seed) => referenceHistory(examples, example, { seed })!.user,
    );
    const nearest = matchedOthers(examples, example, 3).others.map((other) => other.user);
    expect(new Set(drawn).size).toBeGreaterThan(1);
    expect(drawn.filter((name) => name === nearest[0]).length).toBeLessThan(20);
    expect(referenceHistory(examples, example, { seed: 3 })).toEqual(
      referenceHistory(examples, example, { seed: 3 }),
    );
  });

  it('is one of a few where there are few users, and refused where there is none', () => {
    const two = examples.slice(0, 2);
    expect(referenceHistory(two, example)!.user).toBe(two[1]!.user);
    expect(() => referenceHistory([example], example)).toThrow(DataError);
  });
});

it('as many histories are asked for as every example can be given', () => {
  const few = simulate({ users: 3, seed: 9, historyItems: 3 });
  expect(othersForAll(few, few, 5)).toBe(2);
  expect(othersForAll(few, few, 1)).toBe(1);
  expect(() => othersForAll(few, few, 5, 5)).toThrow('expected 5 other users');
  expect(() => othersForAll(few.slice(0, 1), few.slice(0, 1), 5)).toThrow(DataError);
});
