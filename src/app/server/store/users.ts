/** @file Users of a store: made, changed, listed. */
import { DataError } from '../../../base/errors.ts';
import type { JsonObject, ListOptions, Page, StoredUser, UserChange } from '../store-contract.ts';
import type { Database, Row } from './database.ts';
import { checkId, jsonText } from './ids.ts';

/** A list is cut here, so that no call holds the thread for long. */
export const MOST_LISTED = 500;

const SELECT = `SELECT *, (SELECT count(*) FROM items WHERE items.user = users.id) AS items FROM users`;

export function userOf(db: Database, id: string): StoredUser | undefined {
  const row = db.get(`${SELECT} WHERE id = ?`, id);
  return row && asUser(row);
}

/** @throws {DataError} `store/user-not-found`, or `store/user-being-forgotten` */
export function activeUser(db: Database, id: string): StoredUser {
  const user = userOf(db, id);
  if (user === undefined) throw noUser(id);
  if (!user.forgetting) return user;
  throw new DataError(`user ${id}: expected one that may be changed, got one that is being forgotten`, {
    code: 'store/user-being-forgotten',
    hint: 'Try again when the forgetting has ended: the user is a new one then.',
  });
}

export function noUser(id: string): DataError {
  return new DataError(`user ${id.slice(0, 140)}: expected a user of the store, got an unknown one`, {
    code: 'store/user-not-found',
    hint: 'Add the user first, or correct the id.',
  });
}

/**
 * Changes a user, who is made where there is none.
 * @throws {DataError} `store/id`, `store/text`, `store/strength`, `store/user-being-forgotten`, `store/adapter-not-found` for an
 *   adapter that serves another user only
 */
export function putUser(db: Database, id: string, { adapter, strength, meta }: UserChange): StoredUser {
  checkId('user', id);
  if (typeof adapter === 'string') checkId('adapter', adapter);
  if (typeof strength === 'number' && !Number.isFinite(strength))
    throw new DataError(`user ${id}: strength: expected a finite number, got ${strength}`, {
      code: 'store/strength',
      hint: 'Give 0 for no history, 1 for the history as trained.',
    });
  const metaText = meta && jsonText(`user ${id}: meta`, meta);
  return db.transaction(() => {
    db.run('INSERT OR IGNORE INTO users (id, created) VALUES (?, ?)', id, new Date().toISOString());
    activeUser(db, id);
    if (typeof adapter === 'string') checkOwner(db, adapter, id);
    if (adapter !== undefined) db.run('UPDATE users SET adapter = ? WHERE id = ?', adapter, id);
    if (strength !== undefined) db.run('UPDATE users SET strength = ? WHERE id = ?', strength, id);
    if (metaText !== undefined) db.run('UPDATE users SET meta = ? WHERE id = ?', metaText, id);
    return userOf(db, id)!;
  });
}

/** Another user's adapter is told apart from none by nobody. */
function checkOwner(db: Database, adapter: string, user: string): void {
  const owner = db.get('SELECT owner FROM adapters WHERE name = ?', adapter)?.owner ?? null;
  if (owner !== null && owner !== user) throw noAdapter(adapter);
}

export function noAdapter(name: string): DataError {
  return new DataError(`adapter ${name.slice(0, 70)}: expected an adapter of the store, got an unknown one`, {
    code: 'store/adapter-not-found',
    hint: 'List the adapters for their names.',
  });
}

/** Users in the order of their ids. */
export function listUsers(
  db: Database,
  { limit, after = '', prefix = '' }: ListOptions & { readonly prefix?: string },
): Page<StoredUser> {
  // Ids are ASCII below DEL.
  const rows = db.all(
    `${SELECT} WHERE id > ? AND id >= ? AND id < ? || char(127) ORDER BY id LIMIT ?`,
    after,
    prefix,
    prefix,
    Math.min(limit, MOST_LISTED) + 1,
  );
  return pageOf(rows.map(asUser), limit);
}

/** A page of a list that was asked for one row more than the page holds. */
export function pageOf<T>(rows: readonly T[], limit: number): Page<T> {
  const count = Math.min(limit, MOST_LISTED);
  return { data: rows.slice(0, count), hasMore: rows.length > count };
}

function asUser(row: Row): StoredUser {
  return {
    id: row.id as string,
    ...(row.adapter !== null && { adapter: row.adapter as string }),
    ...(row.strength !== null && { strength: row.strength as number }),
    meta: JSON.parse(row.meta as string) as JsonObject,
    historyItems: row.items as number,
    historyVersion: row.history_version as number,
    created: row.created as string,
    forgetting: row.forgetting === 1,
  };
}
