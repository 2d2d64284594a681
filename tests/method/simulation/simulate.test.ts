/** @file Tests of simulated examples as readers and scorers of estimators see them. */
import { expect, test } from 'vitest';
import { ConfigError } from '../../../src/base/errors.ts';
import type { Cause, Example } from '../../../src/method/data/example.ts';
import { type SimulationOptions, simulate } from '../../../src/method/simulation/simulate.ts';

const defaults = simulate({ users: 400 });

const isUsers = (cause: Cause) => cause === 'user' || cause === 'both';

/** Whitespace words with the cause of most of their characters and the log ratio of their spans. */
function wordsOf(example: Example): { text: string; cause: Cause; logRatio: number }[] {
  return [...example.response.matchAll(/\S+/g)].map((match) => {
    const lengths = new Map<Cause, number>();
    let logRatio = 0;
    for (const span of example.causes!) {
      const overlap = Math.min(span.end, match.index + match[0].length) - Math.max(span.start, match.index);
      if (overlap <= 0) continue;
      lengths.set(span.cause, (lengths.get(span.cause) ?? 0) + overlap);
      logRatio += span.logRatio ?? 0;
    }
    const cause = [...lengths].sort(([, a], [, b]) => b - a)[0]![0];
    return { text: match[0], cause, logRatio };
  });
}

/** Area under the ROC curve by counting pairs, ties one half. */
function areaUnderCurve(rows: readonly { score: number; positive: boolean }[]): number {
  const sorted = rows.map((row) => row.score).sort((a, b) => a - b);
  const below = (score: number, inclusive: boolean) => {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle]! < score || (inclusive && sorted[middle]! === score)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const positives = rows.filter((row) => row.positive);
  const rankSum = positives.reduce(
    (sum, { score }) => sum + (below(score, false) + below(score, true) + 1) / 2,
    0,
  );
  const n = positives.length;
  return (rankSum - (n * (n + 1)) / 2) / (n * (rows.length - n));
}

test('causes cover the response without gaps, merged where they can be', () => {
  for (const { response, causes } of defaults) {
    let end = 0;
    causes!.forEach((span, index) => {
      expect(span.start).toBe(end);
      expect(span.end).toBeGreaterThan(span.start);
      const before = causes![index - 1];
      if (before && before.logRatio === undefined && span.logRatio === undefined)
        expect(before.cause).not.toBe(span.cause);
      end = span.end;
    });
    expect(end).toBe(response.length);
  }
});

test('every word that the user decided has a log ratio, and words without an open choice have none', () => {
  for (const { response, causes } of defaults)
    for (const span of causes!) {
      const text = response.slice(span.start, span.end);
      if (isUsers(span.cause)) expect(text).toMatch(/^ ?\p{L}+$/u);
      if (isUsers(span.cause)) expect(Number.isFinite(span.logRatio)).toBe(true);
    }
});

test('item name and rating line are caused by the query', () => {
  const causeAt = ({ causes }: Example, at: number) => causes!.find((span) => span.end > at)!.cause;
  let ratings = 0;
  for (const example of defaults) {
    const name = /Review the ([A-Z]\w+ [A-Z]\w+),/.exec(example.query)![1]!;
    expect(causeAt(example, example.response.indexOf(name))).toBe('query');
    const rating = /(One|Two|Three|Four|Five) stars? from me/.exec(example.response);
    if (!rating) continue;
    expect(causeAt(example, rating.index)).toBe('query');
    ratings++;
  }
  expect(ratings).toBeGreaterThan(50);
});

test('the true log ratio tells words of the user from all others, but for choices that chance made', () => {
  const rows = defaults.flatMap(wordsOf).map(({ cause, logRatio }) => ({
    score: logRatio,
    positive: isUsers(cause),
  }));
  expect(areaUnderCurve(rows)).toBeGreaterThan(0.97);
});

test('nearly every word that a user decides could have been read off the history', () => {
  const decided = defaults.flatMap((example) => {
    const seen = new Set(example.history.flatMap((item) => item.text.match(/\p{L}+/gu)));
    const own = wordsOf(example).filter(({ cause }) => cause === 'user');
    return own.map(({ text }) => seen.has(text.replace(/\P{L}+$/u, '')));
  });
  expect(decided.filter(Boolean).length / decided.length).toBeGreaterThan(0.95);
});

test('options repeat the same examples, and another seed gives other users', () => {
  expect(simulate({ users: 20, seed: 4 })).toEqual(simulate({ users: 20, seed: 4 }));
  const one = simulate({ users: 50, seed: 4 });
  const other = simulate({ users: 50, seed: 5 });
  const responses = new Set(one.map((example) => example.response));
  const ids = new Set(one.flatMap((example) => [example.user, example.id]));
  expect(other.filter((example) => responses.has(example.response))).toEqual([]);
  expect(other.filter((example) => ids.has(example.user) || ids.has(example.id))).toEqual([]);
});

test('a user is the same whatever the number of users, the first index and the number of examples', () => {
  const many = simulate({ users: 30, examplesPerUser: 3, split: { train: 0.5, validation: 0.2, test: 0.3 } });
  const few = simulate({
    users: 5,
    startIndex: 10,
    examplesPerUser: 1,
    split: { train: 0.5, validation: 0.2, test: 0.3 },
  });
  for (const example of few) expect(many.find(({ id }) => id === example.id)).toEqual(example);
});

test('time increases, ids are unique, and the history is what the user wrote before', () => {
  const examples = simulate({ users: 20, examplesPerUser: 4, historyItems: 3 });
  expect(new Set(examples.map(({ id }) => id)).size).toBe(examples.length);
  const byId = new Map(examples.map((example) => [example.id, example]));
  let shared = 0;
  for (const { history, time, user } of examples) {
    const times = [...history.map((item) => item.time!), time!];
    expect(times).toEqual([...times].sort());
    expect(new Set(times).size).toBe(times.length);
    for (const item of history) {
      expect(item.id.startsWith(`${user}-`)).toBe(true);
      const earlier = byId.get(item.id);
      if (!earlier) continue;
      expect({ query: item.query, text: item.text }).toEqual({
        query: earlier.query,
        text: earlier.response,
      });
      shared++;
    }
  }
  expect(shared).toBe(20 * (1 + 2 + 3));
});

test('history length is the number asked for, or varies over the whole range', () => {
  const lengths = (historyItems: SimulationOptions['historyItems'] & {}) =>
    new Set(simulate({ users: 60, historyItems }).map(({ history }) => history.length));
  expect(lengths(0)).toEqual(new Set([0]));
  expect(lengths(2)).toEqual(new Set([2]));
  expect(lengths([0, 3])).toEqual(new Set([0, 1, 2, 3]));
});

test('without strength users decide nothing and every log ratio is 0', () => {
  for (const { causes } of simulate({ users: 100, strength: 0, confounding: 0.5 }))
    for (const { cause, logRatio } of causes!) {
      expect(isUsers(cause)).toBe(false);
      expect(Math.abs(logRatio ?? 0)).toBeLessThan(1e-12);
    }
});

test('every log ratio is a number at the edges of every option', () => {
  const edges = [0, 1].flatMap((strength) =>
    [0, 1].flatMap((noise) =>
      [0, 1].flatMap((confounding) =>
        [0, 3].map((historyItems) => ({ strength, noise, confounding, historyItems })),
      ),
    ),
  );
  for (const options of edges)
    for (const { causes } of simulate({ users: 40, seed: 6000003, ...options })) {
      const open = causes!.filter((span) => span.logRatio !== undefined);
      expect(open.length).toBeGreaterThan(0);
      expect(open.filter(({ logRatio }) => !Number.isFinite(logRatio))).toEqual([]);
      // A user who never deviates makes no word less likely than anybody does.
      if (options.strength === 1)
        expect(Math.min(...open.map((span) => span.logRatio!))).toBeGreaterThan(-1e-9);
    }
});

test('noise adds sentences that have nothing to do with user or item', () => {
  const words = (noise: number) => {
    const counts = simulate({ users: 200, noise }).map(({ response }) => response.split(' ').length);
    return counts.reduce((sum, count) => sum + count, 0) / counts.length;
  };
  expect(words(1) - words(0)).toBeGreaterThan(2.5);
});

test('confounding makes the domain predict the words of its users', () => {
  const accuracy = (confounding: number) => {
    const counts = new Map<string, Map<string, number>>();
    const examples = simulate({ users: 2000, historyItems: 0, noise: 0, confounding });
    for (const { response, domain } of examples) {
      const row = counts.get(domain!) ?? new Map<string, number>();
      const opening = response.split(/\W/)[0]!;
      counts.set(domain!, row.set(opening, (row.get(opening) ?? 0) + 1));
    }
    const hits = [...counts.values()].reduce((sum, row) => sum + Math.max(...row.values()), 0);
    return hits / examples.length;
  };
  expect(accuracy(0)).toBeLessThan(0.2);
  expect(accuracy(0.9)).toBeGreaterThan(0.35);
});

test('splits divide users in the shares asked for', () => {
  const split = { train: 0.8, validation: 0.1, test: 0.1 };
  const examples = simulate({ users: 200, examplesPerUser: 2, historyItems: 0, split });
  for (const [name, share] of Object.entries(split)) {
    const users = new Set(examples.filter((example) => example.split === name).map(({ user }) => user));
    expect(Math.abs(users.size - share * 200)).toBeLessThanOrEqual(3);
  }
  const splitsOf = new Map<string, Set<unknown>>();
  for (const { user, split } of examples) splitsOf.set(user, (splitsOf.get(user) ?? new Set()).add(split));
  expect([...splitsOf.values()].every((splits) => splits.size === 1)).toBe(true);
  expect(defaults.every((example) => !('split' in example))).toBe(true);
});

test.each<[keyof SimulationOptions, unknown]>([
  ['users', 0],
  ['users', 1.5],
  ['seed', 0.5],
  ['examplesPerUser', 0],
  ['historyItems', -1],
  ['historyItems', [3, 2]],
  ['strength', 1.1],
  ['noise', Number.NaN],
  ['confounding', -0.1],
  ['startIndex', -1],
  ['split', { train: 0.5, validation: 0.1, test: 0.1 }],
])('a wrong option is refused by name: %s = %j', (name, value) => {
  const options = { users: 1, [name]: value } as SimulationOptions;
  expect(() => simulate(options)).toThrow(ConfigError);
  expect(() => simulate(options)).toThrow(`simulation ${name}: expected`);
});
