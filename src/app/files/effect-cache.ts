/**
 * @file The cache of effects as Parquet files, one for each system: model, adapter, tokenizer, prompt settings, objective.
 * A file holds users' texts as token ids only; whoever has the tokenizer can read them, so it stays where the data may be.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAll, writeFileAtomically } from '../../base/atomic-file.ts';
import { defaultCacheFolder, makeCacheFolder } from '../../base/cache-folder.ts';
import { WeightsError } from '../../base/errors.ts';
import { describeFileError } from '../../base/file-error.ts';
import { sha256 } from '../../base/hash.ts';
import type { CachedScores, CachedSystem, EffectCache } from '../../method/scoring/effect-cache.ts';

/** Where cached effects are, and who hears of damage. */
export interface EffectCacheOptions {
  /** `effects/` in the folder of all caches by default. */
  readonly folder?: string;
  /** Told when a file is damaged and its effects are computed again. */
  readonly onWarning?: (message: string) => void;
}

type Book = ReadonlyMap<string, CachedScores>;

/** Content of the file's key `nextquill`. */
interface BookInfo {
  readonly formatVersion: 2;
  readonly tokenizerHash: string;
}

/** f32 columns; those that an entry lacks are empty in its rows. */
const VALUES = [
  'logProbability',
  'logProbWithHistory',
  'logProbWithoutHistory',
  'probability',
  'logRatio',
  'divergence',
  'divergenceAtLeast',
  'weight',
] as const;

const INFO_KEY = 'nextquill';

/** Another process may replace pages while they are read. */
const READ_ATTEMPTS = 5;

/**
 * Books of effects in a folder. A book is one file, or several where processes have added to it at the same time; each
 * is named by the hash of its bytes, which is checked before a byte is parsed. A damaged file is computed again, with a
 * warning.
 * @throws {WeightsError} from `read`, when a book is of another tokenizer
 */
export function effectCache({
  folder = join(defaultCacheFolder(), 'effects'),
  onWarning = () => {},
}: EffectCacheOptions = {}): EffectCache {
  const damaged = (path: string, reason: string) =>
    onWarning(`${path}: damaged (${reason}); its effects are computed again`);

  const readPage = async (path: string, system: CachedSystem): Promise<Book> => {
    const bytes = await readFile(path);
    if (!path.endsWith(endingOf(bytes))) {
      damaged(path, 'not the bytes that were written');
      return new Map();
    }
    return bookOf(bytes, system, path);
  };

  const readPages = async (system: CachedSystem, attempt = 1): Promise<{ book: Book; paths: string[] }> => {
    const names = (await namesIn(folder)).filter(
      (name) => name.startsWith(`${system.key}.`) && name.endsWith('.parquet'),
    );
    const paths = names.sort().map((name) => join(folder, name));
    const book = new Map<string, CachedScores>();
    for (const path of paths) {
      try {
        for (const [key, scores] of await readPage(path, system)) book.set(key, scores);
      } catch (error) {
        const isGone = (error as NodeJS.ErrnoException).code === 'ENOENT';
        if (isGone && attempt < READ_ATTEMPTS) return readPages(system, attempt + 1);
        throw describeFileError(path, error, 'read');
      }
    }
    return { book, paths };
  };

  return {
    read: async (system) => (await readPages(system)).book,
    add: async (system, entries) => {
      await makeCacheFolder(folder);
      const { book, paths } = await readPages(system);
      const bytes = await writeBook(new Map([...book, ...entries]), system);
      const path = join(folder, `${system.key}${endingOf(bytes)}`);
      await writeFileAtomically(path, (file) => writeAll(file, bytes), 0o600);
      // Only what the new file holds: another process may have written one meanwhile.
      for (const old of paths) if (old !== path) await rm(old, { force: true });
    },
  };
}

const endingOf = (bytes: Uint8Array) => `.${sha256(bytes)}.parquet`;

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw describeFileError(folder, error, 'read');
  });
}

async function writeBook(book: Book, { tokenizerHash }: CachedSystem): Promise<Uint8Array> {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const rows = [...book].flatMap(([key, { tokenIds, values }]) =>
    tokenIds.map((tokenId, position) => ({ key, position, tokenId, values })),
  );
  const info: BookInfo = { formatVersion: 2, tokenizerHash };
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

/** @throws {WeightsError} for another tokenizer or version */
async function bookOf(bytes: Buffer, system: CachedSystem, path: string): Promise<Book> {
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const { parquetMetadata, parquetReadObjects } = await import('hyparquet');
  const entry = parquetMetadata(file).key_value_metadata?.find(({ key }) => key === INFO_KEY);
  const info = JSON.parse(entry?.value ?? 'null') as BookInfo | null;
  if (info?.formatVersion !== 2)
    throw new WeightsError(`${path}: expected effects of this version, got those of another`, {
      code: 'cache/version',
      hint: 'Remove the file: its effects are computed again.',
    });
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
  return new Map([...groups].map(([key, group]) => [key, scoresOf(group)] as const));
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
