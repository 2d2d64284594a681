/** @file Small files of a model folder: texts that may be absent, and JSON objects; an error names the file and the place in it. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { WeightsError } from './errors.ts';
import { foreignFile } from './file-kind.ts';

/** Deeper than any file of a model; what walks a value by recursion is safe below it. */
const MOST_NESTED = 100;

const BYTE_ORDER_MARK = '\uFEFF';

/**
 * The text of a file, without a byte-order mark; undefined where there is none.
 * @throws {WeightsError} when it is there and cannot be read, is not UTF-8, or is a file of another kind
 */
export async function readIfThere(file: string): Promise<string | undefined> {
  const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new WeightsError(`${file}: expected a readable file, got ${cause.code}`, {
      code: 'weights/unreadable-file',
      hint: 'Check that it is a file and may be read.',
      cause,
    });
  });
  if (bytes === undefined) return undefined;
  const foreign = foreignFile(file, bytes);
  // A template may begin with a tag.
  if (foreign !== undefined && (file.endsWith('.json') || !/html|xml/.test(foreign.code))) throw foreign;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
  } catch (cause) {
    throw new WeightsError(`${file}: expected text in UTF-8, got other bytes`, {
      code: 'weights/utf8',
      hint: 'Download the file again, or save it as UTF-8.',
      cause,
    });
  }
}

/**
 * One JSON object of a model folder.
 * @throws {WeightsError} when the file is missing, of another kind, or not a JSON object
 */
export async function readJsonFile(folder: string, name: string): Promise<Record<string, unknown>> {
  const file = join(folder, name);
  const text = await readIfThere(file);
  if (text === undefined) throw missingFile(file, 'none');
  return parseJsonObject(file, text);
}

/**
 * The object that a JSON text holds, at most {@link MOST_NESTED} levels deep.
 * @param where file (and part of it), for messages
 * @param code of the errors
 * @throws {WeightsError} with the parser's words
 */
export function parseJsonObject(
  where: string,
  text: string,
  code = 'weights/malformed-json',
): Record<string, unknown> {
  const fail = (what: string, hint: string, cause?: unknown) =>
    new WeightsError(`${where}: ${what}`, { code, hint, ...(cause !== undefined && { cause }) });
  const again = 'Download or copy the file again.';
  if (isDeeper(text, MOST_NESTED))
    throw fail(`expected JSON of at most ${MOST_NESTED} levels, got more`, again);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    // The parser quotes the text around the place, line breaks included.
    const message = (cause as Error).message.replace(/\s+/g, ' ');
    throw fail(`expected JSON, got malformed JSON (${message})`, hintFor(message, text), cause);
  }
  if (json !== null && typeof json === 'object' && !Array.isArray(json))
    return json as Record<string, unknown>;
  throw fail('expected a JSON object, got another value', again);
}

/** Whether arrays and objects lie more than `most` deep in each other. */
function isDeeper(text: string, most: number): boolean {
  let depth = 0;
  let isString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (isString) {
      if (char === '\\') i++;
      else if (char === '"') isString = false;
    } else if (char === '"') isString = true;
    else if (char === '{' || char === '[') {
      if (++depth > most) return true;
    } else if (char === '}' || char === ']') depth--;
  }
  return false;
}

/** What to do about the parser's complaint. Only a text that ends too early may be truncated. */
function hintFor(message: string, text: string): string {
  const position = Number(/at position (\d+)/.exec(message)?.[1] ?? -1);
  if (/end of JSON input|Unterminated string/.test(message) || position >= text.trimEnd().length)
    return 'Download or copy the file again; it may be truncated.';
  if (/token '[NI]'|after minus sign/.test(message) && /\bNaN\b|\bInfinity\b/.test(text))
    return 'Replace NaN and Infinity, which Python writes and JSON does not have, by a number or null.';
  return 'Correct the file at this place, or download it again.';
}

/** @param got what is in its place, such as `none` */
export function missingFile(file: string, got: string): WeightsError {
  return new WeightsError(`${file}: expected a file, got ${got}`, {
    code: 'weights/missing-file',
    hint: `Put the model's ${basename(file)} into the folder.`,
  });
}
