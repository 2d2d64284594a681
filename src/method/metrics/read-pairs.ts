/** @file Files of predictions beside what users wrote: JSON lines, checked as examples are. */
import { DataError } from '../../base/errors.ts';
import { rowsFromJsonl } from '../data/jsonl.ts';
import type { NoticeListener } from '../data/notice.ts';
import { checker, isAbsent, isObject, problem } from '../data/parse-example.ts';
import type { TextPair } from './metric.ts';

/** Options of {@link pairsFromJsonl}. */
export interface ReadPairsOptions {
  /** Receives at most one message: the keys that are not in the format, which are not read. */
  readonly onNotice?: NoticeListener | undefined;
  readonly signal?: AbortSignal;
}

const KEYS = ['id', 'user', 'prediction', 'references', 'reference', 'history'];

/**
 * The rows of a file: `{"prediction", "references": […]}` with optional `user`, `id` and `history` (texts, or items with a
 * `text`). A single `reference` may stand for `references`. A prediction may be empty, a reference too.
 * @param path a `.jsonl` or `.jsonl.gz` file
 * @throws {DataError} with `FILE:LINE`, key, expected and got of every bad line, the first twenty
 * @throws {AbortedError} when `signal` is aborted
 */
export async function pairsFromJsonl(
  path: string,
  { onNotice = () => {}, ...reading }: ReadPairsOptions = {},
): Promise<TextPair[]> {
  const unknown = new Set<string>();
  const pairs = await rowsFromJsonl(path, 'pair', reading, (value, where) => {
    const pair = parsePair(value, where);
    for (const key of Object.keys(value as object)) if (!KEYS.includes(key)) unknown.add(key);
    return pair;
  });
  if (unknown.size > 0) onNotice({ code: 'metrics/unknown-keys', path, keys: [...unknown] });
  return pairs;
}

function parsePair(value: unknown, where: string): TextPair {
  if (!isObject(value)) throw problem(where, '', 'a JSON object', value, 'Write one JSON object a line.');
  const check = checker(where);
  const name = (key: 'id' | 'user') => (isAbsent(value[key]) ? {} : { [key]: check.name(value, key, key) });
  const single = isAbsent(value.references) && !isAbsent(value.reference);
  const history = isAbsent(value.history) ? undefined : texts(value.history, 'history', where);
  return {
    ...name('id'),
    ...name('user'),
    prediction: check.text(value, 'prediction', 'prediction'),
    references: single
      ? [check.text(value, 'reference', 'reference')]
      : filled(texts(value.references, 'references', where), where),
    ...(history !== undefined && { history }),
  };
}

/** Texts in an array: strings, or objects with a `text` as history items are. */
function texts(value: unknown, key: string, where: string): string[] {
  const hint = 'Write an array of texts.';
  if (!Array.isArray(value)) throw problem(where, key, 'an array of texts', value, hint);
  const check = checker(where);
  return value.map((entry: unknown, place) => {
    const path = `${key}[${place}]`;
    return isObject(entry)
      ? check.text(entry, 'text', `${path}.text`)
      : check.text({ [path]: entry }, path, path);
  });
}

function filled(references: string[], where: string): string[] {
  if (references.length > 0) return references;
  throw new DataError(`${where}: references: expected at least one text, got an empty array`, {
    code: 'data/no-reference',
    hint: 'Give what the user wrote, or remove the row.',
  });
}
