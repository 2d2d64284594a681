/** @file Tests of sources: every form is read by its reader, everything else is refused with what is possible. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, ConfigError } from '../../../src/base/errors.ts';
import { examplesFromJsonl } from '../../../src/method/data/jsonl.ts';
import type { Notice } from '../../../src/method/data/notice.ts';
import { sotuExamples } from '../../../src/method/data/sotu.ts';
import { readExamples, takeOfSource } from '../../../src/method/data/source.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nextquill-source-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

it('a limit takes the first examples of a file, and some of every user of other sources', () => {
  const examples = ['a', 'a', 'a', 'b', 'c'].map((user, i) => ({
    id: String(i),
    user,
    query: 'q',
    response: 'r',
    history: [],
  }));
  const users = (source: string) => takeOfSource(source, examples, 3).map(({ user }) => user);
  expect(users('x.jsonl')).toEqual(['a', 'a', 'a']);
  expect(users('sotu')).toEqual(['a', 'b', 'c']);
  // The ending of an acl: path once made it a file of examples.
  expect(users('acl:x.jsonl.gz')).toEqual(['a', 'b', 'c']);
});

describe('readExamples', () => {
  it('reads a file of JSON lines, its warning and its limit', async () => {
    const path = join(folder, 'x.jsonl');
    const row = (id: string) =>
      `{"id":"${id}","user":"u","query":"q","response":"r","history":[],"stars":1}\n`;
    writeFileSync(path, row('a') + row('b'));
    const notices: Notice[] = [];
    expect(await readExamples(path, { onNotice: (notice) => notices.push(notice) })).toEqual(
      await examplesFromJsonl(path),
    );
    expect(notices).toHaveLength(1);
    expect(await readExamples(path, { limit: 1 })).toHaveLength(1);
  });

  it('reads sotu with its seed, and a limit spreads over users and splits', async () => {
    expect(await readExamples('sotu', { seed: 2 })).toEqual(sotuExamples({ seed: 2 }));
    const few = await readExamples('sotu', { limit: 60 });
    expect(few).toHaveLength(60);
    expect(new Set(few.map(({ user }) => user)).size).toBeGreaterThan(25);
    expect(new Set(few.map(({ split }) => split)).size).toBe(3);
  });

  it('reads acl:PATH', async () => {
    const path = join(folder, 'papers.jsonl');
    const row = (year: string) =>
      JSON.stringify({
        id: year,
        year,
        title: 't',
        authors: ['A'],
        abstract: `In ${year} ${'we wrote '.repeat(12)}`,
      });
    writeFileSync(path, `${row('2019')}\n${row('2020')}\n`);
    expect((await readExamples(`acl:${path}`)).map(({ id }) => id)).toEqual(['2020']);
  });

  it.each(['reviews.json', 'reviews.csv', 'acl:', '.jsonl', '', 'SOTU'])('refuses "%s"', async (source) => {
    const error = await readExamples(source).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toBe(
      `data: expected one of sotu, acl:PATH, FILE.jsonl or FILE.jsonl.gz, got "${source}"`,
    );
  });

  it('suggests sotu for a near miss', async () => {
    await expect(readExamples('stou')).rejects.toMatchObject({
      hint: expect.stringContaining('Did you mean "sotu"?'),
    });
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses the limit %s', async (limit) => {
    await expect(readExamples('sotu', { limit })).rejects.toThrow(
      'limit: expected a whole number of examples',
    );
  });

  it('stops when it is aborted', async () => {
    await expect(readExamples('sotu', { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(AbortedError);
  });
});
