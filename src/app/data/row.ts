/** @file A row of a table or a value of a JSON file, with its place. */
import type { Place } from '../../method/corpus/user-text.ts';

/** One row, by column. */
export interface Row {
  readonly values: Readonly<Record<string, unknown>>;
  readonly file: string;
  /** Line where it begins, or number of the row where there are no lines. */
  readonly line: number;
  /** Column of the line where a cell begins, where the file has lines. */
  readonly columnOf?: (name: string) => number | undefined;
}

export function placeOf({ file, line, columnOf }: Row, name?: string): Place {
  const column = name === undefined ? undefined : (columnOf?.(name) ?? name);
  return { file, line, ...(column !== undefined && { column }) };
}

/** The value at a name, or at a path such as `user.id`. */
export function valueAt(row: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(row, name)) return row[name];
  let value: unknown = row;
  for (const key of name.split('.')) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The text of a plain value: strings as they are, numbers and booleans in digits and words; undefined for what says nothing. */
export function plainText(value: unknown): string | undefined {
  if (typeof value === 'string') return /^\s*(?:nan|null|none|n\/a)?\s*$/i.test(value) ? undefined : value;
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : undefined;
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  return undefined;
}

/** A number of a table as people write it: `5` for `5.0`. */
export function shortNumber(text: string): string {
  return /^-?\d+\.0+$/.test(text) ? text.slice(0, text.indexOf('.')) : text;
}

/** The objects of a list; nothing where it is none. */
export function objectsOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
