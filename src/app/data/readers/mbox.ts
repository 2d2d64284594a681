/** @file Mail in mbox files: each author's own lines, the subject as what they answer. */
import type { UserText } from '../../../method/corpus/user-text.ts';
import { readChunks } from '../../../method/data/lines.ts';
import { readTime } from '../../../method/data/read-time.ts';
import { ownLines, parseMail } from '../mime.ts';
import type { ReadContext, Reader } from '../reader.ts';

export const mboxReader: Reader = {
  name: 'mbox',
  summary: 'mail; everybody’s own lines, or those of --author (address or name)',
  sources: 'FILE.mbox …',
  takes: ['author'],
  texts: mboxTexts,
};

/** Characters of a mail that are kept; attachments make the rest. */
const LONGEST = 8 * 2 ** 20;

interface RawMail {
  readonly line: number;
  readonly raw: string;
}

async function* mboxTexts({ sources, options, faults, signal }: ReadContext): AsyncGenerator<UserText> {
  for (const path of sources)
    for await (const { line, raw } of rawMails(path, signal)) {
      const place = { file: path, line };
      const { headers, text } = parseMail(raw);
      const headerOf = (name: string) => headers.get(name.toLowerCase()) ?? '';
      const from = headerOf('From');
      const address = (/<([^<>]+)>/.exec(from)?.[1] ?? from).trim().toLowerCase();
      const name = from
        .replace(/<[^<>]*>/, '')
        .replace(/^\s*"|"\s*$/g, '')
        .trim();
      const wanted = options.author?.toLowerCase();
      const subject = headerOf('Subject');
      const time = readTime(headerOf('Date'))?.iso;
      const own = text === undefined ? '' : ownLines(text);
      if (address === '') faults.add('missing-user', place);
      else if (wanted !== undefined && wanted !== address && wanted !== name.toLowerCase())
        faults.add('other-author', place, from);
      else if (own.trim() === '')
        faults.add(text === undefined ? 'unreadable-message' : 'missing-text', place, subject);
      else if (time === undefined)
        faults.add(headers.has('date') ? 'unreadable-time' : 'missing-time', place, headers.get('date'));
      else
        yield {
          ...{ user: address, text: own, time, place },
          query: subject === '' ? 'Write a mail.' : `Write a mail: ${subject}`,
          ...(name !== '' && { names: [name] }),
          ...(headers.has('message-id') && { id: headers.get('message-id')! }),
        };
    }
}

/** The mails of a file, as Latin-1 text, cut where they are too long. */
async function* rawMails(path: string, signal: AbortSignal | undefined): AsyncGenerator<RawMail> {
  let rest = '';
  let number = 0;
  let begin = 0;
  let lines: string[] = [];
  let length = 0;
  let isBlank = true;
  const take = function* (line: string): Generator<RawMail> {
    number += 1;
    if (isBlank && line.startsWith('From ')) {
      if (begin > 0) yield { line: begin, raw: lines.join('\n') };
      begin = number;
      lines = [];
      length = 0;
    } else if (begin > 0 && length < LONGEST) {
      lines.push(line.replace(/^>(>*From )/, '$1'));
      length += line.length;
    }
    isBlank = line.trim() === '';
  };
  for await (const chunk of readChunks(path, { signal })) {
    const parts = (rest + chunk.toString('latin1')).split('\n');
    rest = parts.pop()!;
    for (const line of parts) yield* take(line.endsWith('\r') ? line.slice(0, -1) : line);
  }
  if (rest !== '') yield* take(rest);
  if (begin > 0) yield { line: begin, raw: lines.join('\n') };
}
