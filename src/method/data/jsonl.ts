/** @file Example files: JSON lines, one example a line, plain or gzipped; read with exact errors, written whole or not at all. */
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { writeAll, writeFileAtomically } from '../../base/atomic-file.ts';
import { DataError } from '../../base/errors.ts';
import type { Example, HistoryItem } from './example.ts';
import { readLines } from './lines.ts';
import type { NoticeListener } from './notice.ts';
import { parseExample } from './parse-example.ts';

/** Options of {@link examplesFromJsonl}. */
export interface JsonlOptions {
  /** Stop after so many examples; lines after them are not looked at. */
  readonly limit?: number;
  /** Receives at most one notice: the keys that are not in the format. */
  readonly onNotice?: NoticeListener | undefined;
  readonly signal?: AbortSignal;
}

/** Bad lines that an error names; of the others it says how many there are. */
const BAD_LINES_SHOWN = 20;

/**
 * The examples of a file of JSON lines; blank lines are skipped, unknown keys are kept in `meta` with one warning.
 * An example without `id` is named by its line number.
 * @param path a `.jsonl` or `.jsonl.gz` file
 * @throws {DataError} with `FILE:LINE`, key, expected and got of every bad line, the first twenty: see {@link readLines} and
 *   {@link parseExample}; also malformed JSON, two examples of one id, no example at all
 * @throws {AbortedError} when `signal` is aborted
 */
export async function examplesFromJsonl(path: string, options: JsonlOptions = {}): Promise<Example[]> {
  const { onNotice = () => {}, ...reading } = options;
  const lineOf = new Map<string, number>();
  const unknown = new Map<string, number>();
  const onUnknownKey = (key: string) => unknown.set(key, (unknown.get(key) ?? 0) + 1);
  const examples = await rowsFromJsonl(path, 'example', reading, (value, where, number) => {
    const example = parseExample(value, where, { fallbackId: String(number), onUnknownKey });
    refuseTwin(lineOf.get(example.id), example.id, where);
    lineOf.set(example.id, number);
    return example;
  });
  if (unknown.size > 0)
    onNotice({ code: 'data/unknown-keys', path, keys: [...unknown].map(([key, count]) => ({ key, count })) });
  return examples;
}

/**
 * What `parse` makes of each line of a file of JSON lines; blank lines are skipped.
 * @param what one line holds, such as `example`
 * @param parse of a line's value; `where` is `FILE:LINE`; what it throws as a DataError is told with the other bad lines
 * @throws {DataError} with every bad line, the first twenty, or when there is no line at all
 * @throws {AbortedError} when `signal` is aborted
 */
export async function rowsFromJsonl<Row>(
  path: string,
  what: string,
  { limit = Number.POSITIVE_INFINITY, signal }: Omit<JsonlOptions, 'onNotice'>,
  parse: (value: unknown, where: string, number: number) => Row,
): Promise<Row[]> {
  const rows: Row[] = [];
  const bad: DataError[] = [];
  let badLines = 0;
  const onBadLine = (error: DataError) => {
    badLines += 1;
    if (bad.length < BAD_LINES_SHOWN) bad.push(error);
  };
  for await (const { number, text } of readLines(path, signal, onBadLine)) {
    try {
      const where = `${path}:${number}`;
      rows.push(parse(parseJson(text, where), where, number));
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      onBadLine(error);
    }
    if (rows.length >= limit) break;
  }
  if (badLines > 0) throw badLines === 1 ? bad[0]! : manyBadLines(path, what, bad, badLines, rows.length);
  if (rows.length === 0)
    throw new DataError(`${path}: expected at least one ${what}, got an empty file`, {
      code: 'data/empty-file',
      hint: 'Write one JSON object a line.',
    });
  return rows;
}

function refuseTwin(twin: number | undefined, id: string, where: string): void {
  if (twin === undefined) return;
  throw new DataError(`${where}: id: expected an id that no other line has, got "${id}" of line ${twin}`, {
    code: 'data/duplicate-id',
    hint: 'Give every example an id of its own.',
  });
}

function manyBadLines(
  path: string,
  what: string,
  shown: readonly DataError[],
  bad: number,
  good: number,
): DataError {
  const more = bad > shown.length ? [`and ${bad - shown.length} more`] : [];
  const codes = new Set(shown.map(({ code }) => code));
  return new DataError(
    [
      `${path}: expected ${/^[aeiou]/.test(what) ? 'an' : 'a'} ${what} in every line, got ${bad} bad lines beside ${good} good ones:`,
      ...shown.map(({ message }) => message),
      ...more,
    ].join('\n  '),
    {
      code: codes.size === 1 ? shown[0]!.code : 'data/bad-lines',
      hint: shown[0]!.hint ?? 'Correct these lines, or remove them.',
      cause: shown[0],
    },
  );
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
    const checked = parseExample(example, where);
    if (ids.has(checked.id))
      throw new DataError(`${where}: id: expected an id that no other example has, got "${checked.id}"`, {
        code: 'data/duplicate-id',
        hint: 'Give every example an id of its own.',
      });
    ids.add(checked.id);
    return exampleLine(checked);
  });
}

/** A valid example as one line of a file, its keys in the order of the format. */
export function exampleLine(example: Example): string {
  const { id, user, time, query, response, history, domain, split, causes, meta } = example;
  const before = JSON.stringify({ id, user, time, query, response }).slice(0, -1);
  const after = JSON.stringify({ domain, split, causes, meta }).slice(1, -1);
  const items = history.map(itemJson).join(',');
  return `${before},"history":[${items}]${after === '' ? '' : `,${after}`}}\n`;
}

const ITEM_JSON = new WeakMap<HistoryItem, string>(); // one item is in the histories of many examples

function itemJson(item: HistoryItem): string {
  let json = ITEM_JSON.get(item);
  if (json === undefined) {
    const { id, time, query, text, authors, meta } = item;
    json = JSON.stringify({ id, time, query, text, authors, meta });
    ITEM_JSON.set(item, json);
  }
  return json;
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new DataError(
      `${where}: expected one JSON object, got malformed JSON (${(cause as Error).message})`,
      { code: 'data/malformed-json', hint: jsonHint(text, (cause as Error).message), cause },
    );
  }
}

const BRACKETS: Readonly<Record<string, number>> = { '{': 1, '[': 1, '}': -1, ']': -1 };

/** What to do about a line that is not JSON: by what the parser met, and what the line looks like. */
function jsonHint(text: string, reason: string): string {
  const line = text.trim();
  const outside = line.replace(/"(?:[^"\\]|\\.)*"?/g, '""');
  if (line.startsWith('['))
    return 'Write one object a line instead of one array, for example with jq -c ".[]".';
  if (/\b(?:NaN|Infinity)\b/.test(outside))
    return 'Write null in place of NaN and Infinity, which JSON lacks.';
  if (/^[{[(,]?\s*'|[{,:[]\s*'/.test(outside) || /\b(?:None|True|False)\b/.test(outside))
    return 'Write JSON rather than a Python value: double quotes, null, true and false.';
  if (/,\s*[}\]]/.test(outside)) return 'Remove the comma before the closing bracket.';
  const open = [...outside].reduce((depth, at) => depth + (BRACKETS[at] ?? 0), 0);
  if (open !== 0 || /^"[^"]*"\s*:/.test(line))
    return 'Write each object on one line, for example with jq -c; this line is a part of one.';
  if (/after JSON/.test(reason)) return 'Write one object a line, and nothing after it.';
  return 'Correct the line; a text with a line break needs \\n in its place.';
}
