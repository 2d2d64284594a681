/**
 * @file The values of a JSON file one at a time, whatever its size: the elements of an array, JSON lines, or one value after
 * another. Long strings can be cut while they are read, so that a profile of gigabytes never lies in memory.
 */
import type { FaultLog } from '../../method/corpus/source-faults.ts';
import { readChunks } from '../../method/data/lines.ts';

export interface JsonValuesOptions {
  /** Bytes of a string that are kept. Default: all. */
  readonly maxStringBytes?: number;
  /** Where the file is one object: the key whose array is read instead, such as `golds`. */
  readonly arrayAt?: string;
  readonly signal?: AbortSignal | undefined;
}

export interface JsonValue {
  readonly value: unknown;
  /** Line where it begins. */
  readonly line: number;
}

/** Bytes of one value; more does not fit into one string of the platform beside everything else. */
const LARGEST = 256 * 2 ** 20;

/** States of the scanner within one value. */
interface Scan {
  parts: Buffer[];
  bytes: number;
  depth: number;
  inString: boolean;
  /** 1 behind a backslash. */
  escape: number;
  stringBytes: number;
  cutting: boolean;
  line: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The values of a `.json`, `.jsonl`, `.ndjson` file or one of these gzipped. In JSON lines every line is a value, so that a
 * broken one does not swallow the next. What is not JSON is left out and told to `faults`; NaN and Infinity, which
 * Python writes, become null.
 * @throws {DataError} when the file cannot be read
 */
export async function* jsonValues(
  path: string,
  faults: FaultLog,
  { maxStringBytes = Number.POSITIVE_INFINITY, arrayAt, signal }: JsonValuesOptions = {},
): AsyncGenerator<JsonValue> {
  const byLine = /\.(?:jsonl|ndjson)(?:\.gz)?$/i.test(path);
  let line = 1;
  let scan: Scan | undefined;
  let isFirst = true;
  let inArray = false;
  const finish = (): JsonValue | undefined => {
    const { parts, bytes, line: at } = scan!;
    scan = undefined;
    if (bytes > LARGEST) {
      faults.add('too-big', { file: path, line: at }, `${bytes} bytes`);
      return undefined;
    }
    return parsed(Buffer.concat(parts), path, at, faults);
  };
  for await (const chunk of readChunks(path, { signal, lineOf: () => line })) {
    let from = 0; // where the bytes begin that are still to be kept
    const keep = (end: number) => {
      if (scan === undefined) return;
      if (end > from && scan.bytes <= LARGEST) scan.parts.push(Buffer.from(chunk.subarray(from, end)));
      scan.bytes += Math.max(0, end - from);
    };
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (byte === 0x0a) {
        line += 1;
        if (byLine && scan !== undefined) {
          if (!scan.cutting) keep(at);
          const value = finish();
          if (value !== undefined) yield value;
          continue;
        }
      }
      if (scan === undefined) {
        if (byte <= 0x20 || byte === 0x2c || (byte >= 0xbb && byte <= 0xef && isFirst && at < 3)) continue;
        if (isFirst && byte === 0x5b && !byLine) {
          inArray = true;
          isFirst = false;
          continue;
        }
        isFirst = false;
        if (inArray && byte === 0x5d) {
          inArray = false;
          continue;
        }
        from = at;
        scan = {
          ...{ parts: [], bytes: 0, depth: 0, inString: false, escape: 0 },
          ...{ stringBytes: 0, cutting: false, line },
        };
      }
      if (scan.inString) {
        if (scan.escape > 0) {
          scan.escape = 0;
        } else if (byte === QUOTE) {
          scan.inString = false;
          if (scan.cutting) {
            scan.cutting = false;
            from = at;
          }
          if (scan.depth === 0 && !byLine) {
            keep(at + 1);
            const value = finish();
            if (value !== undefined) yield value;
          }
          continue;
        } else if (byte === BACKSLASH) {
          scan.escape = 1;
        }
        scan.stringBytes += 1;
        // Not within a character of several bytes, nor behind a backslash or within \uXXXX (six bytes at most).
        if (!scan.cutting && scan.stringBytes > maxStringBytes && (byte & 0xc0) !== 0x80) {
          const safe = scan.escape === 1 || (scan.escape === 0 && !behindEscape(chunk, at));
          if (safe) {
            keep(at);
            scan.cutting = true;
            faults.add('cut-value', { file: path, line });
          }
        }
        continue;
      }
      if (byte === QUOTE) {
        scan.inString = true;
        scan.stringBytes = 0;
        scan.escape = 0;
      } else if (byte === 0x7b || byte === 0x5b) {
        scan.depth += 1;
      } else if (byte === 0x7d || byte === 0x5d) {
        scan.depth -= 1;
        if (scan.depth <= 0 && !byLine) {
          keep(at + (scan.depth < 0 ? 0 : 1));
          const value = finish();
          if (value !== undefined) yield* unwrapped(value, arrayAt);
        }
      } else if (byte === 0x2c && scan.depth === 0 && !byLine) {
        keep(at);
        const value = finish();
        if (value !== undefined) yield value;
      }
    }
    if (scan !== undefined && !scan.cutting) keep(chunk.length);
  }
  if (scan !== undefined) {
    const value = finish();
    if (value !== undefined) yield* byLine ? [value] : unwrapped(value, arrayAt);
  }
}

/** Whether the byte at a place belongs to an escape such as \u00e9 that began up to five bytes before. */
function behindEscape(chunk: Buffer, at: number): boolean {
  for (let back = 1; back <= 5; back++) if (chunk[at - back] === BACKSLASH || at - back < 0) return true;
  return false;
}

/** The elements of the array at a key, where the value is an object that has one. */
function* unwrapped({ value, line }: JsonValue, key: string | undefined): Generator<JsonValue> {
  const inner = key === undefined ? undefined : (value as Record<string, unknown> | null)?.[key];
  if (!Array.isArray(inner)) yield { value, line };
  else for (const element of inner as unknown[]) yield { value: element, line };
}

function parsed(bytes: Buffer, file: string, line: number, faults: FaultLog): JsonValue | undefined {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes).trim();
  } catch {
    faults.add('bad-utf8', { file, line }, bytes.subarray(0, 80).toString('latin1'));
    return undefined;
  }
  if (text === '') return undefined;
  try {
    return { value: JSON.parse(text) as unknown, line };
  } catch (error) {
    const plain = text.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (token) =>
      token.startsWith('"') ? token : 'null',
    );
    if (plain !== text)
      try {
        const value = JSON.parse(plain) as unknown;
        faults.add('not-a-number', { file, line });
        return { value, line };
      } catch {
        // what follows tells the first error
      }
    faults.add('malformed-json', { file, line }, `${(error as Error).message}: ${text.slice(0, 40)}`);
    return undefined;
  }
}
