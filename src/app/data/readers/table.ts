/** @file Tables: one row a text, columns named by flags; the query is a template over columns. */
import { ConfigError, nearestName } from '../../../base/errors.ts';
import type { FaultLog } from '../../../method/corpus/source-faults.ts';
import type { UserText } from '../../../method/corpus/user-text.ts';
import { type ReadTimeOptions, readTime, type TimeForm } from '../../../method/data/read-time.ts';
import type { ReadContext, Reader, ReaderOptions } from '../reader.ts';
import { placeOf, plainText, type Row, shortNumber, valueAt } from '../row.ts';
import { tableRows } from '../table-rows.ts';

const takes = [
  ...(['user', 'time', 'text', 'query', 'domain', 'id', 'name', 'keep', 'dateOrder', 'keepHtml'] as const),
];

const forms = [
  ['csv', 'CSV with a header', 'FILE.csv …'],
  ['tsv', 'tab-separated values with a header', 'FILE.tsv …'],
  ['parquet', 'Parquet', 'FILE.parquet …'],
  ['json', 'a JSON array of objects', 'FILE.json …'],
  ['ndjson', 'JSON lines, one object a line', 'FILE.jsonl …'],
] as const;

/** One reader a form; each reads the others too, by the ending of the file. */
export const tableReaders: readonly Reader[] = forms.map(([name, summary, sources]) => ({
  ...{ name, summary: `${summary}; one row a text`, sources, takes, texts: tableTexts, holdsHtml: true },
}));

/** A template such as `Review of {title}` in its parts: texts at even places, names of columns at odd ones. */
export function templateParts(template: string): readonly string[] {
  const parts = template.split(/\{([^{}]*)\}/);
  if (parts.some((part, place) => place % 2 === 1 && part.trim() === ''))
    throw new ConfigError(`--query: expected the name of a column in braces, got {} in "${template}"`, {
      code: 'usage/template',
      hint: 'Write it as "Review of {title}".',
    });
  return parts.map((part, place) => (place % 2 === 1 ? part.trim() : part));
}

async function* tableTexts({
  sources,
  options,
  faults,
  signal,
  note,
}: ReadContext): AsyncGenerator<UserText> {
  const user = needed(options.user, '--user', 'the column that names who wrote the text');
  const text = needed(options.text, '--text', 'the column of the text');
  const parts = templateParts(options.query ?? '');
  const columns = { ...options, user, text };
  const named = [
    ['--user', user],
    ['--text', text],
    ['--time', options.time],
    ['--domain', options.domain],
    ['--id', options.id],
    ['--name', options.name],
    ...(options.keep ?? []).map((column) => ['--keep', column]),
    ...parts.filter((_, place) => place % 2 === 1).map((column) => ['--query', column]),
  ] as const;
  const forms = new Map<TimeForm, number>();
  for (const source of sources) {
    let isFirst = true;
    for await (const row of tableRows(source, faults, { signal })) {
      // Rows of JSON may lack keys; a column that not even the first row has is a wrong name.
      if (isFirst) checkColumns(row, named as readonly (readonly [string, string | undefined])[]);
      isFirst = false;
      const read = textOfRow(row, columns, parts, faults, forms);
      if (read !== undefined) yield read;
    }
  }
  if (forms.size > 1) note(mixedTimes(forms));
}

function mixedTimes(forms: ReadonlyMap<TimeForm, number>): string {
  const counts = [...forms].map(([form, count]) => `${form} (${count})`).join(', ');
  return `times come in several forms: ${counts}; those without a zone are read as UTC, and a date is its whole day`;
}

function needed(column: string | undefined, flag: string, what: string): string {
  if (column !== undefined) return column;
  throw new ConfigError(`${flag}: expected ${what}, got none`, {
    code: 'usage/missing-flag',
    hint: `Name the column, such as ${flag} ${flag === '--user' ? 'user_id' : 'review'}.`,
  });
}

function checkColumns(row: Row, named: readonly (readonly [flag: string, column: string | undefined])[]) {
  const names = Object.keys(row.values);
  for (const [flag, column] of named) {
    if (
      column === undefined ||
      Object.hasOwn(row.values, column) ||
      valueAt(row.values, column) !== undefined
    )
      continue;
    if (column.includes('.') && Object.hasOwn(row.values, column.split('.')[0]!)) continue;
    const near = nearestName(column, names);
    throw new ConfigError(
      `${flag}: expected a column of ${row.file} (${names.join(', ')}), got "${column}"`,
      {
        code: 'usage/column',
        hint: near === undefined ? 'Name one of these columns.' : `Did you mean "${near}"?`,
      },
    );
  }
}

function textOfRow(
  row: Row,
  columns: ReaderOptions & { readonly user: string; readonly text: string },
  parts: readonly string[],
  faults: FaultLog,
  forms: Map<TimeForm, number>,
): UserText | undefined {
  const field = (name: string) => {
    const value = valueAt(row.values, name);
    const text = plainText(value);
    return text === undefined ? undefined : shortNumber(text.trim());
  };
  const user = field(columns.user);
  if (user === undefined) {
    faults.add(kindOf(valueAt(row.values, columns.user), 'missing-user'), placeOf(row, columns.user));
    return undefined;
  }
  const text = valueAt(row.values, columns.text);
  if (typeof text !== 'string' || plainText(text) === undefined) {
    const isNumber = typeof text === 'number' && Number.isFinite(text);
    faults.add(isNumber ? 'wrong-type' : kindOf(text, 'missing-text'), placeOf(row, columns.text));
    return undefined;
  }
  const time = timeOfRow(row, columns.time, columns, faults, forms);
  if (time === null) return undefined;
  let query = '';
  for (const [place, part] of parts.entries()) {
    const value = place % 2 === 0 ? part : field(part);
    if (value === undefined) {
      faults.add('missing-query-field', placeOf(row, part));
      return undefined;
    }
    query += value;
  }
  const domain = columns.domain === undefined ? undefined : field(columns.domain);
  const id = columns.id === undefined ? undefined : field(columns.id);
  const name = columns.name === undefined ? undefined : field(columns.name);
  const kept = (columns.keep ?? []).flatMap((key) => {
    const value = valueAt(row.values, key);
    return value === undefined || value === null ? [] : [[key, plainJson(value)] as const];
  });
  return {
    user,
    ...(time !== undefined && { time }),
    query,
    text,
    ...(domain !== undefined && { domain }),
    ...(id !== undefined && { id }),
    ...(name !== undefined && { names: [name] }),
    ...(kept.length > 0 && { meta: Object.fromEntries(kept) }),
    place: placeOf(row, columns.text),
  };
}

/** The time of a row in ISO 8601; undefined where no column is named; null, and told, where it cannot be read. */
export function timeOfRow(
  row: Row,
  column: string | undefined,
  options: ReadTimeOptions,
  faults: FaultLog,
  forms?: Map<TimeForm, number>,
): string | undefined | null {
  if (column === undefined) return undefined;
  const value = valueAt(row.values, column);
  const read = readTime(value, options);
  if (read !== undefined) {
    forms?.set(read.form, (forms.get(read.form) ?? 0) + 1);
    return read.iso;
  }
  const isMissing = value instanceof Date || plainText(value) === undefined;
  faults.add(isMissing ? 'missing-time' : 'unreadable-time', placeOf(row, column), String(value));
  return null;
}

/** A missing value, or one of a type that has no text. */
function kindOf<T extends 'missing-user' | 'missing-text'>(value: unknown, missing: T): T | 'wrong-type' {
  const isMissing =
    value === undefined || value === null || typeof value === 'string' || typeof value === 'number';
  return isMissing ? missing : 'wrong-type';
}

/** A value of a table as JSON has it. */
function plainJson(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return null;
  if (value instanceof Date) return Number.isFinite(value.getTime()) ? value.toISOString() : null;
  return value;
}
