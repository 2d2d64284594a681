/** @file Small files of a model folder: texts that may be absent, and JSON objects; what is wrong with one is told by its name. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { WeightsError } from '../../base/errors.ts';

/** The text of a file; undefined where there is none. @throws {WeightsError} when it is there and cannot be read */
export async function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new WeightsError(`${file}: expected a readable file, got ${cause.code}`, {
      code: 'weights/unreadable-file',
      hint: 'Check that it is a file and may be read.',
      cause,
    });
  });
}

/**
 * One JSON object of a model folder.
 * @throws {WeightsError} when the file is missing, no JSON (as when it was cut), or no object
 */
export async function readJsonFile(folder: string, name: string): Promise<Record<string, unknown>> {
  const file = join(folder, name);
  const text = await readIfThere(file);
  if (text === undefined) throw missingFile(file, 'none');
  return parseJsonObject(file, text);
}

/** @throws {WeightsError} naming the file when its text is no JSON (as when it was cut), or no object */
export function parseJsonObject(file: string, text: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new WeightsError(
      `${file}: expected JSON, got text that ends or breaks (${text.length} characters)`,
      {
        code: 'weights/malformed-json',
        hint: 'Download or copy the file again; it may be truncated.',
        cause,
      },
    );
  }
  if (json !== null && typeof json === 'object' && !Array.isArray(json))
    return json as Record<string, unknown>;
  throw new WeightsError(`${file}: expected a JSON object, got another value`, {
    code: 'weights/malformed-json',
    hint: 'Download or copy the file again.',
  });
}

/** @param got what is in its place, such as `none` */
export function missingFile(file: string, got: string): WeightsError {
  return new WeightsError(`${file}: expected a file, got ${got}`, {
    code: 'weights/missing-file',
    hint: `Put the model's ${basename(file)} into the folder.`,
  });
}
