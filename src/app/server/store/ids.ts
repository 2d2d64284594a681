/** @file Which ids and texts a store takes: ids go into URLs and logs of others, and texts must come back as they were given. */
import { DataError } from '../../../base/errors.ts';

/** What ids are made of, and that in words. */
export const ID_RULES = {
  user: { pattern: /^[A-Za-z0-9._:@-]{1,128}$/, words: '1 to 128 of A-Z a-z 0-9 . _ : @ -' },
  item: { pattern: /^[A-Za-z0-9._:@-]{1,64}$/, words: '1 to 64 of A-Z a-z 0-9 . _ : @ -' },
  adapter: { pattern: /^[A-Za-z0-9._-]{1,64}$/, words: '1 to 64 of A-Z a-z 0-9 . _ -' },
  key: { pattern: /^[A-Za-z0-9._-]{1,64}$/, words: '1 to 64 of A-Z a-z 0-9 . _ -' },
} as const;

/** @throws {DataError} `store/id` with the rule */
export function checkId(kind: keyof typeof ID_RULES, id: string): void {
  const { pattern, words } = ID_RULES[kind];
  if (pattern.test(id)) return;
  throw new DataError(`${kind} id: expected ${words}, got ${JSON.stringify(id.slice(0, 140))}`, {
    code: 'store/id',
    hint: `Choose another id for the ${kind}.`,
  });
}

/**
 * Refuses what the database would change in silence: half of a surrogate pair becomes another character, and a text ends at its
 * first NUL.
 * @throws {DataError} `store/text`
 */
export function checkText(where: string, text: string): void {
  if (/\p{Surrogate}/u.test(text)) throw halfPair(where);
  if (!text.includes('\0')) return;
  throw new DataError(`${where}: expected text without NUL characters, got one at ${text.indexOf('\0')}`, {
    code: 'store/text',
    hint: 'Remove the NUL characters.',
  });
}

/** A value as JSON text. @throws {DataError} `store/text` for half of a surrogate pair */
export function jsonText(where: string, value: unknown): string {
  const text = JSON.stringify(value);
  // JSON.stringify writes half of a pair as an escape; two backslashes before the u are text.
  if (/(^|[^\\])(\\\\)*\\ud[89a-f]/.test(text)) throw halfPair(where);
  return text;
}

function halfPair(where: string): DataError {
  return new DataError(`${where}: expected well-formed Unicode, got half of a surrogate pair`, {
    code: 'store/text',
    hint: 'Correct its \\u escapes.',
  });
}
