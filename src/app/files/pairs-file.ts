/**
 * @file Prompt pairs as a Parquet file for trainers of other projects: token ids and token weights, texts on request. A trainer that
 * makes ids itself compares its first row with the file's: one token of difference shifts every weight.
 */
import type { SchemaElement } from 'hyparquet-writer';
import { writeAll, writeFileAtomically } from '../../base/atomic-file.ts';
import { ConfigError, DataError } from '../../base/errors.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';
import type { ExampleEffects } from '../../method/scoring/rows.ts';

/** What a file says of how its rows were made; its key `nextquill`. */
export interface PairsInfo {
  readonly formatVersion: 1;
  readonly nextquill: string;
  readonly model: string;
  readonly modelHash: string;
  readonly tokenizerHash: string;
  readonly template: string;
  /** Whose weights `weights` holds, and its options. */
  readonly objective: string;
  readonly objectiveOptions: object;
}

/** One row. */
export interface PairRow {
  readonly example: string;
  /** SHA-256 of the user's name, its first 16 digits: rows can be grouped, and name nobody. */
  readonly user: string;
  /** Ids of both prompts, and of the response that follows either. */
  readonly with: readonly number[];
  readonly without: readonly number[];
  readonly response: readonly number[];
  readonly hasHistory: boolean;
  /** What each response token counts for in the objective's fit, its plain share included; they sum to 1. */
  readonly weights: readonly number[];
  /** log p with the history minus log p without, of each response token, nats. */
  readonly effectLogRatio: readonly number[];
  /** Whether each response token stands in a run of words that the shown history holds, where the objective asks. */
  readonly copied?: readonly boolean[];
  /** The texts, where they were asked for. */
  readonly query?: string;
  readonly responseText?: string;
}

/** A row of an example that was scored. */
export function pairRow({ example, pair, effects }: ExampleEffects, withTexts: boolean): PairRow {
  return {
    example: example.id,
    user: sha256(example.user).slice(0, 16),
    with: pair.withHistoryIds,
    without: pair.withoutHistoryIds,
    response: pair.responseIds,
    hasHistory: pair.hasHistory,
    weights: [...effects.weight],
    effectLogRatio: [...effects.logRatio],
    ...(pair.copied && { copied: pair.copied }),
    ...(withTexts && { query: example.query, responseText: example.response }),
  };
}

const leaf = (name: string, type: SchemaElement['type']): SchemaElement =>
  ({ name, type, repetition_type: 'REQUIRED' }) as SchemaElement;

const text = (name: string): SchemaElement =>
  ({ ...leaf(name, 'BYTE_ARRAY'), converted_type: 'UTF8' }) as SchemaElement;

/** A list column in Parquet's three levels. */
const list = (name: string, type: SchemaElement['type']): SchemaElement[] => [
  { name, repetition_type: 'REQUIRED', converted_type: 'LIST', num_children: 1 } as SchemaElement,
  { name: 'list', repetition_type: 'REPEATED', num_children: 1 } as SchemaElement,
  leaf('element', type),
];

/** The columns and their types; those that rows lack are left out. */
const columns: Readonly<Record<keyof PairRow, SchemaElement[]>> = {
  example: [text('example')],
  user: [text('user')],
  with: list('with', 'INT32'),
  without: list('without', 'INT32'),
  response: list('response', 'INT32'),
  hasHistory: [leaf('hasHistory', 'BOOLEAN')],
  weights: list('weights', 'FLOAT'),
  effectLogRatio: list('effectLogRatio', 'FLOAT'),
  copied: list('copied', 'BOOLEAN'),
  query: [text('query')],
  responseText: [text('responseText')],
};

/** Refuses a name that does not say Parquet, before any work is done. @throws {ConfigError} */
export function checkPairsFile(path: string): void {
  if (path.endsWith('.parquet')) return;
  throw new ConfigError(`out: expected a name that ends in .parquet, got "${path}"`, {
    code: 'usage/out',
    hint: 'Name a .parquet file; "nextquill effects" writes JSON lines.',
  });
}

/** SHA-256 of a row's ids: what a reader compares. */
export const idsHash = ({ with: own, without, response }: Pick<PairRow, 'with' | 'without' | 'response'>) =>
  sha256(canonicalJson([own, without, response]));

/**
 * Writes rows, then reads the first one back and compares its ids.
 * @param path ends in `.parquet`; replaced when it exists
 * @throws {DataError} when there are no rows
 * @throws {EngineError} when the file cannot be written
 */
export async function writePairs(path: string, rows: readonly PairRow[], info: PairsInfo): Promise<void> {
  checkPairsFile(path);
  const first = rows[0];
  if (first === undefined)
    throw new DataError('examples: expected at least one to export, got none', {
      code: 'data/no-examples',
      hint: 'Check the data, its splits and the limit on examples.',
    });
  const names = (Object.keys(columns) as (keyof PairRow)[]).filter((name) => name in first);
  const children = names.map((name) => columns[name]);
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const buffer = parquetWriteBuffer({
    columnData: names.map((name) => ({ name, data: rows.map((row) => row[name]) })),
    schema: [{ name: 'root', num_children: names.length } as SchemaElement, ...children.flat()],
    kvMetadata: [{ key: 'nextquill', value: JSON.stringify({ ...info, firstIdsHash: idsHash(first) }) }],
  });
  await checkFirstRow(buffer, first, path);
  await writeFileAtomically(path, (file) => writeAll(file, new Uint8Array(buffer)));
}

/** What a reader would see of the first row. */
async function checkFirstRow(buffer: ArrayBuffer, first: PairRow, path: string): Promise<void> {
  const { parquetReadObjects } = await import('hyparquet');
  const [row] = (await parquetReadObjects({ file: buffer, rowEnd: 1 })) as unknown as [PairRow];
  if (idsHash(row) === idsHash(first)) return;
  throw new DataError(`${path}: example ${first.example}: expected the ids that were written, got others`, {
    code: 'pairs/ids',
    hint: 'Report this: a file with other ids would give every token the weight of another.',
  });
}
