/** @file Plain folders of one author's texts: one file a text, its title as what it answers, its date from name or front matter. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, extname, join, relative, resolve } from 'node:path';
import { DataError, throwIfAborted } from '../../../base/errors.ts';
import type { UserText } from '../../../method/corpus/user-text.ts';
import { decodeUtf8 } from '../../../method/data/lines.ts';
import { readTime } from '../../../method/data/read-time.ts';
import type { ReadContext, Reader } from '../reader.ts';
import { templateParts } from './table.ts';

export const folderReader: Reader = {
  name: 'folder',
  summary: 'folders of .txt and .md files, one author a folder; --query may name {title} and {file}',
  sources: 'FOLDER …',
  takes: ['author', 'query', 'dateOrder'],
  texts: folderTexts,
};

const TEXT_FILE = /\.(?:txt|md|markdown|text)$/i;
const LARGEST = 64 * 2 ** 20;

async function* folderTexts({
  sources,
  options,
  faults,
  signal,
  note,
}: ReadContext): AsyncGenerator<UserText> {
  const template = templateParts(options.query ?? 'Write: {title}');
  for (const folder of sources) {
    const user = options.author ?? basename(resolve(folder));
    const found = [];
    for (const path of await textFiles(folder)) {
      throwIfAborted(signal);
      const place = { file: path };
      if ((await stat(path)).size > LARGEST) {
        faults.add('gigantic-text', place);
        continue;
      }
      const content = decodedFile(await readFile(path), path);
      if (content instanceof Error) {
        faults.add('bad-utf8', place, content.message.replace(/^.*?, got /s, ''));
        continue;
      }
      found.push({ path, place, ...partsOf(content, path) });
    }
    const dated = found.map((each) => ({ ...each, time: readTime(each.date, options)?.iso }));
    const undated = dated.filter(({ time }) => time === undefined).length;
    const hasTimes = undated < dated.length;
    if (!hasTimes)
      note(`${folder}: no file has a date in its name or front matter; the order of names is that of time`);
    for (const { path, place, title, text, time, date } of dated) {
      if (hasTimes && time === undefined) {
        faults.add(date === undefined ? 'missing-time' : 'unreadable-time', place, date);
        continue;
      }
      const fields: Readonly<Record<string, string>> = { title, file: basename(path) };
      yield {
        ...{ user, text, place, id: relative(folder, path) },
        query: template.map((part, at) => (at % 2 === 0 ? part : (fields[part] ?? ''))).join(''),
        ...(time !== undefined && { time }),
      };
    }
  }
}

async function textFiles(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw new DataError(`${folder}: expected a folder of texts, got none that can be read`, {
      code: 'data/folder',
      hint: 'Check the path.',
      cause,
    });
  });
  return entries
    .filter((entry) => entry.isFile() && TEXT_FILE.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function decodedFile(bytes: Buffer, path: string): string | Error {
  try {
    return decodeUtf8(bytes, path).replace(/^\uFEFF/, '');
  } catch (error) {
    return error as Error;
  }
}

/** Title, date and text of a file: front matter (`---`), a first heading, a date in the name. */
function partsOf(content: string, path: string) {
  const front = /^---\r?\n([\s\S]*?)\r?\n---\r?\n?/.exec(content);
  const field = (name: string) =>
    new RegExp(`^${name}:\\s*["']?(.*?)["']?\\s*$`, 'im').exec(front?.[1] ?? '')?.[1] || undefined;
  const body = front === null ? content : content.slice(front[0].length);
  const heading = /^\s*#\s+(.+?)\s*#*\s*(?:\r?\n|$)/.exec(body);
  const name = basename(path, extname(path));
  const inName = /(?:19|20)\d{2}[-_.]?\d{2}[-_.]?\d{2}|(?:19|20)\d{2}(?!\d)/.exec(name)?.[0];
  const bare = inName === undefined ? name : name.replace(inName, '');
  return {
    date: field('date') ?? inName?.replaceAll(/[_.]/g, '-'),
    title:
      field('title') ??
      heading?.[1] ??
      (bare.replace(/^[\s._-]+|[\s._-]+$/g, '').replace(/[_-]+/g, ' ') || name),
    text: heading === null ? body : body.slice(heading[0].length),
  };
}
