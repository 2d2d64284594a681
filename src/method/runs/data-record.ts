/** @file What a manifest says of the data, and the comparison of data found later with it. */
import { CheckpointError } from '../../base/errors.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';
import { otherPrompts, type PromptPair } from '../prompts/pair.ts';
import type { DataRecord } from './manifest.ts';
import { trainedUsers } from './trained-users.ts';

/** Something that has an id and content: an example, or a pair of token ids by its place. */
interface Item {
  readonly id: string;
  readonly content: unknown;
}

/**
 * Ids and hashes of the items that a run trains on, and of the tokens that they became.
 * @param users who wrote the items, where that is known
 */
export function dataRecord(
  source: string,
  items: readonly Item[],
  pairs: readonly PromptPair[],
  users?: readonly string[],
): DataRecord {
  const hashes = items.map(({ content }) => sha256(canonicalJson(content)));
  const hash = sha256(hashes.join('\n'));
  return {
    source,
    hash,
    ...(users && { users: trainedUsers(users, hash) }),
    examples: items.map(({ id }) => id),
    exampleHashes: hashes.map((hash) => hash.slice(0, 12)),
    promptsHash: sha256(
      canonicalJson(
        pairs.map((pair) => [
          pair.withHistoryIds,
          pair.withoutHistoryIds,
          ...otherPrompts(pair),
          pair.responseIds,
        ]),
      ),
    ),
  };
}

/**
 * The items of a record out of what its source holds now, in the record's order.
 * @throws {CheckpointError} when one is gone
 */
export function recordedItems<T extends { readonly id: string }>(
  record: DataRecord,
  found: readonly T[],
): T[] {
  const byId = new Map(found.map((item) => [item.id, item]));
  const missing = record.examples.filter((id) => !byId.has(id));
  if (missing.length > 0)
    throw changed(
      record,
      `expected the run's ${record.examples.length} examples, got all but ${missing.length}, such as ${JSON.stringify(missing[0])}`,
    );
  return record.examples.map((id) => byId.get(id)!);
}

/** @throws {CheckpointError} saying what changed since the run began */
export function checkUnchanged(before: DataRecord, now: DataRecord): void {
  if (now.examples.length !== before.examples.length)
    throw changed(before, `expected ${before.examples.length} examples, got ${now.examples.length}`);
  const other = before.exampleHashes.flatMap((hash, i) =>
    hash === now.exampleHashes[i] && before.examples[i] === now.examples[i] ? [] : before.examples[i]!,
  );
  if (other.length > 0 || now.hash !== before.hash)
    throw changed(
      before,
      `expected the examples as they were when the run began, got ${other.length} changed, such as ${JSON.stringify(other[0])}`,
    );
  if (now.promptsHash !== before.promptsHash)
    throw changed(
      before,
      'expected the same token ids from the same examples, got others: the prompt template or the tokenizer has changed',
    );
}

function changed(record: DataRecord, what: string): CheckpointError {
  return new CheckpointError(`data ${record.source}: ${what}`, {
    code: 'run/data-changed',
    hint: 'Restore the data, or start a new run.',
  });
}
