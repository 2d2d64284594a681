/** @file Which examples train and which are held out: rows of a split, and splits by user. */
import { DataError } from '../../base/errors.ts';
import { sha256 } from '../../base/hash.ts';
import type { Example, Split } from './example.ts';

/** Shares of users held out; the rest trains. */
export interface SplitShares {
  /** Default 0.1. */
  readonly validation?: number;
  /** Default 0.1. */
  readonly test?: number;
}

/**
 * The examples that training may see: the `train` rows where any example names a split, else all.
 * @throws {DataError} when there are splits but no train row
 */
export function forTraining(examples: readonly Example[]): readonly Example[] {
  return rowsOf(examples, 'train');
}

/**
 * The examples that choices between systems are made on: the `validation` rows where there are splits, else all.
 * @throws {DataError} when there are splits but no validation row
 */
export function forValidation(examples: readonly Example[]): readonly Example[] {
  return rowsOf(examples, 'validation');
}

/**
 * The examples that are scored: the `test` rows where any example names a split, else all.
 * @throws {DataError} when there are splits but no test row
 */
export function forEvaluation(examples: readonly Example[]): readonly Example[] {
  return rowsOf(examples, 'test');
}

/**
 * The split of a user: the same for every example of that user, whatever else is in the data.
 * @param seed another seed gives another split
 */
export function splitOfUser(user: string, seed: number, shares: SplitShares = {}): Split {
  const { validation = 0.1, test = 0.1 } = shares;
  const place = Number.parseInt(sha256(`${seed}/${user}`).slice(0, 12), 16) / 16 ** 12;
  if (place < test) return 'test';
  return place < test + validation ? 'validation' : 'train';
}

/** The examples with {@link splitOfUser} as their split, so that no user is in two. */
export function splitByUser(examples: readonly Example[], seed: number, shares: SplitShares = {}): Example[] {
  return examples.map((example) => ({ ...example, split: splitOfUser(example.user, seed, shares) }));
}

/**
 * At most `limit` examples, taken in turn from every user of every split, so that a small number still has many users;
 * their order stays.
 */
export function takeAcrossUsers(examples: readonly Example[], limit: number): Example[] {
  if (limit >= examples.length) return [...examples];
  const groups = new Map<string, number[]>();
  examples.forEach(({ user, split }, index) => {
    const key = JSON.stringify([user, split ?? null]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [index]);
    else group.push(index);
  });
  // Users spread by their hash: the first letters of names or the earliest presidents must not come first.
  const order = [...groups].map(([key, group]) => ({ place: sha256(key), group }));
  order.sort((a, b) => (a.place < b.place ? -1 : 1));
  const taken = new Set<number>();
  for (let round = 0; taken.size < limit; round++) {
    for (const { group } of order) {
      const index = group[round];
      if (index !== undefined && taken.size < limit) taken.add(index);
    }
  }
  return examples.filter((_, index) => taken.has(index));
}

function rowsOf(examples: readonly Example[], split: Split): readonly Example[] {
  if (examples.every((example) => example.split === undefined)) return examples;
  const rows = examples.filter((example) => example.split === split);
  if (rows.length === 0)
    throw new DataError(
      `examples: expected ${split} rows, got ${examples.length} rows of other splits or of none`,
      {
        code: 'data/empty-split',
        hint: `Give rows "split": "${split}", or name no split at all to use every row.`,
      },
    );
  return rows;
}
