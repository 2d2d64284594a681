/** @file A store opened: one process at a time, its schema brought up to date, what a kill cut off finished. */
import { createHmac } from 'node:crypto';
import { chmod, type FileHandle, mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { makeFolder } from '../../../base/atomic-folder.ts';
import { makeCacheFolder } from '../../../base/cache-folder.ts';
import { CheckpointError, DataError } from '../../../base/errors.ts';
import { lockFolder } from '../../../base/folder-lock.ts';
import { type ForgettingPlace, finishForgettings, forgetItem, forgetUser } from '../forgetting/forget.ts';
import type { Store } from '../store-contract.ts';
import {
  type AdapterPlace,
  adapterFaults,
  adapterNamed,
  allAdapters,
  putAdapter,
  removeAdapterName,
  removeOrphans,
  removeUnnamed,
} from './adapters.ts';
import { type Database, openDatabase } from './database.ts';
import { addItems, historyOf, listItems } from './items.ts';
import { addKey, authenticate, keysOf, removeKey } from './keys.ts';
import { receiptOf } from './receipts.ts';
import { prepareSchema } from './schema.ts';
import { listUsers, putUser, userOf } from './users.ts';

export const DATABASE_FILE = 'nextquill.db';
const ADAPTERS = 'adapters';
const EFFECTS = 'effects';

/** A store with what its administrator does. */
export interface OpenedStore extends Store {
  readonly db: Database;
  readonly adapterPlace: AdapterPlace;
  /** What is wrong with the store, one sentence each. */
  check(): Promise<string[]>;
}

export interface StoreOptions {
  /** How long a forgetting waits for another program that reads the database, milliseconds; a minute by default. */
  readonly readerTimeout?: number;
}

/**
 * Opens a store, which is made where there is none; without a folder one in memory, which ends with the process.
 * @throws {CheckpointError} `store/locked` when another process has it open
 * @throws {DataError} `store/damaged`, `store/version`, `store/other-folder` for a folder with other files
 * @throws {EngineError} `store/full`, `store/unusable`, `file/cannot-write`
 */
export async function openStore(folder?: string, options: StoreOptions = {}): Promise<OpenedStore> {
  const opened: (() => PromiseLike<void> | void)[] = [];
  const close = async () => {
    for (const release of opened.splice(0).reverse()) await release();
  };
  try {
    return await openFolder(folder, options, opened, close);
  } catch (error) {
    await close();
    throw error;
  }
}

/** @param opened what is to be closed, the last first */
async function openFolder(
  folder: string | undefined,
  options: StoreOptions,
  opened: (() => PromiseLike<void> | void)[],
  close: () => Promise<void>,
): Promise<OpenedStore> {
  const root = folder === undefined ? await mkdtemp(join(tmpdir(), 'nextquill-store-')) : resolve(folder);
  if (folder === undefined) opened.push(() => rm(root, { recursive: true, force: true }));
  else {
    await checkFolder(root);
    await makeFolder(root, 0o700);
    const lock = await lockFolder(root, (owner, path) => locked(root, owner, path));
    opened.push(() => lock[Symbol.asyncDispose]());
  }
  const adapters = join(root, ADAPTERS);
  await makeCacheFolder(adapters);
  await makeCacheFolder(join(root, EFFECTS));
  const path = folder === undefined ? ':memory:' : join(root, DATABASE_FILE);
  const handles = keptHandles(path);
  // Closed after the database: see searchFiles.
  opened.push(handles.close);
  const db = openDatabase(path);
  opened.push(() => db[Symbol.dispose]());
  const record = await prepareSchema(db);
  if (folder !== undefined) await chmod(path, 0o600);
  const adapterPlace: AdapterPlace = { db, folder: adapters };
  const pseudonym = (user: string) => createHmac('sha256', record.salt).update(user).digest('hex');
  const place: ForgettingPlace = {
    db,
    folder: root,
    adapters: adapterPlace,
    signingKey: record.signingKey,
    pseudonym,
    cacheFolder: (name) => join(root, EFFECTS, name),
    databaseFiles: handles.open,
    readerTimeout: options.readerTimeout ?? 60_000,
  };
  await removeOrphans(adapterPlace);
  await finishForgettings(place);
  const inTurn = turns();
  return {
    ...(folder !== undefined && { folder: root }),
    db,
    adapterPlace,
    pseudonym,
    counts: () => {
      const row = db.get(
        'SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM items) AS items',
      )!;
      return { users: row.users as number, items: row.items as number };
    },
    effectsFolder: (user) => join(root, EFFECTS, pseudonym(user)),
    user: (id) => userOf(db, id),
    putUser: (id, change) => putUser(db, id, change),
    users: (list) => listUsers(db, list),
    history: (user, some) => historyOf(db, user, some),
    items: (user, list) => listItems(db, user, list),
    addItems: (user, items, some) => addItems(db, user, items, some),
    removeItem: (user, item, some) => inTurn(() => forgetItem(place, user, item, some)),
    forgetUser: (user, some) => inTurn(() => forgetUser(place, user, some)),
    receipt: (id) => receiptOf(db, id),
    authenticate: (token) => authenticate(db, token),
    addKey: (key) => addKey(db, key),
    keys: (user) => keysOf(db, user),
    removeKey: (name, user) => removeKey(db, name, user),
    adapters: () => allAdapters(adapterPlace),
    adapter: (name) => adapterNamed(adapterPlace, name),
    putAdapter: (adapter) => inTurn(() => putAdapter(adapterPlace, adapter)),
    removeAdapter: async (name) => removeAdapterName(adapterPlace, name),
    releaseAdapter: (hash) => inTurn(async () => void (await removeUnnamed(adapterPlace, hash))),
    check: async () => [...databaseFaults(db), ...(await adapterFaults(adapterPlace))],
    [Symbol.asyncDispose]: () => inTurn(close),
  };
}

/** A folder of something else is not made a store. */
async function checkFolder(root: string): Promise<void> {
  const names = await readdir(root).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    if (error.code === 'ENOTDIR') return ['a file'];
    throw error;
  });
  const isOurs = (name: string) =>
    name.startsWith(DATABASE_FILE) || name.startsWith('.lock-') || name === ADAPTERS || name === EFFECTS;
  const other = names.find((name) => !isOurs(name));
  if (other === undefined) return;
  throw new DataError(`${root}: expected a new folder or that of a store, got one that holds ${other}`, {
    code: 'store/other-folder',
    hint: 'Name a folder of its own for the store.',
  });
}

function locked(folder: string, owner: string, lock: string): CheckpointError {
  return new CheckpointError(`${folder}: expected a store that nobody has open, got one that ${owner} has`, {
    code: 'store/locked',
    hint: `Stop that process, or ask its server instead; if it is not using the store, remove ${lock}.`,
  });
}

/** Work that is done one piece after the other. */
function turns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work);
    last = next.catch(() => undefined);
    return next;
  };
}

/** Handles to the files of the database that SQLite locks, opened once. */
function keptHandles(path: string) {
  const handles = new Map<string, FileHandle>();
  return {
    open: async (): Promise<ReadonlyMap<string, FileHandle>> => {
      if (path === ':memory:') return handles;
      for (const file of [path, `${path}-shm`])
        if (!handles.has(file)) handles.set(file, await open(file, 'r'));
      return handles;
    },
    close: async () => {
      for (const handle of handles.values()) await handle.close();
    },
  };
}

function databaseFaults(db: Database): string[] {
  const integrity = db.all('PRAGMA integrity_check').map((row) => String(row.integrity_check));
  const foreign = db
    .all('PRAGMA foreign_key_check')
    .map(({ table }) => `a row of ${table} belongs to no user`);
  return [...integrity.filter((line) => line !== 'ok'), ...foreign].map(
    (line) => `${DATABASE_FILE}: ${line}`,
  );
}
