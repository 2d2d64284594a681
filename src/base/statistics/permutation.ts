/** @file Paired permutation tests between systems: were the users' differences as likely to have the other sign? */
import { ConfigError } from '../errors.ts';
import { randomStream } from '../random.ts';
import { differencesByExample, type ExampleValue, meansOfUsers } from './by-user.ts';
import { type Alternative, pValues } from './p-value.ts';

export interface PermutationOptions {
  /** Seed of the drawn signs; default 0. */
  readonly seed?: number;
  /** Random sign patterns (default 9999); all patterns are used instead where there are no more than this. */
  readonly permutations?: number;
  /** Default `two-sided`. */
  readonly alternative?: Alternative;
}

/** The result of a permutation test. */
export interface PermutationTest {
  /** In (0, 1]. */
  readonly pValue: number;
  /** Sign patterns that were compared. */
  readonly permutations: number;
  /** Whether they are all there are. */
  readonly exact: boolean;
}

/**
 * Tests the mean over users of `system` − `baseline`. Under the null hypothesis the two systems may change places for
 * any user, so each user's mean difference may change its sign: all 2^U sign patterns for few users, a sample of them,
 * and the observed one, for many.
 * @throws {DataError} when the systems were not scored on the same examples
 * @throws {ConfigError} when `permutations` is not a whole number of at least 1
 */
export function pairedPermutationByUser(
  system: readonly ExampleValue[],
  baseline: readonly ExampleValue[],
  { seed = 0, permutations = 9999, alternative = 'two-sided' }: PermutationOptions = {},
): PermutationTest {
  if (!Number.isInteger(permutations) || permutations < 1)
    throw new ConfigError(`permutations: expected a whole number of at least 1, got ${permutations}`, {
      code: 'config/permutations',
    });
  const differences = meansOfUsers(differencesByExample(system, baseline));
  const users = differences.length;
  const mean = (sign: (user: number) => number) => {
    let sum = 0;
    for (let u = 0; u < users; u++) sum += sign(u) * differences[u]!;
    return sum / users;
  };
  const exact = 2 ** users <= permutations;
  const stream = randomStream(seed, 'statistics/permutation');
  const nullValues = Float64Array.from({ length: exact ? 2 ** users : permutations }, (_, pattern) =>
    exact ? mean((user) => ((pattern >> user) & 1 ? -1 : 1)) : mean(() => (stream.next() < 0.5 ? -1 : 1)),
  );
  const [pValue] = pValues([mean(() => 1)], nullValues, { alternative, exact });
  return { pValue: pValue!, permutations: nullValues.length, exact };
}
