/** @file Texts grouped and sorted out of core by DuckDB, an optional package that is loaded when a source is too big for memory. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { ConfigError, EngineError } from '../../base/errors.ts';
import type { UserText } from '../../method/corpus/user-text.ts';
import { type AboutItem, type StoredText, sortTime, type TextStore } from './text-store.ts';

export interface DuckdbStoreOptions {
  /** Bytes that DuckDB may use; it sorts on disk beyond. */
  readonly memory: number;
  readonly threads: number;
}

/** DuckDB does no work with less. */
const LEAST_MEMORY = 128 * 2 ** 20;

/** Rows that go to DuckDB at once. */
const CHUNK = 2048;

/**
 * A store in a temporary folder, which holds the texts until it is disposed.
 * @throws {ConfigError} when the package is not installed
 */
export async function duckdbStore({ memory, threads }: DuckdbStoreOptions): Promise<TextStore> {
  const duckdb = await loadDuckdb();
  const folder = await mkdtemp(join(tmpdir(), 'nextquill-data-'));
  const instance = await duckdb.DuckDBInstance.create(join(folder, 'texts.duckdb'), {
    memory_limit: `${Math.floor(Math.max(memory, LEAST_MEMORY) / 2 ** 20)}MiB`,
    threads: String(threads),
    temp_directory: join(folder, 'spill'),
    preserve_insertion_order: 'false',
  });
  const connection = await instance.connect();
  await connection.run(
    'CREATE TABLE texts (person VARCHAR, start DOUBLE, place DOUBLE, about VARCHAR, content VARCHAR)',
  );
  await connection.run('CREATE TABLE items (about VARCHAR, place DOUBLE, fields VARCHAR)');
  const { VARCHAR, DOUBLE } = duckdb;
  const appenderOf = (table: string, types: Parameters<typeof duckdb.DuckDBDataChunk.create>[0]) =>
    chunkAppender(duckdb, connection, table, types);
  const texts = await appenderOf('texts', [VARCHAR, DOUBLE, DOUBLE, VARCHAR, VARCHAR]);
  const items = await appenderOf('items', [VARCHAR, DOUBLE, VARCHAR]);
  let place = 0;
  const failing = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw storeError(folder, error);
    }
  };
  return {
    addText: async (text) => {
      const { user, about } = text;
      const row = [user, sortTime(text), place++, about ?? null, JSON.stringify(packed(text))];
      if (texts.add(row)) await failing(async () => texts.flush());
    },
    addItem: async ({ key, fields }: AboutItem) => {
      if (items.add([key, place++, JSON.stringify(fields)])) await failing(async () => items.flush());
    },
    byUser: async function* () {
      await failing(async () => {
        texts.close();
        items.close();
      });
      const result = await failing(() =>
        connection.stream(
          `SELECT texts.person, content, fields FROM texts LEFT JOIN
             (SELECT about, arg_min(fields, place) AS fields FROM items GROUP BY about) AS known USING (about)
           ORDER BY texts.person, start, texts.place`,
        ),
      );
      let group: StoredText[] = [];
      for await (const rows of result.yieldRows()) {
        for (const [user, content, fields] of rows as [string, string, string | null][]) {
          const stored = {
            text: unpacked(user, content),
            ...(fields !== null && { about: JSON.parse(fields) as Readonly<Record<string, string>> }),
          };
          if (group.length > 0 && group[0]!.text.user !== user) {
            yield group;
            group = [];
          }
          group.push(stored);
        }
      }
      if (group.length > 0) yield group;
    },
    [Symbol.asyncDispose]: async () => {
      connection.closeSync();
      instance.closeSync();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

type Duckdb = typeof import('@duckdb/node-api');

async function loadDuckdb(): Promise<Duckdb> {
  try {
    return await import('@duckdb/node-api');
  } catch (cause) {
    throw new ConfigError(
      'data: expected the package @duckdb/node-api for a source that does not fit into memory, got none',
      {
        code: 'data/needs-duckdb',
        hint: 'Install it beside nextquill: npm install @duckdb/node-api@1.5.5-r.5. Or raise --max-memory.',
        cause,
      },
    );
  }
}

/** Rows collected to whole chunks, which are many times as fast as single values. */
async function chunkAppender(
  duckdb: Duckdb,
  connection: DuckDBConnection,
  table: string,
  types: Parameters<Duckdb['DuckDBDataChunk']['create']>[0],
) {
  const appender = await connection.createAppender(table);
  let columns: DuckDBValue[][] = types.map(() => []);
  const flush = () => {
    if (columns[0]!.length === 0) return;
    const chunk = duckdb.DuckDBDataChunk.create(types);
    chunk.setColumns(columns);
    appender.appendDataChunk(chunk);
    columns = types.map(() => []);
  };
  return {
    /** @returns whether it is time to flush */
    add: (row: readonly DuckDBValue[]): boolean => {
      for (const [i, value] of row.entries()) columns[i]!.push(value);
      return columns[0]!.length >= CHUNK;
    },
    flush,
    close: () => {
      flush();
      appender.closeSync();
    },
  };
}

/** A text without its user, which has a column of its own. */
function packed({ user: _, ...rest }: UserText) {
  return rest;
}

function unpacked(user: string, content: string): UserText {
  return { user, ...(JSON.parse(content) as Omit<UserText, 'user'>) };
}

function storeError(folder: string, error: unknown): unknown {
  return new EngineError(
    `${folder}: expected room for the texts while they are sorted, got an error (${(error as Error).message})`,
    {
      code: 'data/store',
      hint: 'Free some space, or name a larger folder by TMPDIR.',
      cause: error,
    },
  );
}
