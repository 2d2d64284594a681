/** @file Lines of a text file, plain or gzipped: streamed, numbered, strictly UTF-8, with errors that name file and line. */
import { createReadStream, type ReadStream } from 'node:fs';
import { createGunzip, type Gunzip } from 'node:zlib';
import { DataError, throwIfAborted } from '../../base/errors.ts';

/** One line of a file, without its line end. */
export interface Line {
  /** Counted from 1. */
  readonly number: number;
  readonly text: string;
}

const NEWLINE = 0x0a;
const BYTE_ORDER_MARK = '\uFEFF';

/**
 * The lines of a UTF-8 file that are not blank, one at a time; a byte-order mark and a missing last newline are tolerated.
 * @param path a file; gunzipped when its name ends in `.gz`
 * @param onBadLine receives the error of a line that is not UTF-8, which is then passed over; without it, it is thrown
 * @throws {DataError} when the file is missing, unreadable, not gzip despite its name, or a line is not UTF-8
 * @throws {AbortedError} when `signal` is aborted
 */
export async function* readLines(
  path: string,
  signal?: AbortSignal,
  onBadLine?: (error: DataError) => void,
): AsyncGenerator<Line> {
  let rest: Buffer[] = [];
  let number = 0;
  const line = (bytes: Buffer): Line | undefined => {
    number++;
    let decoded: string;
    try {
      decoded = decodeUtf8(bytes, `${path}:${number}`);
    } catch (error) {
      if (onBadLine === undefined || !(error instanceof DataError)) throw error;
      onBadLine(error);
      return undefined;
    }
    const text = number === 1 && decoded.startsWith(BYTE_ORDER_MARK) ? decoded.slice(1) : decoded;
    return text.trim() === '' ? undefined : { number, text: text.endsWith('\r') ? text.slice(0, -1) : text };
  };
  for await (const chunk of readChunks(path, { signal, lineOf: () => number + 1 })) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      const bytes = chunk.subarray(from, end);
      const read = line(rest.length === 0 ? bytes : Buffer.concat([...rest, bytes]));
      rest = [];
      from = end + 1;
      if (read !== undefined) yield read;
    }
    if (from < chunk.length) rest.push(chunk.subarray(from));
  }
  if (rest.length > 0) {
    const read = line(Buffer.concat(rest));
    if (read !== undefined) yield read;
  }
}

/**
 * The bytes of a file, piece by piece, gunzipped when its name ends in `.gz`.
 * @param options.lineOf the line that messages about gzip name
 * @throws {DataError} when the file is missing, unreadable or not gzip despite its name
 * @throws {AbortedError} when `signal` is aborted
 */
export async function* readChunks(
  path: string,
  options: { readonly signal?: AbortSignal | undefined; readonly lineOf?: () => number } = {},
): AsyncGenerator<Buffer> {
  const file = createReadStream(path, { highWaterMark: 1 << 18 });
  const stream = path.endsWith('.gz') ? gunzip(file) : file;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      throwIfAborted(options.signal);
      yield chunk;
    }
  } catch (error) {
    throw readError(path, options.lineOf?.(), error);
  } finally {
    file.destroy();
    stream.destroy();
  }
}

function gunzip(file: ReadStream): Gunzip {
  const stream = createGunzip();
  file.on('error', (error) => stream.destroy(error));
  return file.pipe(stream);
}

/** @throws {DataError} naming the byte that is not UTF-8 */
export function decodeUtf8(bytes: Buffer, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    const at = firstInvalidByte(bytes);
    const got =
      at < bytes.length
        ? `byte 0x${bytes[at]!.toString(16).padStart(2, '0')}`
        : 'a character cut off by the end';
    throw new DataError(`${where}: expected UTF-8, got ${got} at byte ${at + 1} of the line`, {
      code: 'data/utf8',
      hint: 'Convert the file to UTF-8, for example with iconv.',
      cause,
    });
  }
}

/** Index of the byte that makes `bytes` invalid UTF-8, or its length when the last character is cut off. */
function firstInvalidByte(bytes: Buffer): number {
  const prefixIsValid = (length: number) => {
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length), { stream: true });
      return true;
    } catch {
      return false;
    }
  };
  let valid = 0;
  let invalid = bytes.length + 1;
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >> 1;
    if (prefixIsValid(middle)) valid = middle;
    else invalid = middle;
  }
  return valid;
}

function readError(path: string, line: number | undefined, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  const fail = (got: string, hint: string, name: string) =>
    new DataError(`${path}: expected a readable file, got ${got}`, { code: name, hint, cause: error });
  if (typeof code !== 'string') return error;
  if (code === 'ENOENT') return fail('no such file', 'Check the path of the data.', 'data/missing-file');
  if (code === 'EISDIR') return fail('a folder', 'Name one file of examples in it.', 'data/folder');
  if (code === 'EACCES' || code === 'EPERM')
    return fail('no permission to read it', 'Give yourself read permission.', 'data/permission');
  if (code.startsWith('Z_'))
    return new DataError(
      `${line === undefined ? path : `${path}:${line}`}: expected gzip data, got ${(error as Error).message}`,
      {
        code: 'data/gzip',
        hint: 'Copy the file again, or drop .gz from the name of a file that is not compressed.',
        cause: error,
      },
    );
  if (code.startsWith('E'))
    return fail(`the error ${(error as Error).message}`, 'Check the disk and the path.', 'data/read');
  return error;
}
