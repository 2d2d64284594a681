/** @file Tests of chat exports, mail and folders: whose texts are taken, what they answer, when they were written. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ownLines, parseMail } from '../../../../src/app/data/mime.ts';
import type { Example } from '../../../../src/method/data/example.ts';
import { dataFolder } from '../../../support/data-files.ts';

const { folder, file, convert } = dataFolder('chats');
const short = (examples: readonly Example[]) =>
  examples.map(({ query, response, history }) => [query, response, ...history.map(({ text }) => text)]);

describe('openai', () => {
  it('takes the assistant’s messages, and the user’s where it is told to; code stays as it is', async () => {
    const chat = (asked: unknown, answered: string) => ({
      messages: [
        { role: 'system', content: 'You are me.' },
        { role: 'user', content: asked },
        { role: 'assistant', content: answered },
      ],
    });
    const path = file('chat.jsonl', [
      chat('hi?', 'ahoy <b>'),
      chat([{ type: 'text', text: 'bye?' }], 'so long'),
    ]);
    expect(short((await convert('openai', [path])).examples)).toEqual([['bye?', 'so long', 'ahoy <b>']]);
    const { examples } = await convert('openai', [path], { role: 'user', author: 'ann' });
    expect(short(examples)).toEqual([['Begin a conversation.', 'bye?', 'hi?']]);
    expect(examples[0]!.user).toBe('ann');
  });
});

describe('chatgpt', () => {
  const message = (role: string, text: string, at: number) => ({
    ...{ id: `m${at}`, author: { role }, create_time: at, content: { content_type: 'text', parts: [text] } },
  });
  it('walks from the current node to the root, and counts messages of other branches', async () => {
    const mapping = {
      root: { id: 'root', message: null, parent: null, children: ['a'] },
      a: { id: 'a', message: message('user', 'first', 1600000000.5), parent: 'root', children: ['b'] },
      b: { id: 'b', message: message('assistant', 'reply', 1600000010), parent: 'a', children: ['c', 'd'] },
      c: { id: 'c', message: message('user', 'abandoned', 1600000020), parent: 'b', children: [] },
      d: { id: 'd', message: message('user', 'second', 1600000030), parent: 'b', children: [] },
    };
    const path = file('conversations.json', [
      { id: 'x', title: 't', create_time: 1600000000, mapping, current_node: 'd' },
    ]);
    const { examples, faults } = await convert('chatgpt', [path]);
    expect(short(examples)).toEqual([['reply', 'second', 'first']]);
    expect(examples[0]).toMatchObject({ user: 'me', time: '2020-09-13T12:27:10Z' });
    expect(faults).toMatchObject({ 'not-in-branch': 1 });
    await expect(convert('chatgpt', [file('export.zip', 'PK')])).rejects.toMatchObject({
      code: 'data/archive',
    });
  });
});

describe('claude', () => {
  it('takes the person’s messages', async () => {
    const said = (sender: string, text: string, created_at: string) => ({
      uuid: created_at,
      sender,
      text,
      created_at,
    });
    const chat_messages = [
      said('human', 'one', '2024-01-01T10:00:00Z'),
      said('assistant', 'answer', '2024-01-01T10:01:00Z'),
      said('human', 'two', '2024-01-01T10:02:00Z'),
    ];
    const path = file('claude.json', [{ uuid: 'c', name: 'n', chat_messages }]);
    expect(short((await convert('claude', [path])).examples)).toEqual([['answer', 'two', 'one']]);
  });
});

describe('telegram', () => {
  const said = (id: number, from: string, text: unknown, minutes: number) => ({
    ...{ id, type: 'message', date: '2020-09-13T12:26:40', date_unixtime: String(1600000000 + minutes * 60) },
    ...{ from, from_id: `user${from}`, text, text_entities: [] },
  });
  const messages = [
    said(1, 'Ann', 'hello', 0),
    said(2, 'Ann', ['are ', { type: 'bold', text: 'you' }, ' there?'], 1),
    said(3, 'Bob', 'yes', 30),
    { id: 4, type: 'service', action: 'pin' },
    said(5, 'Ann', 'good', 40),
    said(6, 'Bob', '', 41),
    said(7, 'Bob', 'a day and more later', 3000),
  ];
  const whole = { chats: { list: [{ name: 'Bob', type: 'personal_chat', id: 9, messages }] } };

  it('joins messages in a row, and gives everybody’s texts with what they answer', async () => {
    const { examples, faults } = await convert('telegram', [file('result.json', whole)]);
    expect(short(examples)).toEqual([
      ['yes', 'good', 'hello\nare you there?'],
      ['Begin a conversation.', 'a day and more later', 'yes'],
    ]);
    expect(examples.map(({ user, meta }) => [user, meta])).toEqual([
      ['userAnn', { names: ['Ann'] }],
      ['userBob', { names: ['Bob'] }],
    ]);
    expect(faults).toMatchObject({ 'unreadable-message': 1 });
  });

  it('takes one author alone, from one chat', async () => {
    const path = file('one.json', whole.chats.list[0]);
    const { examples, faults } = await convert('telegram', [path], { author: 'Ann' });
    expect(examples.map(({ user }) => user)).toEqual(['userAnn']);
    expect(faults['other-author']).toBe(2);
  });
});

describe('mbox', () => {
  const mail = (from: string, date: string, subject: string, rest: string) =>
    `From x@y Fri Aug 18 10:00:00 2017\r\nFrom: ${from}\r\nDate: ${date}\r\nSubject: ${subject}\r\n${rest}\r\n\r\n`;
  const plain = 'Content-Type: text/plain; charset=utf-8\r\n\r\n';

  it('takes each author’s own lines, decoded, with the subject as what they answer', async () => {
    const path = file(
      'mail.mbox',
      Buffer.from(
        mail(
          '"Ann B" <Ann@x.org>',
          'Fri, 18 Aug 2017 10:00:00 +0200',
          'Tea',
          `${plain}First mail.\n>From quoted\n`,
        ) +
          mail(
            'ann@x.org',
            'Sat, 19 Aug 2017 10:00:00 +0200',
            '=?utf-8?Q?caf=C3=A9?=',
            'Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nR=E9ply of=\n mine.\n\nOn Friday Bob wrote:\n> old\n-- \nAnn',
          ) +
          mail('bob@x.org', 'nonsense', 'No', `${plain}text`),
      ),
    );
    const { examples, faults, first } = await convert('mbox', [path]);
    expect(short(examples)).toEqual([['Write a mail: café', 'Réply of mine.', 'First mail.\nFrom quoted']]);
    expect(examples[0]).toMatchObject({ user: 'ann@x.org', time: '2017-08-19T10:00:00+0200' });
    expect(faults).toMatchObject({ 'unreadable-time': 1 });
    expect(first['unreadable-time']).toContain('nonsense');
  });

  it('finds the plain part of a mail of several, and the text of one of HTML alone', () => {
    const parts =
      'Content-Type: multipart/alternative; boundary="b"\n\npreamble\n--b\nContent-Type: text/html\n\n<p>H</p>\n--b\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\n' +
      `${Buffer.from('plain é').toString('base64')}\n--b--\n`;
    expect(parseMail(parts).text!.trim()).toBe('plain é');
    expect(parseMail('Content-Type: text/html\n\n<p>one</p><p>two &amp; more</p>').text).toBe(
      'one\n\ntwo & more',
    );
    expect(parseMail('Content-Type: image/png\n\nxx').text).toBeUndefined();
    expect(ownLines('mine\n-- \nsignature')).toBe('mine');
  });
});

describe('folder', () => {
  it('reads files of one author by date, from name or front matter, with their titles', async () => {
    const dir = join(folder, 'ann');
    mkdirSync(join(dir, 'more'), { recursive: true });
    file('ann/2020-01-02-on-tea.md', '# On tea\n\nTea is good.');
    file('ann/more/late.txt', '---\ntitle: "Late words"\ndate: 2021-05-06\n---\nLate text.');
    file('ann/undated.txt', 'no date');
    file('ann/2019-bad.txt', new Uint8Array([0x61, 0xff]));
    file('ann/picture.png', 'no text');
    const { examples, faults } = await convert('folder', [dir]);
    expect(short(examples)).toEqual([['Write: Late words', 'Late text.', 'Tea is good.']]);
    expect(examples[0]).toMatchObject({ user: 'ann', id: 'ann/more/late.txt', time: '2021-05-06' });
    expect(faults).toMatchObject({ 'missing-time': 1, 'bad-utf8': 1 });
  });
});
