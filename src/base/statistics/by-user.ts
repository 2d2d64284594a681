/** @file Means and paired differences by user, with intervals: users are drawn, so a user with many texts counts once. */
import { DataError } from '../errors.ts';
import { type BootstrapOptions, bootstrapUsers } from './bootstrap.ts';
import { type Estimate, requireFinite } from './estimate.ts';

/** A value measured on something of a user. */
export interface UserValue {
  readonly user: string;
  readonly value: number;
}

/** A value of one system on one example; `example` pairs it with another system's. */
export interface ExampleValue extends UserValue {
  readonly example: string;
}

/**
 * The groups of users in the order of their names: what is drawn by place, such as a resample, then does not depend on the
 * order of the rows.
 */
export function inOrderOfUsers<T>(groups: ReadonlyMap<string, T>): [user: string, group: T][] {
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The mean of each user's values, users in the order of their names; f64[U]. @throws {DataError} when there are no rows or a value is not finite */
export function meansOfUsers(rows: readonly UserValue[]): Float64Array {
  requireFinite(
    'mean by user',
    rows.map((row) => row.value),
  );
  const sums = new Map<string, { sum: number; count: number }>();
  for (const { user, value } of rows) {
    const entry = sums.get(user) ?? { sum: 0, count: 0 };
    entry.sum += value;
    entry.count += 1;
    sums.set(user, entry);
  }
  return Float64Array.from(inOrderOfUsers(sums), ([, { sum, count }]) => sum / count);
}

/**
 * The mean over users of each user's mean, with a bootstrap interval over users.
 * @param rows at least one; a user with many rows counts as much as a user with one
 * @throws {DataError} when there are no rows or a value is not finite
 */
export function meanByUser(rows: readonly UserValue[], options: BootstrapOptions = {}): Estimate {
  const means = meansOfUsers(rows);
  const meanOf = (counts: Int32Array) => {
    let total = 0;
    let drawn = 0;
    for (let u = 0; u < means.length; u++) {
      total += counts[u]! * means[u]!;
      drawn += counts[u]!;
    }
    return total / drawn;
  };
  return bootstrapUsers(means.length, meanOf, options);
}

/**
 * The mean over users of `system` − `baseline`, joined by example, with a bootstrap interval over users.
 * @throws {DataError} as {@link differencesByExample}
 */
export function pairedDifferenceByUser(
  system: readonly ExampleValue[],
  baseline: readonly ExampleValue[],
  options: BootstrapOptions = {},
): Estimate {
  return meanByUser(differencesByExample(system, baseline), options);
}

/**
 * How large one measure is beside another: the mean over users of the first over the mean over users of the second, with
 * a bootstrap interval over users.
 * @param part rows of the measure above the line
 * @param whole rows of the measure below it, whose mean must not be 0, for the same examples
 * @throws {DataError} when an example is missing on one side, occurs twice, or belongs to different users
 */
export function shareByUser(
  part: readonly ExampleValue[],
  whole: readonly ExampleValue[],
  options: BootstrapOptions = {},
): Estimate {
  const pairs = pairedByExample(part, whole);
  const parts = meansOfUsers(pairs.map(({ user, values }) => ({ user, value: values[0] })));
  const wholes = meansOfUsers(pairs.map(({ user, values }) => ({ user, value: values[1] })));
  const share = (counts: Int32Array) => {
    let above = 0;
    let below = 0;
    for (let u = 0; u < counts.length; u++) {
      above += counts[u]! * parts[u]!;
      below += counts[u]! * wholes[u]!;
    }
    return above / below;
  };
  return bootstrapUsers(parts.length, share, options);
}

/**
 * `system` − `baseline` of each example, in the order of `system`.
 * @param system rows of one system, one for each example
 * @param baseline rows of the other, for the same examples in any order
 * @throws {DataError} when an example is missing on one side, occurs twice, or belongs to different users
 */
export function differencesByExample(
  system: readonly ExampleValue[],
  baseline: readonly ExampleValue[],
): UserValue[] {
  return pairedByExample(system, baseline).map(({ user, values: [mine, other] }) => ({
    user,
    value: mine - other,
  }));
}

function pairedByExample(
  system: readonly ExampleValue[],
  baseline: readonly ExampleValue[],
): { user: string; values: readonly [number, number] }[] {
  const others = rowsByExample('baseline', baseline);
  const mine = rowsByExample('system', system);
  for (const example of others.keys()) if (!mine.has(example)) throw unpaired(example, 'system');
  return system.map(({ example, user, value }) => {
    const other = others.get(example);
    if (other === undefined) throw unpaired(example, 'baseline');
    if (other.user !== user) {
      throw new DataError(
        `paired difference: example "${example}": expected one user, got "${user}" and "${other.user}"`,
        { code: 'data/pairing', hint: 'Score both systems on the same file of examples.' },
      );
    }
    return { user, values: [value, other.value] };
  });
}

function rowsByExample(side: string, rows: readonly ExampleValue[]): Map<string, ExampleValue> {
  const byExample = new Map<string, ExampleValue>();
  for (const row of rows) {
    if (byExample.has(row.example)) {
      throw new DataError(
        `paired difference: ${side}: expected each example once, got "${row.example}" twice`,
        {
          code: 'data/duplicate',
          hint: 'Give one value for each example and system.',
        },
      );
    }
    byExample.set(row.example, row);
  }
  return byExample;
}

function unpaired(example: string, side: string): DataError {
  return new DataError(`paired difference: example "${example}": expected a row of the ${side}, got none`, {
    code: 'data/pairing',
    hint: 'Score both systems on the same file of examples.',
  });
}
