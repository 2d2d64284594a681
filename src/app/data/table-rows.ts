/** @file The rows of a table in any of its forms, by the ending of the file: CSV, TSV, Parquet, JSON arrays, JSON lines. */
import { ConfigError } from '../../base/errors.ts';
import type { FaultLog } from '../../method/corpus/source-faults.ts';
import { csvRows } from './csv.ts';
import { type JsonValuesOptions, jsonValues } from './json-values.ts';
import { parquetRows } from './parquet-rows.ts';
import { isObject, type Row } from './row.ts';

/** Endings of the files that {@link tableRows} reads. */
export const tableEndings = ['.csv', '.tsv', '.parquet', '.json', '.jsonl', '.ndjson'] as const;

/**
 * @throws {ConfigError} when the ending is none of {@link tableEndings}, with or without `.gz`
 * @throws {DataError} when the file cannot be read
 */
export async function* tableRows(
  path: string,
  faults: FaultLog,
  options: JsonValuesOptions = {},
): AsyncGenerator<Row> {
  if (/\.(?:csv|tsv|txt)(?:\.gz)?$/i.test(path)) yield* csvRows(path, faults, options.signal);
  else if (/\.parquet$/i.test(path)) yield* parquetRows(path, options.signal);
  else if (/\.(?:json|jsonl|ndjson)(?:\.gz)?$/i.test(path)) {
    for await (const { value, line } of jsonValues(path, faults, options))
      if (isObject(value)) yield { file: path, line, values: value };
      else
        faults.add(
          'wrong-type',
          { file: path, line },
          `an object was expected, got ${JSON.stringify(value)}`,
        );
  } else
    throw new ConfigError(
      `${path}: expected a file that ends in ${tableEndings.join(', ')}, got another one`,
      {
        code: 'usage/table',
        hint: 'Rename the file by what it holds.',
      },
    );
}
