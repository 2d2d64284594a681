/**
 * @file The cache of effects as Parquet files, one for each system: model, adapter, tokenizer, prompt settings, objective.
 * A file holds users' texts as token ids only; whoever has the tokenizer can read them, so it stays where the data may be.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describeFileError, writeAll, writeFileAtomically } from '../../base/atomic-file.ts';
import { defaultCacheFolder, makeCacheFolder } from '../../base/cache-folder.ts';
import { WeightsError } from '../../base/errors.ts';
import type { CachedScores, CachedSystem, EffectCache } from '../../method/scoring/effect-cache.ts';

export interface EffectCacheOptions {
  /** `effects/` in the folder of all caches by default. */
  readonly folder?: string;
  /** Told when a file is damaged and its effects are computed again. */
  readonly onWarning?: (message: string) => void;
}

type Book = ReadonlyMap<string, CachedScores>;

/** Content of the file's key `nextquill`. */
interface BookInfo {
  readonly formatVersion: 1;
  readonly tokenizerHash: string;
  /** Of all rows: Parquet has none of its own. */
  readonly contentHash: string;
}

/** f32 columns; those that an entry lacks are empty in its rows. */
const VALUES = [
  'logProbability',
  'logProbWithHistory',
  'logProbWithoutHistory',
  'probability',
  'logRatio',
  'divergence',
  'weight',
] as const;

const INFO_KEY = 'nextquill';

/**
 * Books of effects in a folder. A damaged book is computed again, with a warning.
 * @throws {WeightsError} from `read`, when a book is of another tokenizer
 */
export function effectCache({
  folder = join(defaultCacheFolder(), 'effects'),
  onWarning = () => {},
}: EffectCacheOptions = {}): EffectCache {
  const pathOf = ({ key }: CachedSystem) => join(folder, `${key}.parquet`);
  const read = async (system: CachedSystem): Promise<Book> => {
    const path = pathOf(system);
    const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw describeFileError(path, error);
    });
    if (bytes === undefined) return new Map();
    try {
      return await readBook(bytes, system, path);
    } catch (error) {
      if (error instanceof WeightsError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      onWarning(`${path}: damaged (${reason}); its effects are computed again`);
      return new Map();
    }
  };
  return {
    read,
    add: async (system, entries) => {
      const path = pathOf(system);
      await makeCacheFolder(dirname(path));
      // Read again: another process may have added to it.
      const book = new Map([...(await read(system)), ...entries]);
      await writeFileAtomically(path, (file) => writeAll(file, writeBook(book, system)), 0o600);
    },
  };
}

function writeBook(book: Book, { tokenizerHash }: CachedSystem): Uint8Array {
  const rows = [...book].flatMap(([key, { tokenIds, values }]) =>
    tokenIds.map((tokenId, position) => ({ key, position, tokenId, values })),
  );
  const info: BookInfo = { formatVersion: 1, tokenizerHash, contentHash: hashOf(book) };
  const column = (name: string, type: 'STRING' | 'INT32' | 'FLOAT', data: unknown[]) => ({
    name,
    type,
    data,
    nullable: type === 'FLOAT',
  });
  const buffer = parquetWriteBuffer({
    columnData: [
      column(
        'key',
        'STRING',
        rows.map(({ key }) => key),
      ),
      column(
        'position',
        'INT32',
        rows.map(({ position }) => position),
      ),
      column(
        'tokenId',
        'INT32',
        rows.map(({ tokenId }) => tokenId),
      ),
      ...VALUES.map((name) =>
        column(
          name,
          'FLOAT',
          rows.map(({ values, position }) => values[name]?.[position]),
        ),
      ),
    ],
    kvMetadata: [{ key: INFO_KEY, value: JSON.stringify(info) }],
  });
  return new Uint8Array(buffer);
}

/** @throws {WeightsError} for another tokenizer; anything else when the bytes are damaged */
async function readBook(bytes: Buffer, system: CachedSystem, path: string): Promise<Book> {
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const entry = parquetMetadata(file).key_value_metadata?.find(({ key }) => key === INFO_KEY);
  const info = JSON.parse(entry?.value ?? 'null') as BookInfo | null;
  if (info?.formatVersion !== 1) throw new Error('no format that is known');
  if (info.tokenizerHash !== system.tokenizerHash)
    throw new WeightsError(
      `${path}: expected effects of the tokenizer ${system.tokenizerHash.slice(0, 12)}…, got those of another, ${String(info.tokenizerHash).slice(0, 12)}…`,
      { code: 'cache/tokenizer', hint: 'Remove the file: its token ids mean other texts.' },
    );
  const rows = await parquetReadObjects({ file });
  const groups = new Map<string, Record<string, unknown>[]>();
  for (const row of rows) {
    const group = groups.get(String(row.key)) ?? [];
    groups.set(String(row.key), group);
    group.push(row);
  }
  const book = new Map([...groups].map(([key, group]) => [key, scoresOf(group)] as const));
  if (hashOf(book) !== info.contentHash) throw new Error('content that is not what was written');
  return book;
}

function scoresOf(rows: readonly Record<string, unknown>[]): CachedScores {
  const names = VALUES.filter((name) => rows[0]![name] !== undefined && rows[0]![name] !== null);
  return {
    tokenIds: rows.map(({ tokenId }) => Number(tokenId)),
    values: Object.fromEntries(
      names.map((name) => [name, Float32Array.from(rows, (row) => Number(row[name]))]),
    ),
  };
}

function hashOf(book: Book): string {
  const hash = createHash('sha256');
  for (const [key, { tokenIds, values }] of [...book].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${key} ${tokenIds.join()}\n`);
    for (const name of VALUES) {
      const data = values[name];
      if (data === undefined) continue;
      hash.update(`${name}\n`);
      hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  }
  return hash.digest('hex');
}
