/** @file Rows of effects as a file by its ending: JSON lines or Parquet, whole or absent. */
import { writeAll, writeFileAtomically } from '../../base/atomic-file.ts';
import { ConfigError } from '../../base/errors.ts';
import type { EffectRow } from '../../method/scoring/rows.ts';

const FORMATS: Readonly<Record<string, (path: string, rows: AsyncIterable<EffectRow>) => Promise<number>>> = {
  '.jsonl': writeJsonLines,
  '.parquet': writeParquet,
};

/**
 * Writes rows as they come.
 * @param path ends in `.jsonl` or `.parquet`; replaced when it exists
 * @returns the number of rows
 * @throws {ConfigError} for another ending
 * @throws {EngineError} when the file cannot be written
 */
export async function writeEffectRows(path: string, rows: AsyncIterable<EffectRow>): Promise<number> {
  checkEffectFile(path);
  return FORMATS[endingOf(path)]!(path, rows);
}

/** Refuses endings that {@link writeEffectRows} does not know, before any work is done. @throws {ConfigError} */
export function checkEffectFile(path: string): void {
  if (endingOf(path) in FORMATS) return;
  throw new ConfigError(`out: expected a name that ends in .jsonl or .parquet, got "${path}"`, {
    code: 'usage/out',
    hint: 'Choose the format by the ending.',
  });
}

const endingOf = (path: string) => /\.[^./\\]+$/.exec(path)?.[0] ?? '';

async function writeJsonLines(path: string, rows: AsyncIterable<EffectRow>): Promise<number> {
  let count = 0;
  await writeFileAtomically(path, async (file) => {
    let lines = '';
    const flush = async () => {
      await writeAll(file, new TextEncoder().encode(lines));
      lines = '';
    };
    for await (const row of rows) {
      lines += `${JSON.stringify(row)}\n`;
      count += 1;
      if (lines.length > 1 << 20) await flush();
    }
    await flush();
  });
  return count;
}

type ColumnType = 'STRING' | 'INT32' | 'DOUBLE';

/** Columns of the Parquet file; those that rows lack are left out, lists are JSON texts. */
const columns: Readonly<Record<keyof EffectRow, ColumnType>> = {
  example: 'STRING',
  user: 'STRING',
  position: 'INT32',
  tokenId: 'INT32',
  token: 'STRING',
  start: 'INT32',
  end: 'INT32',
  logProbWithHistory: 'DOUBLE',
  logProbWithoutHistory: 'DOUBLE',
  effectProbability: 'DOUBLE',
  effectLogRatio: 'DOUBLE',
  effectDivergence: 'DOUBLE',
  effectDivergenceAtLeast: 'DOUBLE',
  effectPlacebo: 'DOUBLE',
  effectUserSpecific: 'DOUBLE',
  weight: 'DOUBLE',
  promptIdsWithHistory: 'STRING',
  promptIdsWithoutHistory: 'STRING',
  responseIds: 'STRING',
};

async function writeParquet(path: string, rows: AsyncIterable<EffectRow>): Promise<number> {
  const data = new Map<string, unknown[]>();
  let count = 0;
  await writeFileAtomically(path, async (file) => {
    for await (const row of rows) {
      for (const [name, value] of Object.entries(row)) {
        const column = data.get(name) ?? new Array<unknown>(count).fill(undefined);
        data.set(name, column);
        column[count] = Array.isArray(value) ? JSON.stringify(value) : value;
      }
      count += 1;
    }
    const { parquetWriteBuffer } = await import('hyparquet-writer');
    const buffer = parquetWriteBuffer({
      columnData: Object.entries(columns)
        .filter(([name]) => data.has(name))
        .map(([name, type]) => ({
          name,
          type,
          data: Array.from({ length: count }, (_, i) => data.get(name)![i]),
          nullable: true,
        })),
    });
    await writeAll(file, new Uint8Array(buffer));
  });
  return count;
}
