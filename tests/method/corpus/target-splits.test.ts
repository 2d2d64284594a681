/** @file Tests of which texts are responses in which split: the paper's last ten, few texts, users held out. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { paperTargets, splitsOfTargets } from '../../../src/method/corpus/target-splits.ts';
import { splitOfUser } from '../../../src/method/data/splits.ts';

const time = { rule: 'time', counts: paperTargets, seed: 0, shares: {} } as const;

describe('splitsOfTargets', () => {
  it('takes the last ten: eight train, one validates, one tests', () => {
    const train = Array.from({ length: 8 }, () => 'train');
    expect(splitsOfTargets('u', 12, time)).toEqual([undefined, undefined, ...train, 'validation', 'test']);
  });

  it.each([
    [0, []],
    [1, ['train']],
    [2, ['train', 'test']],
    [3, ['train', 'validation', 'test']],
    [4, ['train', 'train', 'validation', 'test']],
  ])('gives a user of %i responses %j', (responses, splits) => {
    expect(splitsOfTargets('u', responses, time)).toEqual(splits);
  });

  it('never trains on a response later than one held out, whatever the counts', () => {
    const count = fc.integer({ min: 0, max: 4 });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 12 }),
        count,
        count,
        count,
        (responses, train, validation, test) => {
          fc.pre(train + validation + test > 0);
          const splits = splitsOfTargets('u', responses, { ...time, counts: { train, validation, test } });
          expect(splits).toHaveLength(responses);
          const order = splits.filter((split) => split !== undefined);
          expect(order).toEqual(
            order.toSorted((a, b) => rank.indexOf(a as string) - rank.indexOf(b as string)),
          );
          expect(order.filter((split) => split === 'test').length).toBeLessThanOrEqual(test);
        },
      ),
    );
  });

  it('holds users out, and of both neither a user nor a time', () => {
    const names = Array.from({ length: 60 }, (_, i) => `user ${i}`);
    for (const user of names) {
      const split = splitOfUser(user, 3);
      expect(splitsOfTargets(user, 3, { ...time, rule: 'user', seed: 3 })).toEqual([split, split, split]);
      const both = splitsOfTargets(user, 3, { ...time, rule: 'both', seed: 3 });
      expect(both.filter((each) => each !== 'other')).toEqual([split]);
    }
    expect(new Set(names.map((user) => splitOfUser(user, 3))).size).toBe(3);
  });
});

const rank = ['train', 'validation', 'test'];
