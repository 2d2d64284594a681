/** @file The hand-written check of one example: any JSON value in, an {@link Example} out, or an error that names file, line and key. */
import { DataError } from '../../base/errors.ts';
import type { Cause, CauseSpan, Example, HistoryItem, Split } from './example.ts';
import { readTime } from './read-time.ts';
import { isStrictlyBefore, parseTime } from './time.ts';

/** How {@link parseExample} treats what a value leaves open. */
export interface ParseExampleOptions {
  /** The id of an example that has none; without it, a missing id is an error. */
  readonly fallbackId?: string;
  /** Receives the path of every key that is not in the format, such as `rating` or `history[].stars`; it goes to `meta`. */
  readonly onUnknownKey?: (path: string) => void;
}

type Json = Readonly<Record<string, unknown>>;

const EXAMPLE_KEYS = [
  'id',
  'user',
  'time',
  'query',
  'response',
  'history',
  'domain',
  'split',
  'causes',
  'meta',
];
const HISTORY_KEYS = ['id', 'time', 'query', 'text', 'authors', 'meta'];
const CAUSE_KEYS = ['start', 'end', 'cause', 'logRatio'];
const SPLITS: readonly Split[] = ['train', 'validation', 'test'];
const CAUSES: readonly Cause[] = ['user', 'query', 'both', 'neither'];

/**
 * The example that a JSON value spells, checked in every field.
 * A history item without `id` is named `h1`, `h2`, … by its place, without `query` it has an empty one. `null` in a field that
 * may be absent is absence; ids and users may be numbers; times may have any form of {@link readTime} and become ISO 8601.
 * `domain` and an item's `authors` are found in `meta` too.
 * @param value what a line of a file parses to
 * @param where what messages begin with, such as `reviews.jsonl:12`
 * @throws {DataError} missing field, wrong type, blank user, response or history text, lone surrogate, unreadable time,
 *   history out of order or not strictly before the response, duplicate history ids, unknown split,
 *   cause spans that do not cover the response one after the other
 */
export function parseExample(value: unknown, where: string, options: ParseExampleOptions = {}): Example {
  const { fallbackId, onUnknownKey = () => {} } = options;
  if (!isObject(value)) throw problem(where, '', 'a JSON object', value, 'Write one JSON object a line.');
  const check = checker(where);
  const id = isAbsent(value.id) && fallbackId !== undefined ? fallbackId : check.name(value, 'id', 'id');
  const user = check.name(value, 'user', 'user');
  const time = check.time(value, 'time');
  const query = check.text(value, 'query', 'query');
  const response = check.filled(value, 'response', 'response');
  const history = parseHistory(value.history, time, where, onUnknownKey);
  const split = isAbsent(value.split) ? undefined : (value.split as Split);
  if (split !== undefined && !SPLITS.includes(split))
    throw problem(where, 'split', `one of ${SPLITS.join(', ')}`, split, 'Name the split, or leave it out.');
  const causes = isAbsent(value.causes) ? undefined : parseCauses(value.causes, response, where);
  const merged = mergeMeta(value, EXAMPLE_KEYS, where, '', onUnknownKey, '');
  const inMeta = isAbsent(value.domain) && typeof merged?.domain === 'string' && merged.domain.trim() !== '';
  const domain = inMeta
    ? (merged.domain as string)
    : isAbsent(value.domain)
      ? undefined
      : check.name(value, 'domain', 'domain');
  if (domain !== undefined && !inMeta && typeof merged?.domain === 'string')
    throw problem(where, 'domain', 'a key given once', 'it here and in meta', 'Remove one.');
  const meta = inMeta ? without(merged, 'domain') : merged;
  return {
    id,
    user,
    ...(time !== undefined && { time }),
    query,
    response,
    history,
    ...(domain !== undefined && { domain }),
    ...(split !== undefined && { split }),
    ...(causes !== undefined && { causes }),
    ...(meta !== undefined && { meta }),
  };
}

function parseHistory(
  value: unknown,
  responseTime: string | undefined,
  where: string,
  onUnknownKey: (path: string) => void,
): HistoryItem[] {
  if (!Array.isArray(value))
    throw problem(where, 'history', 'an array of items', value, 'Write [] for a user without history.');
  const check = checker(where);
  const response = responseTime === undefined ? undefined : parseTime(responseTime);
  const places = new Map<string, number>();
  let latest: { readonly place: number; readonly time: string; readonly start: number } | undefined;
  return value.map((item: unknown, place): HistoryItem => {
    const path = `history[${place}]`;
    if (!isObject(item)) throw problem(where, path, 'an object with text', item, 'Write {"text": "…"}.');
    const id = isAbsent(item.id) ? `h${place + 1}` : check.name(item, 'id', `${path}.id`);
    const twin = places.get(id);
    if (twin !== undefined)
      throw problem(where, `${path}.id`, 'an id that no other item has', id, 'Rename or remove one.', {
        code: 'data/duplicate-id',
        also: `as history[${twin}]`,
      });
    places.set(id, place);
    const time = check.time(item, `${path}.time`);
    const span = time === undefined ? undefined : parseTime(time)!;
    if (time !== undefined && span !== undefined) {
      if (response !== undefined && !isStrictlyBefore(span, response))
        throw problem(
          where,
          `${path}.time`,
          `a time strictly before the response's ${responseTime}`,
          time,
          'Remove items that are not earlier than the response.',
          { code: 'data/history-order' },
        );
      if (latest !== undefined && span.start < latest.start)
        throw problem(
          where,
          `${path}.time`,
          `a time no earlier than history[${latest.place}]'s ${latest.time} (oldest first)`,
          time,
          'Sort the history, oldest first.',
          { code: 'data/history-order' },
        );
      latest = { place, time, start: span.start };
    }
    const query = isAbsent(item.query) ? '' : check.text(item, 'query', `${path}.query`);
    const text = check.filled(item, 'text', `${path}.text`);
    const merged = mergeMeta(item, HISTORY_KEYS, where, `${path}.`, onUnknownKey, 'history[].');
    const inMeta = isAbsent(item.authors) && isNames(merged?.authors);
    const authors = inMeta ? merged!.authors : isAbsent(item.authors) ? undefined : item.authors;
    if (authors !== undefined && !isNames(authors))
      throw problem(where, `${path}.authors`, 'an array of names', authors, 'Write ["name", "name"].');
    const meta = inMeta ? without(merged!, 'authors') : merged;
    return {
      id,
      ...(time !== undefined && { time }),
      query,
      text,
      ...(authors !== undefined && { authors }),
      ...(meta !== undefined && { meta }),
    };
  });
}

function parseCauses(value: unknown, response: string, where: string): CauseSpan[] {
  const hint = 'Cover the response with spans one after the other, in UTF-16 code units.';
  if (!Array.isArray(value)) throw problem(where, 'causes', 'an array of spans', value, hint);
  let covered = 0;
  const spans = value.map((span: unknown, place): CauseSpan => {
    const path = `causes[${place}]`;
    const fail = (key: string, expected: string, got: unknown) =>
      problem(where, `${path}${key}`, expected, got, hint, { code: 'data/causes' });
    if (!isObject(span)) throw fail('', 'an object {start, end, cause}', span);
    const unknown = Object.keys(span).find((key) => !CAUSE_KEYS.includes(key));
    if (unknown !== undefined) throw fail(`.${unknown}`, `one of the keys ${CAUSE_KEYS.join(', ')}`, unknown);
    const { start, end, cause, logRatio } = span;
    if (start !== covered)
      throw fail('.start', `${covered}, where the span before ends (no gap, no overlap)`, start);
    if (!Number.isInteger(end) || (end as number) <= covered)
      throw fail('.end', `an integer above the start ${covered}`, end);
    if ((end as number) > response.length)
      throw fail('.end', `at most the response's length ${response.length}`, end);
    if (!CAUSES.includes(cause as Cause)) throw fail('.cause', `one of ${CAUSES.join(', ')}`, cause);
    if (logRatio !== undefined && !Number.isFinite(logRatio))
      throw fail('.logRatio', 'a finite number of nats', logRatio);
    covered = end as number;
    return {
      start: start as number,
      end: covered,
      cause: cause as Cause,
      ...(logRatio !== undefined && { logRatio: logRatio as number }),
    };
  });
  if (covered !== response.length)
    throw problem(where, 'causes', `spans up to the response's length ${response.length}`, covered, hint, {
      code: 'data/causes',
      also: 'as the last end',
    });
  return spans;
}

/** `meta` of an object with its unknown keys added; undefined when there is neither. */
function mergeMeta(
  value: Json,
  known: readonly string[],
  where: string,
  path: string,
  onUnknownKey: (path: string) => void,
  unknownPrefix: string,
): Json | undefined {
  const meta = isAbsent(value.meta) ? undefined : value.meta;
  if (meta !== undefined && !isObject(meta))
    throw problem(where, `${path}meta`, 'an object', meta, 'Write an object, or leave it out.');
  const unknown = Object.entries(value).filter(([key, inner]) => !known.includes(key) && inner !== undefined);
  for (const [key] of unknown) {
    if (meta !== undefined && Object.hasOwn(meta, key))
      throw problem(where, `${path}${key}`, 'a key given once', `it here and in ${path}meta`, 'Remove one.');
    onUnknownKey(`${unknownPrefix}${key}`);
  }
  if (unknown.length === 0) return meta;
  return Object.fromEntries([...Object.entries(meta ?? {}), ...unknown]);
}

/** Checks of single fields that throw with `where` and the key's path. */
export function checker(where: string) {
  const text = (value: Json, key: string, path: string): string => {
    const field = value[key];
    if (field === undefined) throw problem(where, path, 'a string', undefined, `Add "${key}".`);
    if (field === null) throw problem(where, path, 'a string', null, 'Fill it in, or remove the row.');
    if (typeof field !== 'string') throw problem(where, path, 'a string', field, 'Write it in quotes.');
    if (/\p{Surrogate}/u.test(field))
      throw problem(where, path, 'well-formed Unicode', 'half of a surrogate pair', 'Fix its \\u escapes.');
    return field;
  };
  const filled = (value: Json, key: string, path: string): string => {
    const field = text(value, key, path);
    if (field.trim() === '')
      throw problem(where, path, 'text', field, 'Fill it in, or remove the row.', { code: 'data/empty' });
    return field;
  };
  /** A name or id: text, or a number that JSON keeps whole. */
  const name = (value: Json, key: string, path: string): string => {
    const field = value[key];
    if (Number.isSafeInteger(field)) return String(field);
    if (typeof field === 'number')
      throw problem(where, path, 'a string or a whole number that is exact', field, 'Write it in quotes.');
    return filled(value, key, path);
  };
  const time = (value: Json, path: string): string | undefined => {
    if (isAbsent(value.time)) return undefined;
    const read = readTime(value.time);
    if (read === undefined)
      throw problem(where, path, 'an ISO 8601 date or date-time', value.time, 'Write it as 2021-03-04.');
    return read.iso;
  };
  return { text, filled, name, time };
}

/** The error of a field: where it is, what was expected there, what is there. */
export function problem(
  where: string,
  path: string,
  expected: string,
  got: unknown,
  hint: string,
  {
    code = got === undefined ? 'data/missing-field' : 'data/wrong-type',
    also = '',
  }: { readonly code?: string; readonly also?: string } = {},
): DataError {
  const subject = path === '' ? where : `${where}: ${path}`;
  const tail = also === '' ? '' : ` ${also}`;
  return new DataError(`${subject}: expected ${expected}, got ${shown(got)}${tail}`, { code, hint });
}

/** A value as messages show it: short, with its kind. */
function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (typeof value === 'string') {
    if (value === '') return 'an empty string';
    if (value.trim() === '') return 'only white space';
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  }
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object') return 'an object';
  return `the ${typeof value} ${String(value)}`;
}

/** Whether a JSON value is an object, not an array or null. */
export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON of other tools writes null where a key is absent. */
export function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string');
}

/** The object without one key; undefined where nothing is left. */
function without(value: Json, key: string): Json | undefined {
  const { [key]: _, ...rest } = value;
  return Object.keys(rest).length === 0 ? undefined : rest;
}
