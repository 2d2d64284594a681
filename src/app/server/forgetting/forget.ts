/**
 * @file Forgetting with evidence: removes a user or an item in one transaction, empties the write-ahead log, searches every file
 * for what was removed, measures the effect again, and writes a signed receipt of all that.
 */
import { type FileHandle, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { syncFolder } from '../../../base/atomic-file.ts';
import { throwIfAborted } from '../../../base/errors.ts';
import { type AdapterPlace, allAdapters, removeUnnamed } from '../store/adapters.ts';
import type { Database } from '../store/database.ts';
import { asItem, historyOf, noItem } from '../store/items.ts';
import { keepReceipt, newReceiptId, pendingReceipts, signReceipt } from '../store/receipts.ts';
import { activeUser } from '../store/users.ts';
import type { ForgettingOptions, Receipt, StoredItem, StoredUser } from '../store-contract.ts';
import { searchFiles } from './file-search.ts';
import { effectAfter, effectOf, probesOf, sharedAdapters } from './measure.ts';
import { needlesOf, occurringElsewhere } from './needles.ts';

/** A store as forgetting works on it. */
export interface ForgettingPlace {
  readonly db: Database;
  /** All files of the store; those of a store in memory are its adapters. */
  readonly folder: string;
  readonly adapters: AdapterPlace;
  readonly signingKey: Uint8Array;
  pseudonym(user: string): string;
  /** The folder of scores that were computed for a user. */
  cacheFolder(user: string): string;
  /** Files of the database, open for as long as the store is. */
  databaseFiles(): Promise<ReadonlyMap<string, FileHandle>>;
  /** How long a reader of another program is waited for, which keeps deleted texts in the write-ahead log; milliseconds. */
  readonly readerTimeout: number;
}

/** What a receipt never covers. */
const NOT_COVERED = [
  'backups and snapshots',
  'copies given out by export',
  'freed blocks below the file system',
  'swap',
];

/**
 * Forgets a user: the user's items, keys, adapters and cached scores.
 * @throws {DataError} `store/user-not-found`, `store/user-being-forgotten`
 * @throws {AbortedError} before anything was removed: the user is then as before
 */
export async function forgetUser(
  place: ForgettingPlace,
  user: string,
  { measures, signal }: ForgettingOptions = {},
): Promise<Receipt> {
  const { db } = place;
  const found = db.transaction(() => {
    const active = activeUser(db, user);
    db.run('UPDATE users SET forgetting = 1 WHERE id = ?', user);
    return active;
  });
  let prepared: Prepared;
  try {
    await measures?.releaseUser(user);
    prepared = await prepare(place, found, { ...(measures && { measures }), ...(signal && { signal }) });
    throwIfAborted(signal);
  } catch (error) {
    db.run('UPDATE users SET forgetting = 0 WHERE id = ?', user);
    throw error;
  }
  return finish(place, user, removeUser(place, user, prepared), prepared, measures);
}

/** Forgets one item of a user. @throws {DataError} `store/item-not-found`, `store/user-not-found`, `store/user-being-forgotten` */
export async function forgetItem(
  place: ForgettingPlace,
  user: string,
  item: string,
  { measures }: ForgettingOptions = {},
): Promise<Receipt> {
  const { db } = place;
  activeUser(db, user);
  const items = historyOf(db, user).items.filter(({ id }) => id === item);
  if (items.length === 0) throw noItem(user, item);
  const prepared: Prepared = {
    items,
    probes: [],
    pieces: await needlesOf(db, user, items),
    before: undefined,
  };
  const pending = db.transaction(() => {
    const before = counts(db);
    if (db.run('DELETE FROM items WHERE user = ? AND id = ?', user, item) === 0) throw noItem(user, item);
    db.run('UPDATE users SET history_version = history_version + 1 WHERE id = ?', user);
    const removed = { items: 1, keys: 0, adapters: [], bytes: bytesOf(items) };
    return keepPending(place, user, removed, before, item);
  });
  await measures?.releaseUser(user);
  return finish(place, user, pending, prepared, undefined);
}

/** Finishes what a kill cut off: users that are marked, and receipts that are pending. To be done before a store is used. */
export async function finishForgettings(place: ForgettingPlace): Promise<void> {
  const { db } = place;
  for (const { id } of db.all('SELECT id FROM users WHERE forgetting = 1')) {
    db.run('UPDATE users SET forgetting = 0 WHERE id = ?', id as string);
    await forgetUser(place, id as string);
  }
  for (const receipt of pendingReceipts(db)) {
    await removeCache(place, String(receipt.user).slice(USER_PREFIX.length));
    // What the texts were is no longer known.
    if (await emptyLog(place))
      keep(place, { ...receipt, status: 'complete_without_search', search: 'interrupted' });
  }
}

interface Prepared {
  readonly items: readonly StoredItem[];
  readonly probes: ReturnType<typeof probesOf>;
  readonly pieces: Awaited<ReturnType<typeof needlesOf>>;
  readonly before: ReturnType<typeof effectOf> | undefined;
}

/** What must be known before the texts go. */
async function prepare(
  { db, adapters }: ForgettingPlace,
  user: StoredUser,
  { measures, signal }: ForgettingOptions,
): Promise<Prepared> {
  const { items } = historyOf(db, user.id);
  const probes = probesOf(items);
  const all = allAdapters(adapters);
  const adapter = all.find(({ name }) => name === user.adapter) ?? all.find(({ owner }) => owner === user.id);
  throwIfAborted(signal);
  const before =
    measures && probes.length > 0 ? effectOf(await measures.logProbabilities(probes, adapter)) : undefined;
  return { items, probes, pieces: await needlesOf(db, user.id, items, { id: user.id }), before };
}

interface Counts {
  readonly users: number;
  readonly items: number;
}

const counts = (db: Database): Counts => ({
  users: db.get('SELECT count(*) AS count FROM users')!.count as number,
  items: db.get('SELECT count(*) AS count FROM items')!.count as number,
});

const bytesOf = (items: readonly StoredItem[]) =>
  items.reduce((sum, { text, query }) => sum + Buffer.byteLength(text) + Buffer.byteLength(query), 0);

function removeUser(place: ForgettingPlace, user: string, { items }: Prepared): Receipt {
  const { db } = place;
  return db.transaction(() => {
    const before = counts(db);
    const keys = db.run('DELETE FROM keys WHERE user = ?', user);
    // The files go when the transaction is done.
    const adapters = db
      .all('SELECT hash FROM adapters WHERE owner = ?', user)
      .map(({ hash }) => hash as string);
    db.run('DELETE FROM adapters WHERE owner = ?', user);
    db.run('DELETE FROM items WHERE user = ?', user);
    db.run('DELETE FROM users WHERE id = ?', user);
    const removed = { items: items.length, keys, adapters, bytes: bytesOf(items) };
    return keepPending(place, user, removed, before);
  });
}

interface Removed {
  readonly items: number;
  readonly keys: number;
  /** Hashes. */
  readonly adapters: readonly string[];
  /** Of texts, and of files where there were some. */
  readonly bytes: number;
  readonly cacheFiles?: number;
}

const USER_PREFIX = 'hmac-sha256:';

/** The receipt as it is before the transaction ends: a kill after it leaves this. */
function keepPending(
  { db, pseudonym }: ForgettingPlace,
  user: string,
  removed: Removed,
  before: Counts,
  item?: string,
): Receipt {
  const after = counts(db);
  const receipt: Receipt = {
    object: 'nextquill.receipt',
    id: newReceiptId(),
    status: 'pending',
    user: `${USER_PREFIX}${pseudonym(user)}`,
    ...(item !== undefined && { item: `${USER_PREFIX}${pseudonym(item)}` }),
    time: new Date().toISOString(),
    removed,
    others: {
      usersBefore: before.users,
      usersAfter: after.users,
      itemsBefore: before.items,
      itemsAfter: after.items,
    },
    notCovered: NOT_COVERED,
  };
  keepReceipt(db, receipt);
  return receipt;
}

/** All that comes after the transaction. What goes wrong here is written into the receipt: the texts are gone. */
async function finish(
  place: ForgettingPlace,
  user: string,
  pending: Receipt,
  { items, probes, pieces, before }: Prepared,
  measures: ForgettingOptions['measures'],
): Promise<Receipt> {
  const { db, folder, adapters } = place;
  const removed = pending.removed as Removed;
  const problems: string[] = [];
  let evidence: object = {};
  try {
    for (const hash of removed.adapters) await removeUnnamed(adapters, hash);
    const cache = await removeCache(place, place.pseudonym(user));
    evidence = { removed: { ...removed, cacheFiles: cache.files, bytes: removed.bytes + cache.bytes } };
    const isEmpty = await emptyLog(place);
    if (!isEmpty)
      problems.push(
        'another program reads the database: deleted texts stay in its files until that has ended',
      );
    await measures?.releaseUser(user);
    const found = await searchFiles(folder, pieces.pieces, await place.databaseFiles());
    // Somebody may have written the same meanwhile.
    const suspects = [...new Set(found.hits.map(({ piece }) => piece))];
    const common = await occurringElsewhere(db, user, new Set(items.map(({ id }) => id)), suspects);
    const hits = found.hits.filter(({ piece }) => !common.has(piece));
    const files = [...new Set(hits.map(({ file }) => file))];
    if (hits.length > 0) problems.push(`pieces of the texts are still in ${files.join(', ')}`);
    const walBytes = await sizeOf(`${db.path}-wal`);
    evidence = {
      ...evidence,
      search: {
        files: found.files,
        bytes: found.bytes,
        needles: pieces.pieces.length,
        itemsWithoutNeedle: pieces.itemsWithout,
        hits: hits.length,
        ...(files.length > 0 && { filesWithHits: files }),
        walBytes,
      },
    };
    if (measures !== undefined && before !== undefined) {
      const held = db.all('SELECT * FROM items WHERE user = ?', user).map(asItem);
      const { after, equalsNewUser } = await effectAfter(probes, held, measures);
      evidence = { ...evidence, effect: { probes: probes.length, before, after, equalsNewUser } };
      if (!equalsNewUser || after.value !== 0)
        problems.push('the model still gives other numbers for the user than for a new one');
    }
    // An adapter that learnt from a user is not made for one item.
    if (pending.item === undefined) {
      const shared = await sharedAdapters(allAdapters(adapters), user, probes, db, measures);
      evidence = { ...evidence, sharedAdapters: shared };
    }
  } catch (error) {
    problems.push((error as Error).message);
  }
  return keep(place, {
    ...pending,
    ...evidence,
    status: problems.length === 0 ? 'complete' : 'incomplete',
    ...(problems.length > 0 && { problems }),
  });
}

function keep({ db, signingKey }: ForgettingPlace, receipt: Receipt): Receipt {
  const signed = signReceipt(receipt, signingKey);
  keepReceipt(db, signed);
  return signed;
}

/** Scores that were computed for a user hold the texts as token ids, which no search for text finds: the folder goes. */
async function removeCache(
  { folder, cacheFolder }: ForgettingPlace,
  pseudonym: string,
): Promise<{ readonly files: number; readonly bytes: number }> {
  const path = cacheFolder(pseudonym);
  const entries = await readdir(path, { withFileTypes: true, recursive: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile());
  let bytes = 0;
  for (const file of files) bytes += await sizeOf(join(file.parentPath, file.name));
  await rm(path, { recursive: true, force: true });
  await syncFolder(join(folder, 'effects'));
  return { files: files.length, bytes };
}

const sizeOf = (path: string) =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );

/** Moves all of the write-ahead log into the database and truncates it: what was overwritten is in neither. @returns whether it worked */
async function emptyLog({ db, readerTimeout }: ForgettingPlace): Promise<boolean> {
  const until = performance.now() + readerTimeout;
  for (;;) {
    if (db.get('PRAGMA wal_checkpoint(TRUNCATE)')!.busy === 0) return true;
    if (performance.now() > until) return false;
    await sleep(50);
  }
}
