/**
 * @file The only file that imports SQLite. Its API is that of `node:sqlite`, which takes its place once Node 22.13 is the oldest
 * that is supported.
 */
import { DatabaseSync } from '@photostructure/sqlite';

/** What a column of a row holds. */
export type SqliteValue = null | number | string | Uint8Array;

/** The calls of an open database that the store makes. */
export interface Sqlite {
  readonly isTransaction: boolean;
  exec(sql: string): void;
  prepare(sql: string): SqliteStatement;
  close(): void;
}

interface SqliteStatement {
  run(...values: SqliteValue[]): { readonly changes: number | bigint };
  get(...values: SqliteValue[]): unknown;
  all(...values: SqliteValue[]): unknown[];
}

/** Opens a database file, which is made where it is missing; `:memory:` for none. */
export function openSqlite(path: string): Sqlite {
  return new DatabaseSync(path, { timeout: 200 }) as unknown as Sqlite;
}

/** The primary result code of SQLite in an error, such as 13 for a full disk; undefined for errors of others. */
export function sqliteCodeOf(error: unknown): number | undefined {
  const { errcode } = (error ?? {}) as { errcode?: unknown };
  return typeof errcode === 'number' ? errcode & 0xff : undefined;
}
