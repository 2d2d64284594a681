/** @file Keys of a store: shown once, kept as hashes, each with its role. */
import { createHash, randomBytes } from 'node:crypto';
import { DataError } from '../../../base/errors.ts';
import { readTime } from '../../../method/data/read-time.ts';
import type { KeyRole, StoredKey } from '../store-contract.ts';
import type { Database, Row } from './database.ts';
import { checkId } from './ids.ts';
import { activeUser } from './users.ts';

const TOKEN = /^nq_[A-Za-z0-9_-]{43}$/;

const hashOf = (token: string) => createHash('sha256').update(token).digest();

/**
 * Makes a key.
 * @returns the token, of which the store keeps only the hash
 * @throws {DataError} `store/id`, `store/key-exists`, `store/key` for a role and user or an expiry that do not fit,
 *   `store/user-not-found`
 */
export function addKey(
  db: Database,
  { role, user, name, expires }: Pick<StoredKey, 'role' | 'user' | 'name' | 'expires'>,
): { readonly token: string; readonly key: StoredKey } {
  checkId('key', name);
  if ((role === 'user') !== (user !== undefined))
    throw new DataError(
      `key ${name}: expected a user with the role user and with no other, got the role ${role} ${user === undefined ? 'without a user' : 'with one'}`,
      { code: 'store/key', hint: 'Name the user of a key with the role user.' },
    );
  const until = expires === undefined ? undefined : readTime(expires)?.iso;
  if (expires !== undefined && until === undefined)
    throw new DataError(
      `key ${name}: expires: expected an ISO 8601 date or date-time, got ${JSON.stringify(expires)}`,
      {
        code: 'store/key',
        hint: 'Write it as 2027-01-31T00:00:00Z.',
      },
    );
  const token = `nq_${randomBytes(32).toString('base64url')}`;
  return db.transaction(() => {
    if (user !== undefined) activeUser(db, user);
    const namesake = db.get("SELECT 1 FROM keys WHERE coalesce(user, '') = ? AND name = ?", user ?? '', name);
    if (namesake !== undefined)
      throw new DataError(`key ${name}: expected a name that no other key has, got one in use`, {
        code: 'store/key-exists',
        hint: 'Remove the other key first, or choose another name.',
      });
    db.run(
      'INSERT INTO keys (hash, role, user, name, created, expires) VALUES (?, ?, ?, ?, ?, ?)',
      ...[hashOf(token), role, user ?? null, name, new Date().toISOString(), until ?? null],
    );
    return { token, key: asKey(db.get('SELECT * FROM keys WHERE hash = ?', hashOf(token))!) };
  });
}

/** The key of a token, an expired one too; notes the day of its use. */
export function authenticate(db: Database, token: string): StoredKey | undefined {
  if (!TOKEN.test(token)) return undefined;
  const hash = hashOf(token);
  const row = db.get('SELECT * FROM keys WHERE hash = ?', hash);
  const today = new Date().toISOString().slice(0, 10);
  if (row !== undefined && row.used !== today) noteUse(db, hash, today);
  return row && asKey(row);
}

/** On a full disk the day of the use is not written, and the key works. */
function noteUse(db: Database, hash: Uint8Array, today: string): void {
  try {
    db.run('UPDATE keys SET used = ? WHERE hash = ?', today, hash);
  } catch (error) {
    if ((error as { code?: string }).code !== 'store/full') throw error;
  }
}

/** Keys in the order of their names: of one user, or of the roles admin and app. */
export function keysOf(db: Database, user?: string): readonly StoredKey[] {
  const rows =
    user === undefined
      ? db.all('SELECT * FROM keys WHERE user IS NULL ORDER BY name')
      : db.all('SELECT * FROM keys WHERE user = ? ORDER BY name', user);
  return rows.map(asKey);
}

/** @throws {DataError} `store/key-not-found` */
export function removeKey(db: Database, name: string, user?: string): void {
  if (db.run("DELETE FROM keys WHERE coalesce(user, '') = ? AND name = ?", user ?? '', name) > 0) return;
  throw new DataError(
    `key ${name}: expected the name of a key${user === undefined ? '' : ` of user ${user}`}, got an unknown one`,
    {
      code: 'store/key-not-found',
      hint: 'List the keys for their names.',
    },
  );
}

function asKey(row: Row): StoredKey {
  return {
    role: row.role as KeyRole,
    ...(row.user !== null && { user: row.user as string }),
    name: row.name as string,
    created: row.created as string,
    ...(row.expires !== null && { expires: row.expires as string }),
    ...(row.used !== null && { used: row.used as string }),
  };
}
