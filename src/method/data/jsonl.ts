/** @file Example files: JSON lines, one example a line, plain or gzipped; read with exact errors, written whole or not at all. */
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { writeAll, writeFileAtomically } from '../../base/atomic-file.ts';
import { DataError } from '../../base/errors.ts';
import type { Example } from './example.ts';
import { readLines } from './lines.ts';
import { parseExample } from './parse-example.ts';

/** Options of {@link examplesFromJsonl}. */
export interface JsonlOptions {
  /** Stop after so many examples; lines after them are not looked at. */
  readonly limit?: number;
  /** Receives at most one message: the keys that are not in the format. */
  readonly onWarning?: (message: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * The examples of a file of JSON lines; blank lines are skipped, unknown keys are kept in `meta` with one warning.
 * An example without `id` is called by its line number.
 * @param path a `.jsonl` or `.jsonl.gz` file
 * @throws {DataError} with `FILE:LINE`, key, expected and got: see {@link readLines} and {@link parseExample};
 *   also malformed JSON, two examples of one id, no example at all
 * @throws {AbortedError} when `signal` is aborted
 */
export async function examplesFromJsonl(path: string, options: JsonlOptions = {}): Promise<Example[]> {
  const { limit = Number.POSITIVE_INFINITY, onWarning = () => {}, signal } = options;
  const examples: Example[] = [];
  const lineOf = new Map<string, number>();
  const unknown = new Map<string, number>();
  const onUnknownKey = (key: string) => unknown.set(key, (unknown.get(key) ?? 0) + 1);
  for await (const { number, text } of readLines(path, signal)) {
    const where = `${path}:${number}`;
    const example = parseExample(parseJson(text, where), where, { fallbackId: String(number), onUnknownKey });
    const twin = lineOf.get(example.id);
    if (twin !== undefined)
      throw new DataError(
        `${where}: id: expected an id that no other line has, got "${example.id}" of line ${twin}`,
        {
          code: 'data/duplicate-id',
          hint: 'Give every example an id of its own.',
        },
      );
    lineOf.set(example.id, number);
    examples.push(example);
    if (examples.length >= limit) break;
  }
  if (examples.length === 0)
    throw new DataError(`${path}: expected at least one example, got an empty file`, {
      code: 'data/empty-file',
      hint: 'Write one JSON object a line.',
    });
  if (unknown.size > 0) {
    const names = [...unknown].map(([key, count]) => `${key} (${count})`).join(', ');
    onWarning(`${path}: unknown keys are kept in meta: ${names}`);
  }
  return examples;
}

/**
 * Writes examples as JSON lines, in the format's key order; the file appears whole or not at all.
 * @param path gzipped when it ends in `.gz`; replaced when it exists
 * @throws {DataError} when an example is not valid, two have one id, or there is none
 * @throws {EngineError} when the file cannot be written
 */
export async function writeExamples(path: string, examples: readonly Example[]): Promise<void> {
  const lines = serialise(examples);
  const bytes = Readable.from(lines.map((line) => Buffer.from(line)));
  const chunks: AsyncIterable<Buffer> = path.endsWith('.gz') ? bytes.pipe(createGzip()) : bytes;
  await writeFileAtomically(path, async (file) => {
    for await (const chunk of chunks) await writeAll(file, chunk);
  });
}

function serialise(examples: readonly Example[]): string[] {
  if (examples.length === 0)
    throw new DataError('examples: expected at least one to write, got none', {
      code: 'data/empty-file',
      hint: 'Check what was to be written.',
    });
  const ids = new Set<string>();
  return examples.map((example, place) => {
    const where = `examples[${place}]`;
    const { id, user, time, query, response, history, split, causes, meta } = parseExample(example, where);
    if (ids.has(id))
      throw new DataError(`${where}: id: expected an id that no other example has, got "${id}"`, {
        code: 'data/duplicate-id',
        hint: 'Give every example an id of its own.',
      });
    ids.add(id);
    const items = history.map((item) => ({
      id: item.id,
      time: item.time,
      query: item.query,
      text: item.text,
      meta: item.meta,
    }));
    return `${JSON.stringify({ id, user, time, query, response, history: items, split, causes, meta })}\n`;
  });
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const array = text.trimStart().startsWith('[');
    throw new DataError(
      `${where}: expected one JSON object, got malformed JSON (${(cause as Error).message})`,
      {
        code: 'data/malformed-json',
        hint: array
          ? 'Write one object a line instead of one array, for example with jq -c ".[]".'
          : 'Mend the line; a text with a line break needs \\n in its place.',
        cause,
      },
    );
  }
}
