/** @file Tests of matched candidates: other users, near in domain, period and length, that tell nothing of the response. */
import { describe, expect, it } from 'vitest';
import { ConfigError, DataError } from '../../../src/base/errors.ts';
import type { Example, HistoryItem } from '../../../src/method/data/example.ts';
import { sotuExamples } from '../../../src/method/data/sotu.ts';
import { forEvaluation } from '../../../src/method/data/splits.ts';
import { matchedOthers, matchingOf } from '../../../src/method/others/matching.ts';

const item = (id: string, words = 10, change: Partial<HistoryItem> = {}): HistoryItem => ({
  id,
  query: 'q',
  text: Array.from({ length: words }, (_, i) => `${id}-${i}`).join(' '),
  ...change,
});
const example = (user: string, time: string, history: HistoryItem[], domain?: string): Example => ({
  id: `of ${user}`,
  user,
  time,
  query: 'q',
  response: `response of ${user}`,
  history,
  ...(domain && { domain }),
});
const items = (user: string, count: number, words = 10) =>
  Array.from({ length: count }, (_, i) => item(`${user}${i}`, words));
const users = (match: { readonly others: readonly { readonly user: string }[] }) =>
  match.others.map(({ user }) => user).sort();

const me = example('me', '1900', items('me', 3));

describe('matchedOthers', () => {
  it('takes the users nearest in time, never the example itself, and says how near', () => {
    const others = ['1880', '1893', '1908', '1950'].map((year) => example(year, year, items(year, 3)));
    const mine = { ...me, id: 'mine too' };
    const match = matchedOthers([me, mine, ...others], me, 2);
    expect(users(match)).toEqual(['1893', '1908']);
    expect(match.lengthDifference).toBe(0);
    expect(match.periodYears).toBeCloseTo(8, 1);
  });

  it('chooses the same others whatever the order of the rows, those equally near among them', () => {
    // Equally near users were shuffled from the order of the file, so that sorted rows gave other numbers.
    const others = ['a', 'b', 'c', 'd', 'e', 'f'].map((user) => example(user, '1900', items(user, 3)));
    const twice = [{ ...example('g', '1900', items('g', 4)), id: 'z' }, example('g', '1900', items('g', 3))];
    const rows = [me, ...others, ...twice];
    const chosen = (pool: readonly Example[]) => matchedOthers(pool, me, 3).others;
    expect(chosen(rows.toReversed())).toEqual(chosen(rows));
    expect(chosen([...rows.slice(4), ...rows.slice(0, 4)])).toEqual(chosen(rows));
  });

  it('cuts all histories to one number of items, the latest', () => {
    const others = [example('a', '1900', items('a', 5)), example('b', '1900', items('b', 2))];
    const match = matchedOthers(others, me, 2);
    expect(match.own.map(({ id }) => id)).toEqual(['me1', 'me2']);
    const ids = match.others.map(({ history }) => history.map(({ id }) => id)).sort();
    expect(ids).toEqual([
      ['a3', 'a4'],
      ['b0', 'b1'],
    ]);
  });

  it('counts no more items than a prompt can show: those with longer histories are not preferred', () => {
    // Histories that no prompt showed whole left only the users with the longest ones, whatever their period.
    const mine = example('me', '1900', items('me', 30));
    const others = [
      ...['1899', '1901', '1902'].map((year) => example(year, year, items(year, 10))),
      ...['1700', '1710', '1720'].map((year) => example(year, year, items(year, 25))),
    ];
    expect(users(matchedOthers(others, mine, 3))).toEqual(['1700', '1710', '1720']);
    const match = matchedOthers(others, mine, 3, { maxItems: 8 });
    expect(users(match)).toEqual(['1899', '1901', '1902']);
    for (const history of [match.own, ...match.others.map((other) => other.history)])
      expect(history).toHaveLength(8);
    expect(match.own.at(-1)!.id).toBe('me29');
  });

  it('does not ask users that it is told to leave out', () => {
    const others = ['a', 'b', 'c', 'd'].map((user) => example(user, '1900', items(user, 3)));
    expect(users(matchedOthers(others, me, 2, { without: new Set(['a', 'c']) }))).toEqual(['b', 'd']);
    expect(() => matchedOthers(others, me, 3, { without: new Set(['a', 'c']) })).toThrow('got 2');
  });

  it('finds the same users among many as among all sorted, thousands of examples in seconds', () => {
    const many = Array.from({ length: 2000 }, (_, i) =>
      example(`u${i}`, String(1500 + ((i * 37) % 500)), items(`u${i}`, 3)),
    );
    const near = (year: number) => (other: Example) => Math.abs(Number(other.time) - year);
    for (const chosen of many.slice(0, 50)) {
      const year = Number(chosen.time);
      const distances = many
        .filter(({ user }) => user !== chosen.user)
        .map(near(year))
        .sort((a, b) => a - b);
      const { periodYears, others } = matchedOthers(many, chosen, 199);
      expect(others).toHaveLength(199);
      expect(periodYears).toBeCloseTo(distances[198]!, 0);
    }
  });

  it('passes over users with fewer items where enough have as many', () => {
    const others = [
      example('short', '1900', items('s', 1)),
      example('far', '1850', items('f', 3)),
      example('near', '1901', items('n', 3)),
    ];
    expect(users(matchedOthers(others, me, 2))).toEqual(['far', 'near']);
  });

  it('takes the closest length among users of the same period', () => {
    const others = [5, 9, 30, 11, 50].map((words) =>
      example(`${words}`, '1900', items(`${words}x`, 3, words)),
    );
    const match = matchedOthers(others, me, 2);
    expect(users(match)).toEqual(['11', '9']);
    expect(matchingOf([match])).toEqual({
      years: { most: 0, median: 0 },
      length: { most: expect.closeTo(0.1, 10), median: expect.closeTo(0.1, 10) },
    });
  });

  it('takes the example of a user that is nearest in period and then in length', () => {
    const ofOne = [
      { ...example('one', '1950', items('late', 3)), id: '1' },
      { ...example('one', '1901', items('long', 3, 40)), id: '2' },
      { ...example('one', '1901', items('same', 3, 10)), id: '3' },
    ];
    expect(matchedOthers(ofOne, me, 1).others[0]!.history[0]!.id).toBe('same0');
  });

  it('prefers the domain to the period, and says how many have it', () => {
    const mine = example('me', '1900', items('me', 3), 'books');
    const others = [
      example('book', '1850', items('b', 3), 'books'),
      example('film', '1900', items('f', 3), 'films'),
      example('disc', '1901', items('d', 3), 'discs'),
    ];
    const one = matchedOthers(others, mine, 1);
    expect(users(one)).toEqual(['book']);
    expect(matchingOf([one])).toMatchObject({ domain: { same: 1, all: 1 }, length: { most: 0 } });
    const two = matchedOthers(others, mine, 2);
    expect(users(two)).toEqual(['book', 'film']);
    expect(matchingOf([two])).toMatchObject({ domain: { same: 1, all: 2 }, length: { most: 0 } });
  });

  it('leaves out items that are or repeat the response or the own history, or that the user co-wrote', () => {
    const leaks = [
      item('of me', 1, { text: 'Response of' }),
      item('x', 1, { text: 'Response of ME.' }),
      item('me0', 10, { text: `${me.history[0]!.text} and more` }),
      item('y', 1, { text: me.history[1]!.text }),
      item('z', 10, { authors: ['other', 'me'] }),
    ];
    const other = example('other', '1900', [...items('clean', 3), ...leaks]);
    const match = matchedOthers([other], me, 1);
    expect(match.others[0]!.history.map(({ id }) => id)).toEqual(['clean0', 'clean1', 'clean2']);
  });

  // Items without an id are named h1, h2, … for every user: nobody was left to compare with.
  it('compares with users whose items have the same ids', () => {
    const numbered = (user: string) => ({
      ...example(
        user,
        '1900',
        items(user, 3).map((each, place) => ({ ...each, id: `h${place + 1}` })),
      ),
    });
    const match = matchedOthers(['a', 'b', 'c'].map(numbered), numbered('me'), 3);
    expect(match.others.map(({ history }) => history.length)).toEqual([3, 3, 3]);
  });

  it('keeps texts of signs alone apart', () => {
    const signs = (user: string, text: string) => example(user, '1900', [item('h1', 1, { text })]);
    const others = [signs('a', '!!!'), signs('b', ':-)')];
    const mine = signs('me', '!!!');
    expect(users(matchedOthers(others, mine, 1))).toEqual(['b']);
  });

  it('matches by length alone where there are no times', () => {
    const { time: _, ...mine } = me;
    const others = [4, 10, 40].map((words) => example(`${words}`, '1900', items(`${words}x`, 3, words)));
    const match = matchedOthers(others, mine, 1);
    expect(matchingOf([match])).toEqual({ length: { most: 0, median: 0 } });
    expect(match.periodYears).toBeUndefined();
  });

  it('breaks ties by its seed, the same way every time', () => {
    const others = Array.from({ length: 40 }, (_, i) => example(`u${i}`, '1900', items(`u${i}x`, 3)));
    expect(matchedOthers(others, me, 2)).toEqual(matchedOthers(others.toReversed().toReversed(), me, 2));
    const picks = [0, 1, 2, 3].map((seed) => users(matchedOthers(others, me, 2, { seed })).join());
    expect(new Set(picks).size).toBeGreaterThan(1);
  });

  it('refuses a number that is not one, an example without history, and too few users', () => {
    expect(() => matchedOthers([me], me, 0)).toThrow(ConfigError);
    expect(() => matchedOthers([me], me, 1)).toThrow(DataError);
    // A user alone was told to ask for fewer than one.
    expect(() => matchedOthers([me], me, 1)).toThrow(
      'expected 1 other user with a history to compare with, got none beside "me"',
    );
    expect(() => matchedOthers([me], { ...me, history: [] }, 1)).toThrow('an empty history of its own');
  });

  it('finds contemporaries for every held-out passage of the real addresses', () => {
    const examples = sotuExamples({ passagesPerAddress: 2 });
    const matches = forEvaluation(examples).map((held) => {
      const match = matchedOthers(examples, held, 3);
      expect(match.others.map(({ user }) => user)).not.toContain(held.user);
      expect(new Set(match.others.map(({ user }) => user)).size).toBe(3);
      for (const { history } of match.others) expect(history).toHaveLength(match.own.length);
      return match;
    });
    expect(Math.max(...matches.map(({ periodYears }) => periodYears!))).toBeLessThan(21);
    expect(Object.keys(matchingOf(matches))).toEqual(['years', 'length']);
  });
});

describe('matchingOf', () => {
  it('gives the widest distances and the medians', () => {
    const match = { others: [] };
    const matches = [
      { ...match, periodYears: 2, lengthDifference: 0.01 },
      { ...match, periodYears: 4, lengthDifference: 0.05 },
      { ...match, periodYears: 12, lengthDifference: 0.2 },
    ];
    expect(matchingOf(matches)).toEqual({
      years: { most: 12, median: 4 },
      length: { most: 0.2, median: 0.05 },
    });
    expect(matchingOf([])).toEqual({});
  });
});
