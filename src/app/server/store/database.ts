/** @file The store's database: statements prepared once, transactions, and refusals of SQLite as errors of ours. */
import { DataError, EngineError } from '../../../base/errors.ts';
import { openSqlite, type SqliteValue, sqliteCodeOf } from './sqlite.ts';

export type Row = Readonly<Record<string, SqliteValue>>;

/** An open database. Every call is done when it returns; what a transaction wrote is then on disk. */
export interface Database extends Disposable {
  /** The file, or `:memory:`. */
  readonly path: string;
  /** Statements without values and results, such as a schema. */
  exec(sql: string): void;
  /** @returns how many rows were changed */
  run(sql: string, ...values: SqliteValue[]): number;
  get(sql: string, ...values: SqliteValue[]): Row | undefined;
  all(sql: string, ...values: SqliteValue[]): readonly Row[];
  /** Does all of it or nothing. */
  transaction<T>(work: () => T): T;
}

/**
 * Opens the file, or makes it.
 * @throws {DataError} `store/damaged` when it is no database
 * @throws {EngineError} `store/full`, `store/busy`, `store/unusable` by the reason; from every call
 */
export function openDatabase(path: string): Database {
  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw storeError(path, error);
    }
  };
  const sqlite = guarded(() => openSqlite(path));
  const statements = new Map<string, ReturnType<typeof sqlite.prepare>>();
  const prepared = (sql: string) => {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const made = sqlite.prepare(sql);
    statements.set(sql, made);
    return made;
  };
  return {
    path,
    exec: (sql) => guarded(() => sqlite.exec(sql)),
    run: (sql, ...values) => guarded(() => Number(prepared(sql).run(...values).changes)),
    get: (sql, ...values) => guarded(() => prepared(sql).get(...values) as Row | undefined),
    all: (sql, ...values) => guarded(() => prepared(sql).all(...values) as Row[]),
    transaction: (work) =>
      guarded(() => {
        sqlite.exec('BEGIN IMMEDIATE');
        try {
          const result = work();
          sqlite.exec('COMMIT');
          return result;
        } catch (error) {
          // A full disk rolls back by itself.
          if (sqlite.isTransaction) sqlite.exec('ROLLBACK');
          throw error;
        }
      }),
    [Symbol.dispose]: () => {
      statements.clear();
      sqlite.close();
    },
  };
}

const BUSY = 5;
const IO_ERROR = 10;
const CORRUPT = 11;
const FULL = 13;
const NOT_A_DATABASE = 26;

/** A refusal of SQLite by who must act; other errors pass unchanged. */
function storeError(path: string, error: unknown): unknown {
  const code = sqliteCodeOf(error);
  if (code === undefined) return error;
  const reason = (error as Error).message;
  const failure = (what: string, name: string, hint: string) =>
    new EngineError(`${path}: ${what}`, { code: name, hint, cause: error });
  // The memory that processes share is a file too: on a full disk it cannot grow, which SQLite tells as a failed operation.
  if (code === FULL || (code === IO_ERROR && /disk I\/O error/i.test(reason) && isGrowing(error)))
    return failure(
      'expected room for the change, got a full disk; nothing was changed',
      'store/full',
      'Free some space, and try again.',
    );
  if (code === BUSY)
    return failure(
      'expected a database that nobody else writes to, got one that another program holds',
      'store/busy',
      'Close the other program that has the store open, and try again.',
    );
  if (code === CORRUPT || code === NOT_A_DATABASE)
    return new DataError(
      `${path}: expected a database of a store, got a damaged or another file (${reason})`,
      {
        code: 'store/damaged',
        hint: 'Restore the store from a backup.',
        cause: error,
      },
    );
  return failure(
    `expected a database that can be used, got a refusal (${reason})`,
    'store/unusable',
    'Check that you may read and write the folder of the store.',
  );
}

/** Whether SQLite failed as it made a file larger: codes IOERR_WRITE, IOERR_TRUNCATE, IOERR_SHMOPEN, IOERR_SHMSIZE and IOERR_SHMMAP. */
function isGrowing(error: unknown): boolean {
  const { errcode } = error as { errcode?: number };
  return [3, 6, 18, 19, 21].includes((errcode ?? 0) >> 8);
}
