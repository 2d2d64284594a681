/** @file The tables of a store, how SQLite keeps them, and how a store of an older version becomes one of this version. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { DataError } from '../../../base/errors.ts';
import type { Database } from './database.ts';

/**
 * WAL with FULL: what was committed outlives a kill and a power cut. Deleted rows are overwritten (secure_delete), and sorts never
 * write a text to a temporary file.
 */
const PRAGMAS = `
  PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON;
  PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;`;

/** `start` is the beginning of `time` in milliseconds since 1970: texts of times in two zones do not sort. */
const SCHEMA = `
  CREATE TABLE store (version INTEGER NOT NULL, created TEXT NOT NULL, salt BLOB NOT NULL, signing_key BLOB NOT NULL) STRICT;
  CREATE TABLE users (id TEXT PRIMARY KEY, adapter TEXT, strength REAL, history_version INTEGER NOT NULL DEFAULT 0,
    created TEXT NOT NULL, meta TEXT NOT NULL DEFAULT '{}', forgetting INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
  CREATE TABLE items (user TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE, id TEXT NOT NULL, seq INTEGER NOT NULL,
    start INTEGER NOT NULL, time TEXT NOT NULL, query TEXT NOT NULL, text TEXT NOT NULL, meta TEXT, hash BLOB NOT NULL,
    PRIMARY KEY (user, id)) STRICT;
  CREATE UNIQUE INDEX items_in_order ON items(user, start, seq);
  CREATE TABLE adapters (name TEXT PRIMARY KEY, hash TEXT NOT NULL, owner TEXT REFERENCES users(id) ON DELETE CASCADE,
    created TEXT NOT NULL, info TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE keys (hash BLOB PRIMARY KEY, role TEXT NOT NULL CHECK (role IN ('admin', 'app', 'user')),
    user TEXT REFERENCES users(id) ON DELETE CASCADE, name TEXT NOT NULL, created TEXT NOT NULL, expires TEXT, used TEXT,
    CHECK ((role = 'user') = (user IS NOT NULL))) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX keys_by_name ON keys(coalesce(user, ''), name);
  CREATE TABLE receipts (id TEXT PRIMARY KEY, time TEXT NOT NULL, body TEXT NOT NULL) STRICT, WITHOUT ROWID;`;

/** One step to the next version of the schema. */
export interface Migration {
  /** The version that the step makes. */
  readonly to: number;
  readonly sql: string;
}

const FIRST_VERSION = 1;

/** In order, each from the version before. A released one never changes. */
const MIGRATIONS: readonly Migration[] = [];

/** What a store says of itself. */
export interface StoreRecord {
  readonly version: number;
  readonly created: string;
  readonly salt: Uint8Array;
  /** Private key of ed25519, PKCS #8. */
  readonly signingKey: Uint8Array;
}

/**
 * Sets SQLite up, makes the tables of a new store, and brings an older one to this version: each step in a transaction, after a
 * backup beside the file, which is removed when the step is done.
 * @throws {DataError} `store/version` for a store of a newer version, `store/damaged` for another database
 */
export async function prepareSchema(db: Database, migrations = MIGRATIONS): Promise<StoreRecord> {
  db.exec(PRAGMAS);
  const tables = db.all("SELECT name FROM sqlite_schema WHERE type = 'table'").map(({ name }) => name);
  if (tables.length === 0) makeStore(db);
  else if (!tables.includes('store'))
    throw new DataError(
      `${db.path}: expected the database of a store, got another with ${tables.length} tables`,
      {
        code: 'store/damaged',
        hint: 'Name a folder of its own for the store.',
      },
    );
  const newest = migrations.at(-1)?.to ?? FIRST_VERSION;
  const { version } = storeRecord(db);
  if (version > newest)
    throw new DataError(`${db.path}: expected a store of version ${newest} at most, got version ${version}`, {
      code: 'store/version',
      hint: 'Update nextquill: a newer one has written this store.',
    });
  const backup = db.path === ':memory:' ? undefined : `${db.path}.before-upgrade`;
  for (const { to, sql } of migrations.filter((step) => step.to > version)) {
    if (backup !== undefined) {
      await rm(backup, { force: true });
      db.run('VACUUM INTO ?', backup);
    }
    db.transaction(() => {
      db.exec(sql);
      db.run('UPDATE store SET version = ?', to);
    });
  }
  // Also one that a kill has left: the transaction was done or undone by then.
  if (backup !== undefined) await rm(backup, { force: true });
  return storeRecord(db);
}

function makeStore(db: Database): void {
  const { privateKey } = generateKeyPairSync('ed25519');
  db.transaction(() => {
    db.exec(SCHEMA);
    db.run(
      'INSERT INTO store VALUES (?, ?, ?, ?)',
      FIRST_VERSION,
      new Date().toISOString(),
      randomBytes(32),
      privateKey.export({ type: 'pkcs8', format: 'der' }),
    );
  });
}

function storeRecord(db: Database): StoreRecord {
  const row = db.get('SELECT * FROM store');
  if (row === undefined)
    throw new DataError(`${db.path}: expected one row in the table store, got none`, {
      code: 'store/damaged',
      hint: 'Restore the store from a backup.',
    });
  return {
    version: row.version as number,
    created: row.created as string,
    salt: row.salt as Uint8Array,
    signingKey: row.signing_key as Uint8Array,
  };
}
