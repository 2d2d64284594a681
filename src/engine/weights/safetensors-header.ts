/** @file The header of a safetensors file, read without trust: every length, shape and offset is checked before use. */
import { WeightsError } from '../../base/errors.ts';
import { parseJsonObject } from '../../base/json-file.ts';
import { DTYPE_BYTES, elementCount, isDtype, type TensorEntry } from './tensor-entry.ts';

/** The limit of the format's reference implementation: 100 MB of JSON. */
export const MAX_HEADER_BYTES = 100_000_000;

/** A header's content. */
export interface SafetensorsHeader {
  /** In the order of their bytes. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * The length of the JSON header.
 * @param start the first 8 bytes of the file, fewer when it is shorter
 * @throws {WeightsError} when the file is too short, or the length passes the file or {@link MAX_HEADER_BYTES}
 */
export function headerLength(path: string, start: Uint8Array, fileBytes: number): number {
  if (start.byteLength < 8)
    throw truncated(path, `expected at least the 8 bytes of the header's length, got ${start.byteLength}`);
  const length = Number(new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES)
    throw invalid(path, `expected a header of at most ${MAX_HEADER_BYTES} bytes, got ${length}`);
  if (length > fileBytes - 8)
    throw truncated(path, `expected a header of ${length} bytes, got ${fileBytes - 8} after its length`);
  return length;
}

/**
 * Parses and checks a header: known dtypes, shapes whose sizes multiply to the byte length, bytes that lie in the
 * file, follow one another without overlap or hole, and end where the file ends.
 * @param header the JSON's bytes, without the 8 of its length
 * @param fileBytes size of the whole file
 * @throws {WeightsError} naming the file and the tensor
 */
export function parseHeader(path: string, header: Uint8Array, fileBytes: number): SafetensorsHeader {
  const json = parseJson(path, header);
  const metadata = parseMetadata(path, json.__metadata__);
  const dataStart = 8 + header.byteLength;
  const entries = Object.entries(json)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => parseEntry(path, name, value, dataStart, fileBytes))
    .sort((a, b) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength);
  let end = dataStart;
  let last = 'the header';
  for (const entry of entries) {
    if (entry.byteOffset < end)
      throw invalid(
        path,
        `tensor ${quote(entry.name)}: expected its bytes to begin after ${last}, got an overlap`,
      );
    if (entry.byteOffset > end)
      throw invalid(path, `tensor ${quote(entry.name)}: expected its bytes to follow ${last}, got a hole`);
    end += entry.byteLength;
    last = `tensor ${quote(entry.name)}`;
  }
  if (end !== fileBytes)
    throw invalid(path, `expected the file to end after ${last}, got ${fileBytes - end} bytes more`);
  return { tensors: new Map(entries.map((entry) => [entry.name, entry])), metadata };
}

function parseJson(path: string, header: Uint8Array): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header);
  } catch (cause) {
    throw invalid(path, 'expected a header in UTF-8, got other bytes', cause);
  }
  return parseJsonObject(`${path}: header`, text, 'weights/invalid-safetensors');
}

function parseMetadata(path: string, value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw invalid(path, '__metadata__: expected an object of strings, got another value');
  for (const [key, text] of Object.entries(value))
    if (typeof text !== 'string')
      throw invalid(path, `__metadata__.${key}: expected a string, got ${typeof text}`);
  return value as Record<string, string>;
}

function parseEntry(
  path: string,
  name: string,
  value: unknown,
  dataStart: number,
  fileBytes: number,
): TensorEntry {
  const fail = (what: string) => invalid(path, `tensor ${quote(name)}: ${what}`);
  if (value === null || typeof value !== 'object') throw fail(`expected an object, got ${String(value)}`);
  const { dtype, shape, data_offsets: offsets } = value as Record<string, unknown>;
  if (!isDtype(dtype))
    throw fail(`dtype: expected one of ${Object.keys(DTYPE_BYTES).join(', ')}, got ${short(dtype)}`);
  const count = elementCount(shape);
  if (count === undefined)
    throw fail(`shape: expected sizes whose product is below 2^53, got ${short(shape)}`);
  if (
    !Array.isArray(offsets) ||
    offsets.length !== 2 ||
    !offsets.every((o) => Number.isSafeInteger(o) && o >= 0)
  )
    throw fail(`data_offsets: expected [begin, end], got ${short(offsets)}`);
  const [begin, end] = offsets as [number, number];
  if (end < begin) throw fail(`data_offsets: expected begin up to end, got [${begin}, ${end}]`);
  if (end - begin !== count * DTYPE_BYTES[dtype])
    throw fail(
      `expected ${count * DTYPE_BYTES[dtype]} bytes for ${dtype}[${(shape as number[]).join(', ')}], got ${end - begin}`,
    );
  if (dataStart + end > fileBytes)
    throw truncated(
      path,
      `tensor ${quote(name)}: expected its bytes to end at ${dataStart + end}, got a file of ${fileBytes} bytes`,
    );
  return {
    name,
    dtype,
    shape: shape as number[],
    file: path,
    byteOffset: dataStart + begin,
    byteLength: end - begin,
  };
}

function invalid(path: string, what: string, cause?: unknown): WeightsError {
  return new WeightsError(`${path}: ${what}`, {
    code: 'weights/invalid-safetensors',
    hint: 'Download or export the file again.',
    ...(cause === undefined ? {} : { cause }),
  });
}

function truncated(path: string, what: string): WeightsError {
  return new WeightsError(`${path}: ${what}; the file is truncated`, {
    code: 'weights/truncated',
    hint: 'Download or copy the file again.',
  });
}

const quote = (name: string) => JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name);
const short = (value: unknown) => {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
};
