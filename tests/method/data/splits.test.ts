/** @file Tests of splits: which rows train and are scored, and that no user is in two splits. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../../src/base/errors.ts';
import type { Example, Split } from '../../../src/method/data/example.ts';
import {
  forEvaluation,
  forTraining,
  forValidation,
  splitByUser,
  takeAcrossUsers,
} from '../../../src/method/data/splits.ts';

const example = (id: string, user: string, split?: Split): Example => ({
  id,
  user,
  query: 'q',
  response: 'r',
  history: [],
  ...(split && { split }),
});
const ids = (examples: readonly Example[]) => examples.map(({ id }) => id);

describe('rows of a split', () => {
  it('are those that name it where any row names a split, and all rows otherwise', () => {
    const split = [
      example('a', 'u', 'train'),
      example('b', 'u', 'validation'),
      example('c', 'u', 'test'),
      example('d', 'u'),
    ];
    expect(ids(forTraining(split))).toEqual(['a']);
    expect(ids(forValidation(split))).toEqual(['b']);
    expect(ids(forEvaluation(split))).toEqual(['c']);
    const plain = [example('a', 'u'), example('b', 'v')];
    expect(ids(forTraining(plain))).toEqual(['a', 'b']);
    expect(ids(forEvaluation(plain))).toEqual(['a', 'b']);
  });

  it('are an error where there are splits but not this one', () => {
    expect(() => forEvaluation([example('a', 'u', 'train')])).toThrow(DataError);
    expect(() => forEvaluation([example('a', 'u', 'train')])).toThrow(
      'examples: expected test rows, got 1 rows of other splits or of none',
    );
  });
});

describe('splitByUser', () => {
  const examples = fc.array(
    fc.tuple(fc.string(), fc.nat(30)).map(([id, user]) => example(id, `user ${user}`)),
    { minLength: 1 },
  );

  it('puts no user in two splits, whatever the order and the other users', () => {
    fc.assert(
      fc.property(examples, fc.integer(), (list, seed) => {
        const splits = new Map<string, Split>();
        for (const { user, split } of splitByUser(list, seed)) {
          expect(splits.get(user) ?? split).toBe(split);
          splits.set(user, split!);
        }
        for (const { user, split } of splitByUser(list.toReversed().slice(0, 5), seed))
          expect(split).toBe(splits.get(user));
      }),
    );
  });

  it('holds out the shares that are asked for', () => {
    const many = Array.from({ length: 4000 }, (_, i) => example(`${i}`, `user ${i}`));
    const split = splitByUser(many, 7, { validation: 0.2, test: 0.3 });
    const share = (name: Split) => split.filter((row) => row.split === name).length / many.length;
    // Four standard deviations of a share of 4,000 draws are below 0.03.
    expect(Math.abs(share('validation') - 0.2)).toBeLessThan(0.03);
    expect(Math.abs(share('test') - 0.3)).toBeLessThan(0.03);
  });
});

describe('takeAcrossUsers', () => {
  it('takes as many as asked, in order, from as many users as there can be', () => {
    const list = ['u', 'v', 'w'].flatMap((user) => [1, 2, 3].map((i) => example(`${user}${i}`, user)));
    expect(new Set(takeAcrossUsers(list, 3).map(({ user }) => user)).size).toBe(3);
    expect(ids(takeAcrossUsers(list, 6))).toEqual(['u1', 'u2', 'v1', 'v2', 'w1', 'w2']);
    expect(takeAcrossUsers(list, 99)).toEqual(list);
    expect(takeAcrossUsers(list, 5)).toHaveLength(5);
  });

  it('takes from every split of a user', () => {
    const list = [example('a', 'u', 'train'), example('b', 'u', 'train'), example('c', 'u', 'test')];
    expect(ids(takeAcrossUsers(list, 2))).toEqual(['a', 'c']);
  });
});
