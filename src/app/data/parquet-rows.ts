/** @file The rows of a Parquet file, in slices that fit into memory. */
import { DataError, throwIfAborted } from '../../base/errors.ts';
import type { Row } from './row.ts';

/** Uncompressed bytes that are decoded at once, about. */
const SLICE_BYTES = 48 * 2 ** 20;

/**
 * @throws {DataError} when the file is missing, damaged, or packed in a way that is not supported
 * @throws {AbortedError} when `signal` is aborted
 */
export async function* parquetRows(path: string, signal?: AbortSignal): AsyncGenerator<Row> {
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } = await import('hyparquet');
  const { compressors } = await import('hyparquet-compressors');
  let row = 0;
  try {
    const file = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(file);
    for (const group of metadata.row_groups) {
      const rows = Number(group.num_rows);
      const slices = Math.max(1, Math.min(rows, Math.ceil(Number(group.total_byte_size) / SLICE_BYTES)));
      const size = Math.ceil(rows / slices);
      const end = row + rows;
      for (; row < end; ) {
        throwIfAborted(signal);
        const rowEnd = Math.min(end, row + size);
        const read = await parquetReadObjects({
          ...{ file, metadata, compressors, rowStart: row, rowEnd, useOffsetIndex: true },
        });
        for (const values of read) {
          row += 1;
          yield { file: path, line: row, values };
        }
      }
    }
  } catch (error) {
    if (!(error instanceof Error) || 'hint' in error) throw error;
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new DataError(
      `${path}: expected a Parquet file, got ${missing ? 'no such file' : `an error at row ${row + 1} (${error.message})`}`,
      {
        code: missing ? 'data/missing-file' : 'data/parquet',
        hint: missing ? 'Check the path of the data.' : 'Copy or download the file again.',
        cause: error,
      },
    );
  }
}
