/** @file A text of a user, before it is a response or an item of a history: what readers of dumps, tables and exports yield. */

/** Where something stands in a file. */
export interface Place {
  readonly file: string;
  /** Line of a text file, row of a table without lines; counted from 1. */
  readonly line?: number;
  /** Column of the line, counted from 1, or the name of a key. */
  readonly column?: number | string;
}

/** One text that a user wrote. */
export interface UserText {
  readonly user: string;
  /** ISO 8601; absent where the order of the source stands for time. */
  readonly time?: string;
  /** What the text answers. */
  readonly query: string;
  readonly text: string;
  readonly domain?: string;
  /** Unique within the user, where the source has one. */
  readonly id?: string;
  /** The author's own names, where the source tells them apart from `user`. */
  readonly names?: readonly string[];
  readonly meta?: Readonly<Record<string, unknown>>;
  /** Key of what the text is about; its query is completed from there. */
  readonly about?: string;
  readonly place: Place;
}

/** `FILE:LINE:COLUMN`, as far as known. */
export function placeText({ file, line, column }: Place): string {
  const at = line === undefined ? file : `${file}:${line}`;
  if (column === undefined) return at;
  return typeof column === 'number' ? `${at}:${column}` : `${at}: ${column}`;
}
