/**
 * @file CSV and TSV, row by row, with line and column of what is wrong. Our own because a dump of years holds rows that no
 * parser takes, and we count them, name the first and read on (docs/decisions).
 */
import { DataError } from '../../base/errors.ts';
import type { FaultLog } from '../../method/corpus/source-faults.ts';
import { decodeUtf8, readChunks } from '../../method/data/lines.ts';
import type { Row } from './row.ts';

/** A row whose quote stays open for longer is taken for one with a stray quote. */
const LONGEST_ROW = 16 * 2 ** 20;
const MOST_LINES = 5000;

interface TextLine {
  readonly number: number;
  readonly text: string;
  readonly fault?: string;
}

interface Cells {
  readonly cells: readonly string[];
  /** Columns where the cells begin, from 0. */
  readonly starts: readonly number[];
}

/**
 * The rows of a file with a header line. The delimiter is that of the header: comma, semicolon, tab or bar.
 * Rows with a quote that is not closed, text behind a closing quote, too many or too few cells, or bytes that are not UTF-8
 * are left out and told to `faults`. A quoted cell may hold line breaks; `""` in it is a quote. Blank lines are skipped.
 * @throws {DataError} when the file cannot be read, has no header, or two columns of one name
 */
export async function* csvRows(path: string, faults: FaultLog, signal?: AbortSignal): AsyncGenerator<Row> {
  const lines = linesWithBacklog(path, signal);
  const first = await lines.next();
  if (first === undefined || first.fault !== undefined)
    throw new DataError(
      `${path}: expected a header line, got ${first === undefined ? 'an empty file' : first.fault}`,
      {
        code: 'data/header',
        hint: 'Write the names of the columns into the first line, in UTF-8.',
      },
    );
  const delimiter = delimiterOf(first.text, path);
  const header = splitCells(first.text, delimiter);
  if (!('cells' in header)) throw headerError(path, 'a quote that is not closed');
  const names = header.cells.map((name) => name.trim());
  const twin = names.find((name, place) => name !== '' && names.indexOf(name) !== place);
  if (twin !== undefined) throw headerError(path, `two columns named "${twin}"`);

  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    const taken: TextLine[] = [line];
    let text = line.text;
    let parts = splitCells(text, delimiter);
    while ('open' in parts && text.length < LONGEST_ROW && taken.length < MOST_LINES) {
      const more = await lines.next(true);
      if (more === undefined) break;
      taken.push(more);
      text = `${text}\n${more.text}`;
      // Only a line with a quote can close one.
      if (more.text.includes('"')) parts = splitCells(text, delimiter);
    }
    const place = { file: path, line: line.number };
    const bad = taken.find(({ fault }) => fault !== undefined);
    const alone = taken.length === 1 ? parts : splitCells(line.text, delimiter);
    if ('open' in alone && !('cells' in parts)) {
      faults.add('unclosed-quote', { ...place, column: alone.open + 1 }, line.text.slice(alone.open));
      lines.giveBack(taken.slice(1));
    } else if (bad !== undefined) {
      faults.add('bad-utf8', { file: path, line: bad.number }, bad.fault);
    } else if ('stray' in parts) {
      faults.add(
        'stray-quote',
        { ...place, column: parts.stray + 1 },
        text.slice(Math.max(0, parts.stray - 20)),
      );
    } else if (!('cells' in parts)) {
    } else if (parts.cells.length !== names.length) {
      if (taken.length === 1 && text.trim() === '') continue;
      faults.add('wrong-cells', place, `${parts.cells.length} cells for ${names.length} columns`);
    } else {
      yield rowOf(path, line.number, names, parts, taken.length === 1);
    }
  }
}

function rowOf(
  file: string,
  line: number,
  names: readonly string[],
  { cells, starts }: Cells,
  oneLine: boolean,
): Row {
  return {
    file,
    line,
    values: Object.fromEntries(names.map((name, place) => [name, cells[place]!])),
    columnOf: (name) => (oneLine ? starts[names.indexOf(name)]! + 1 : undefined),
  };
}

/** The cells of a record, or where a quote stays open, or where text follows a closing quote. */
function splitCells(
  text: string,
  delimiter: string,
): Cells | { readonly open: number } | { readonly stray: number } {
  if (!text.includes('"')) {
    const cells = text.split(delimiter);
    const starts: number[] = [];
    let at = 0;
    for (const cell of cells) {
      starts.push(at);
      at += cell.length + 1;
    }
    return { cells, starts };
  }
  const cells: string[] = [];
  const starts: number[] = [];
  let at = 0;
  for (;;) {
    starts.push(at);
    if (text[at] === '"') {
      const opened = at;
      let value = '';
      let from = at + 1;
      for (;;) {
        const quote = text.indexOf('"', from);
        if (quote < 0) return { open: opened };
        value += text.slice(from, quote);
        if (text[quote + 1] !== '"') {
          at = quote + 1;
          break;
        }
        value += '"';
        from = quote + 2;
      }
      if (at < text.length && text[at] !== delimiter) return { stray: at };
      cells.push(value);
    } else {
      const end = text.indexOf(delimiter, at);
      cells.push(text.slice(at, end < 0 ? text.length : end));
      at = end < 0 ? text.length : end;
    }
    if (at >= text.length) return { cells, starts };
    at += 1;
  }
}

function delimiterOf(header: string, path: string): string {
  if (/\.tsv(?:\.gz)?$/i.test(path)) return '\t';
  const outside = header.replace(/"[^"]*"/g, '');
  const counts = [',', ';', '\t', '|'].map((delimiter) => outside.split(delimiter).length);
  return [',', ';', '\t', '|'][counts.indexOf(Math.max(...counts))]!;
}

function headerError(path: string, got: string): DataError {
  return new DataError(`${path}:1: expected a header of different columns, got ${got}`, {
    code: 'data/header',
    hint: 'Correct the first line.',
  });
}

/** Lines that can be given back, to be read again one by one. */
function linesWithBacklog(path: string, signal: AbortSignal | undefined) {
  const lines = textLines(path, signal);
  let backlog: TextLine[] = [];
  return {
    /** The next line; blank ones only within a quoted cell. */
    next: async (withBlank = false): Promise<TextLine | undefined> => {
      for (;;) {
        const line = backlog.shift() ?? (await lines.next()).value;
        if (line === undefined) return undefined;
        if (withBlank || line.fault !== undefined || line.text.trim() !== '') return line;
      }
    },
    giveBack: (taken: readonly TextLine[]) => {
      backlog = [...taken, ...backlog];
    },
  };
}

/** All lines, also blank ones; a line that is not UTF-8 comes with its fault and replacement characters. */
async function* textLines(
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<TextLine, undefined> {
  let rest: Buffer[] = [];
  let number = 0;
  const line = (bytes: Buffer): TextLine => {
    number += 1;
    const whole = bytes.at(-1) === 0x0d ? bytes.subarray(0, -1) : bytes;
    try {
      const text = decodeUtf8(whole, `${path}:${number}`);
      return { number, text: number === 1 && text.startsWith('\uFEFF') ? text.slice(1) : text };
    } catch (error) {
      const fault = (error as Error).message.replace(/^.*?, got /s, '');
      return { number, text: whole.toString('utf8'), fault };
    }
  };
  for await (const chunk of readChunks(path, { signal, lineOf: () => number + 1 })) {
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      const bytes = chunk.subarray(from, end);
      const read = line(rest.length === 0 ? bytes : Buffer.concat([...rest, bytes]));
      rest = [];
      from = end + 1;
      yield read;
    }
    if (from < chunk.length) rest.push(chunk.subarray(from));
  }
  if (rest.length > 0) yield line(Buffer.concat(rest));
  return undefined;
}
