/** @file Histories of a store: items added all or none, safe to send again, in the order of time and then of arrival. */
import { ConfigError, DataError } from '../../../base/errors.ts';
import { canonicalJson, sha256 } from '../../../base/hash.ts';
import { readTime } from '../../../method/data/read-time.ts';
import { parseTime } from '../../../method/data/time.ts';
import type { JsonObject, ListOptions, NewItem, Page, StoredItem } from '../store-contract.ts';
import type { Database, Row } from './database.ts';
import { checkId, checkText, jsonText } from './ids.ts';
import { activeUser, MOST_LISTED, noUser, pageOf, userOf } from './users.ts';

export interface AddedItems {
  readonly added: number;
  readonly unchanged: number;
  readonly historyItems: number;
  readonly historyVersion: number;
}

/** Items of one user at most, by default. */
const MOST_ITEMS = 10_000;

/**
 * Adds items, all or none. One that is there with the same content counts as unchanged, so that a call may be sent again.
 * @throws {DataError} `store/item` with the place of the item, `store/item-conflict`, `store/limit`, `store/user-not-found`,
 *   `store/user-being-forgotten`
 */
export function addItems(
  db: Database,
  user: string,
  items: readonly NewItem[],
  { most = MOST_ITEMS }: { readonly most?: number } = {},
): AddedItems {
  const arrival = new Date().toISOString();
  const rows = items.map((item, place) => itemRow(item, place, arrival));
  return db.transaction(() => {
    const { historyItems, historyVersion } = activeUser(db, user);
    let seq =
      (db.get('SELECT coalesce(max(seq), 0) AS seq FROM items WHERE user = ?', user)!.seq as number) + 1;
    let added = 0;
    for (const { id, start, time, query, text, meta, hash } of rows) {
      const found = db.get('SELECT hash FROM items WHERE user = ? AND id = ?', user, id);
      if (found !== undefined && !Buffer.from(found.hash as Uint8Array).equals(hash)) throw conflict(id);
      if (found !== undefined) continue;
      db.run(
        'INSERT INTO items (user, id, seq, start, time, query, text, meta, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
        ...[user, id, seq++, start, time, query, text, meta, hash],
      );
      added++;
    }
    if (historyItems + added > most)
      throw new DataError(
        `user ${user}: expected at most ${most} items in all, got ${historyItems} and ${added} more`,
        { code: 'store/limit', hint: 'Remove items first, or raise the limit.' },
      );
    if (added > 0) db.run('UPDATE users SET history_version = history_version + 1 WHERE id = ?', user);
    return {
      added,
      unchanged: rows.length - added,
      historyItems: historyItems + added,
      historyVersion: historyVersion + (added > 0 ? 1 : 0),
    };
  });
}

interface ItemRow {
  readonly id: string;
  readonly start: number;
  readonly time: string;
  readonly query: string;
  readonly text: string;
  readonly meta: string | null;
  readonly hash: Buffer;
}

/** The hash is of what was given: an item without a time that is sent again later is the same item. */
function itemRow(item: NewItem, place: number, arrival: string): ItemRow {
  const where = `items[${place}]`;
  const { query = '', text, meta, time } = item;
  checkText(`${where}.text`, text);
  checkText(`${where}.query`, query);
  if (text.trim() === '')
    throw new DataError(`${where}.text: expected a text, got none`, {
      code: 'store/item',
      hint: 'Leave the item out: it says nothing of the user.',
    });
  const iso = time === undefined ? arrival : readTime(time)?.iso;
  if (iso === undefined)
    throw new DataError(
      `${where}.time: expected an ISO 8601 date or date-time, got ${JSON.stringify(time)}`,
      {
        code: 'store/item',
        hint: 'Write it as 2021-03-04 or 2021-03-04T10:00:00Z.',
      },
    );
  const metaText = meta === undefined ? null : jsonText(`${where}.meta`, meta);
  const content = canonicalJson([time === undefined ? null : iso, query, text, meta ?? null]);
  const hash = sha256(content);
  const id = item.id ?? hash;
  checkId('item', id);
  return {
    id,
    start: parseTime(iso)!.start,
    time: iso,
    query,
    text,
    meta: metaText,
    hash: Buffer.from(hash, 'hex'),
  };
}

function conflict(id: string): DataError {
  return new DataError(`item ${id}: expected a new item or the content that is stored, got another content`, {
    code: 'store/item-conflict',
    hint: 'Remove the stored item first, or choose another id.',
  });
}

/** The latest items, oldest first, with the version that they are of. @throws {DataError} `store/user-not-found` */
export function historyOf(
  db: Database,
  user: string,
  { latest = -1 }: { readonly latest?: number } = {},
): { readonly items: readonly StoredItem[]; readonly version: number } {
  const found = userOf(db, user);
  if (found === undefined) throw noUser(user);
  const rows = db.all(
    'SELECT * FROM items WHERE user = ? ORDER BY start DESC, seq DESC LIMIT ?',
    user,
    latest,
  );
  return { items: rows.map(asItem).reverse(), version: found.historyVersion };
}

/** Items page by page. @throws {DataError} `store/user-not-found`, `store/item-not-found` when `after` is none */
export function listItems(
  db: Database,
  user: string,
  { limit, after, order = 'oldest' }: ListOptions & { readonly order?: 'oldest' | 'newest' },
): Page<StoredItem> {
  if (limit < 1) throw new ConfigError(`limit: expected at least 1, got ${limit}`, { code: 'store/list' });
  if (userOf(db, user) === undefined) throw noUser(user);
  const [sign, direction] = order === 'oldest' ? ['>', 'ASC'] : ['<', 'DESC'];
  const last = after === undefined ? undefined : placeOf(db, user, after);
  const rows = db.all(
    `SELECT * FROM items WHERE user = ?${last ? ` AND (start, seq) ${sign} (?, ?)` : ''}
     ORDER BY start ${direction}, seq ${direction} LIMIT ?`,
    ...[user, ...(last ?? []), Math.min(limit, MOST_LISTED) + 1],
  );
  return pageOf(rows.map(asItem), limit);
}

function placeOf(db: Database, user: string, id: string): [start: number, seq: number] {
  const row = db.get('SELECT start, seq FROM items WHERE user = ? AND id = ?', user, id);
  if (row === undefined) throw noItem(user, id);
  return [row.start as number, row.seq as number];
}

export function noItem(user: string, id: string): DataError {
  return new DataError(`item ${id.slice(0, 70)}: expected an item of user ${user}, got an unknown one`, {
    code: 'store/item-not-found',
    hint: 'List the items of the user for their ids.',
  });
}

export function asItem(row: Row): StoredItem {
  return {
    id: row.id as string,
    time: row.time as string,
    query: row.query as string,
    text: row.text as string,
    ...(row.meta !== null && { meta: JSON.parse(row.meta as string) as JsonObject }),
  };
}
