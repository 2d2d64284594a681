/** @file Texts of authors as people keep them: a folder of text files, one file of paragraphs or lines, and a public pool of others. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../../base/errors.ts';
import { randomStream } from '../../base/random.ts';
import type { HistoryItem } from '../../method/data/example.ts';
import { examplesFromJsonl, rowsFromJsonl } from '../../method/data/jsonl.ts';
import { checker, isObject, problem } from '../../method/data/parse-example.ts';
import { countWords, firstSentences } from '../../method/data/sentences.ts';

/** Words of an item at most, so that all authors' items are of like length. */
const ITEM_WORDS = 120;

/** Words of a paragraph that counts as a text: headings and greetings say little. */
const FEWEST_WORDS = 5;

/** Items of each other author at most. */
const OTHERS_ITEMS = 8;

const IS_TEXT = /\.(?:txt|md)$/i;

/**
 * The text of a UTF-8 file.
 * @throws {DataError} when it is missing, unreadable, not UTF-8, or has no words
 */
export async function readAuthorText(path: string): Promise<string> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(`${path}: expected a readable text file, got ${cause.code}`, {
      code: cause.code === 'ENOENT' ? 'data/missing-file' : 'data/read',
      hint: 'Check the path of the text.',
      cause,
    });
  });
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new DataError(`${path}: expected text in UTF-8, got other bytes`, {
      code: 'data/utf8',
      hint: 'Save it as plain text in UTF-8.',
      cause,
    });
  }
  if (countWords(text) > 0) return text;
  throw new DataError(`${path}: expected text, got none`, {
    code: 'data/empty',
    hint: 'Name a file with text.',
  });
}

/**
 * An author's texts, each cut to its first 120 words: the .txt and .md files of a folder in the order of their names, the
 * paragraphs of one such file, or the lines `{"text": …}` of a .jsonl file.
 * @throws {DataError} when the path is missing or holds no texts
 */
export async function readAuthorTexts(path: string): Promise<HistoryItem[]> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const texts = isFolder ? await textsOfFolder(path) : await textsOfFile(path);
  const items = texts
    .filter((text) => countWords(text) >= FEWEST_WORDS)
    .map((text, place) => itemOf(text, `h${place + 1}`));
  if (items.length > 0) return items;
  throw new DataError(`${path}: expected texts of at least ${FEWEST_WORDS} words, got none`, {
    code: 'data/no-history',
    hint: 'Name a folder of .txt or .md files, a text file with paragraphs, or a .jsonl file of {"text": …}.',
  });
}

/**
 * Histories of other authors: those of the users of an example file, or passages of presidents' State of the Union addresses.
 * @param count how many, drawn by `seed`; fewer where there are not so many
 */
export async function readOtherAuthors(
  path: string | undefined,
  count: number,
  seed: number,
): Promise<HistoryItem[][]> {
  const byUser = new Map<string, readonly HistoryItem[]>();
  if (path === undefined) {
    const { prepareSotuPassages, sotuPassages } = await import('../../method/data/sotu-passages.ts');
    await prepareSotuPassages();
    for (const { user, opening, text, id } of sotuPassages())
      byUser.set(user, [...(byUser.get(user) ?? []), { id, query: '', text: `${opening} ${text}` }]);
  } else {
    for (const { user, history } of await examplesFromJsonl(path))
      if (history.length > (byUser.get(user)?.length ?? 0)) byUser.set(user, history);
  }
  const stream = randomStream(seed, 'authorship/others');
  const users = stream.shuffle(
    [...byUser.values()].filter((items) => items.length >= Math.min(3, OTHERS_ITEMS)),
  );
  if (users.length === 0)
    throw new DataError(`${path}: expected users with at least 3 history items, got none`, {
      code: 'data/no-history',
      hint: 'Give more texts of other authors, or leave --others out for presidents’ addresses.',
    });
  return users.slice(0, count).map((items) =>
    stream
      .shuffle(items)
      .slice(0, OTHERS_ITEMS)
      .map(({ text, id }) => itemOf(text, id)),
  );
}

function itemOf(text: string, id: string): HistoryItem {
  return { id, query: '', text: firstSentences(text.trim(), ITEM_WORDS) };
}

async function textsOfFolder(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => IS_TEXT.test(name)).sort();
  return Promise.all(names.map((name) => readAuthorText(join(folder, name))));
}

async function textsOfFile(path: string): Promise<string[]> {
  if (!/\.jsonl(?:\.gz)?$/.test(path)) return (await readAuthorText(path)).split(/\r?\n\s*\n/);
  return rowsFromJsonl(path, 'text', {}, (value, where) => {
    if (!isObject(value)) throw problem(where, '', 'an object with text', value, 'Write {"text": "…"}.');
    return checker(where).filled(value, 'text', 'text');
  });
}
