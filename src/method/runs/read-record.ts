/** @file Reads what a run has written about itself, or says why it cannot be read. */
import { readFile } from 'node:fs/promises';
import { CheckpointError } from '../../base/errors.ts';
import { parseJsonObject } from '../../base/json-file.ts';
import type { RecordFailure } from './record-check.ts';

/** How a record that is not there, or not right, is spoken of. */
export interface RecordKind {
  readonly code: string;
  /** What is expected in the file, such as `the manifest of a run`. */
  readonly holds: string;
  readonly hint: string;
}

/**
 * The object in a file of a run.
 * @returns `fail` makes the error of a value that is not one that the record can have
 * @throws {CheckpointError} when there is no such file, or no JSON object in it
 */
export async function readRecord(
  path: string,
  { code, holds, hint }: RecordKind,
): Promise<{ readonly json: Record<string, unknown>; readonly fail: RecordFailure }> {
  const fail = (what: string, cause?: unknown) =>
    new CheckpointError(`${path}: ${what}`, { code, hint, ...(cause === undefined ? {} : { cause }) });
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const got = cause.code === 'ENOENT' ? 'no such file' : cause.code;
    throw fail(`expected ${holds}, got ${got}`, cause);
  });
  try {
    return { json: parseJsonObject(path, text), fail };
  } catch (cause) {
    throw fail((cause as Error).message.replace(`${path}: `, ''), cause);
  }
}
