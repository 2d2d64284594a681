/** @file Stores in and out: all that is held of users as lines, histories of examples, and a backup as a folder. */
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFolderAtomically } from '../../../base/atomic-folder.ts';
import { DataError } from '../../../base/errors.ts';
import type { Example } from '../../../method/data/example.ts';
import type { Line } from '../../../method/data/lines.ts';
import type { NewItem, Store, StoredItem, StoredUser } from '../store-contract.ts';
import { DATABASE_FILE, type OpenedStore } from './store.ts';
import { noUser } from './users.ts';

/** A line of an export: a user, and after it each of the user's items, oldest first. */
export type ExportLine =
  | ({ readonly type: 'user' } & Pick<StoredUser, 'id' | 'adapter' | 'strength' | 'meta' | 'created'>)
  | ({ readonly type: 'item'; readonly user: string } & StoredItem);

const PAGE = 500;

/** Everything that is held of a user, or of all. Keys and receipts stay. @throws {DataError} `store/user-not-found` */
export function* exportLines(store: Store, user?: string): Generator<ExportLine> {
  for (const { id, adapter, strength, meta, created } of usersOf(store, user)) {
    yield {
      type: 'user',
      id,
      ...(adapter !== undefined && { adapter }),
      ...(strength !== undefined && { strength }),
      meta,
      created,
    };
    for (let after: string | undefined; ; ) {
      const { data, hasMore } = store.items(id, { limit: PAGE, ...(after !== undefined && { after }) });
      for (const item of data) yield { type: 'item', user: id, ...item };
      after = data.at(-1)?.id;
      if (!hasMore) break;
    }
  }
}

function* usersOf(store: Store, user: string | undefined): Generator<StoredUser> {
  if (user !== undefined) {
    const found = store.user(user);
    if (found === undefined) throw noUser(user);
    yield found;
    return;
  }
  for (let after = ''; ; ) {
    const { data, hasMore } = store.users({ limit: PAGE, after });
    yield* data;
    after = data.at(-1)?.id ?? after;
    if (!hasMore) return;
  }
}

/** What an import did. */
export interface Imported {
  readonly users: number;
  readonly added: number;
  readonly unchanged: number;
}

/**
 * Reads the lines of an export into a store. An import that was cut off may be repeated.
 * @param where names the lines in errors
 * @throws {DataError} `store/import` for a line that is none, and what {@link Store.addItems} throws; lines before it are in
 */
export async function importLines(
  store: Store,
  lines: AsyncIterable<Line>,
  where: string,
): Promise<Imported> {
  const imported = { users: 0, added: 0, unchanged: 0 };
  let waiting: NewItem[] = [];
  let owner: string | undefined;
  const write = () => {
    if (owner === undefined || waiting.length === 0) return;
    const { added, unchanged } = store.addItems(owner, waiting, { most: Number.POSITIVE_INFINITY });
    imported.added += added;
    imported.unchanged += unchanged;
    waiting = [];
  };
  for await (const { number, text } of lines) {
    const read = lineOf(text, `${where}:${number}`);
    const { type } = read;
    if (type === 'user') {
      write();
      const { id, adapter = null, strength = null, meta } = read;
      store.putUser(id, { strength, meta, ...(adapter !== null && { adapter }) });
      owner = id;
      imported.users += 1;
    } else {
      const { type: _, user, ...item } = read;
      if (user !== owner || waiting.length >= PAGE) write();
      owner = user;
      waiting.push(item);
    }
  }
  write();
  return imported;
}

function lineOf(line: string, where: string): ExportLine {
  const fail = (got: string) =>
    new DataError(`${where}: expected a user or an item of an export, got ${got}`, {
      code: 'store/import',
      hint: 'Import what "nextquill store export" wrote, or examples by --data.',
    });
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw fail('no JSON');
  }
  const read = (value ?? {}) as Record<string, unknown>;
  const texts = read.type === 'user' ? ['id'] : ['user', 'id', 'time', 'query', 'text'];
  if (read.type !== 'user' && read.type !== 'item') throw fail('another object');
  const missing = texts.find((key) => typeof read[key] !== 'string');
  if (missing !== undefined) throw fail(`one without "${missing}"`);
  return value as ExportLine;
}

/**
 * The histories of examples into a store: each text of a user once, under the hash of its content.
 * @param withResponses adds the responses, which the users wrote too
 */
export function importExamples(
  store: Store,
  examples: readonly Example[],
  { withResponses = false }: { readonly withResponses?: boolean } = {},
): Imported {
  const byUser = new Map<string, NewItem[]>();
  for (const { user, history, time, query, response } of examples) {
    const items = byUser.get(user) ?? [];
    byUser.set(user, items);
    for (const item of history) items.push(withTime(item.time, item.query, item.text));
    if (withResponses) items.push(withTime(time, query, response));
  }
  const imported = { users: byUser.size, added: 0, unchanged: 0 };
  for (const [user, items] of byUser) {
    store.putUser(user, {});
    const { added, unchanged } = store.addItems(user, items);
    imported.added += added;
    imported.unchanged += unchanged;
  }
  return imported;
}

const withTime = (time: string | undefined, query: string, text: string): NewItem => ({
  ...(time !== undefined && { time }),
  query,
  text,
});

/** Copies an open store into a new folder, whole or not at all: it is one that can be opened. @throws {EngineError} `file/disk-full` */
export async function backUp({ db, adapterPlace }: OpenedStore, folder: string): Promise<void> {
  await writeFolderAtomically(folder, async (temporary) => {
    db.run('VACUUM INTO ?', join(temporary, DATABASE_FILE));
    await mkdir(join(temporary, 'effects'));
    await cp(adapterPlace.folder, join(temporary, 'adapters'), { recursive: true });
  });
}
