/** @file Tests of the ACL Anthology examples, on a small file of the same format written here, and on the real one where it is. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataError } from '../../../src/base/errors.ts';
import { aclExamples } from '../../../src/method/data/acl.ts';
import { checkLeakage } from '../../../src/method/data/leakage.ts';
import type { Notice } from '../../../src/method/data/notice.ts';
import { forEvaluation, takeAcrossUsers } from '../../../src/method/data/splits.ts';
import { matchedOthers } from '../../../src/method/others/matching.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nextquill-acl-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const filler = 'words that fill the abstract so that it is long enough to be kept by the reader of papers';
const paper = (id: string, year: string, authors: string[], change: object = {}) => ({
  id,
  year,
  title: `Title of ${id}`,
  authors,
  abstract: `We study ${id} with ${filler}.`,
  ...change,
});

let files = 0;
function file(rows: readonly unknown[]): string {
  const path = join(folder, `${++files}.jsonl.gz`);
  writeFileSync(
    path,
    gzipSync(rows.map((row) => `${typeof row === 'string' ? row : JSON.stringify(row)}\n`).join('')),
  );
  return path;
}

const papers = [
  paper('c', '2019', ['Ada', 'Bob']),
  paper('a', '2016', ['Ada']),
  paper('b1', '2018', ['Ada', 'Cy']),
  paper('b2', '2018', ['Ada']),
  paper('x', '2017', ['Bob', 'Ada']),
  paper('y', '2021', ['Bob']),
  paper('z', '2020', ['Cy']),
];

describe('aclExamples', () => {
  it('gives a first author the strictly earlier papers as history, oldest first', async () => {
    const examples = await aclExamples(file(papers));
    const histories = examples.map(({ id, user, history }) => [user, id, history.map((item) => item.id)]);
    expect(histories).toEqual([
      ['Ada', 'b1', ['a']],
      ['Ada', 'b2', ['a']],
      ['Ada', 'c', ['a', 'b1', 'b2']],
      ['Bob', 'y', ['x']],
    ]);
    expect(examples[2]).toMatchObject({
      time: '2019',
      query: 'Title of c',
      response: papers[0]!.abstract,
      meta: { authors: ['Ada', 'Bob'] },
    });
    expect(examples[2]!.history[0]).toMatchObject({ query: 'Title of a', time: '2016' });
  });

  it('keeps the latest papers, and obeys its other options', async () => {
    const path = file(papers);
    const last = await aclExamples(path, { historySize: 2, responses: 'last' });
    expect(last.map(({ id, history }) => [id, history.map((item) => item.id)])).toEqual([
      ['c', ['b1', 'b2']],
      ['y', ['x']],
    ]);
    const ids = async (options: object) => (await aclExamples(path, options)).map(({ id }) => id);
    expect(await ids({ minHistory: 3 })).toEqual(['c']);
    expect(await ids({ minPapers: 3 })).toEqual(['b1', 'b2', 'c']);
    expect(await ids({ minHistory: 0 })).toHaveLength(papers.length);
    const short = await aclExamples(path, { historyWords: 5 });
    expect(short[0]!.history[0]!.text).toBe('We study a with words');
  });

  it('has every author, and so every paper, in one split, in shares near 80/10/10', async () => {
    const rows = Array.from({ length: 400 }, (_, i) => [
      paper(`${i}-1`, '2018', [`Author ${i}`]),
      paper(`${i}-2`, '2019', [`Author ${i}`]),
      paper(`${i}-3`, '2020', [`Author ${i}`]),
    ]).flat();
    const examples = await aclExamples(file(rows), { seed: 3 });
    expect(() => checkLeakage(examples)).not.toThrow();
    const splitOf = new Map(examples.map(({ user, split }) => [user, split]));
    expect(examples.every(({ user, split }) => splitOf.get(user) === split)).toBe(true);
    const train = [...splitOf.values()].filter((split) => split === 'train').length;
    expect(train / 400).toBeGreaterThan(0.74);
    expect(train / 400).toBeLessThan(0.86);
    const again = await aclExamples(file(rows), { seed: 4 });
    expect(again.map(({ split }) => split)).not.toEqual(examples.map(({ split }) => split));
  });

  it('leaves out short abstracts and repeated ones, and says so once', async () => {
    const notices: Notice[] = [];
    const path = file([
      ...papers,
      paper('short', '2022', ['Ada'], { abstract: 'Too short.' }),
      paper('again', '2022', ['Dee'], { abstract: papers[1]!.abstract.toUpperCase() }),
    ]);
    await aclExamples(path, { onNotice: (notice) => notices.push(notice) });
    expect(notices).toEqual([{ code: 'data/papers-left-out', path, short: 1, minWords: 20, repeated: 1 }]);
  });

  it.each([
    ['{"id": ', 'expected one JSON object, got malformed JSON ('],
    ['[]', 'expected one JSON object, got []'],
    [paper('q', '20', ['Ada']), 'year: expected four digits in quotes, got "20"'],
    [{ ...paper('q', '2020', ['Ada']), year: 2020 }, 'year: expected a string that is not empty, got 2020'],
    [paper('q', '2020', ['Ada'], { title: ' ' }), 'title: expected a string that is not empty, got " "'],
    [
      paper('q', '2020', ['Ada'], { abstract: undefined }),
      'abstract: expected a string that is not empty, got nothing',
    ],
    [paper('q', '2020', []), 'authors: expected a list of at least one name, got []'],
    [paper('q', '2020', ['Ada', '']), 'authors[1]: expected a name, got ""'],
    [paper('a', '2020', ['Ada']), 'id: expected an id that no other line has, got "a" of line 2'],
  ])('refuses the row %j with "%s"', async (row, message) => {
    const path = file([...papers, row]);
    const error = await aclExamples(path).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(DataError);
    expect((error as Error).message).toContain(`${path}:8: ${message}`);
  });

  it('refuses a file in which no author has an earlier paper', async () => {
    const path = file([paper('a', '2020', ['Ada']), paper('b', '2020', ['Ada'])]);
    const refused = {
      message: expect.stringContaining(`${path}: expected first authors with papers in two years`),
    };
    // The hint once named settings that no flag has.
    const hint = 'Check that the file is the whole collection.';
    await expect(aclExamples(path)).rejects.toMatchObject({ ...refused, hint });
    await expect(aclExamples(path, { minHistory: 2 })).rejects.toMatchObject({
      ...refused,
      hint: expect.stringContaining('lower minHistory'),
    });
  });
});

const real = fileURLToPath(
  new URL('../../../../shared/data/acl-abstracts-2016-2022.jsonl.gz', import.meta.url),
);
const missing = !existsSync(real);
if (missing)
  console.warn(`NOT TESTED on the real ACL data: ${real} is not there; only a synthetic file was read.`);

describe.skipIf(missing)('aclExamples on the real file', () => {
  it('has thousands of authors, no leakage, and others that never show the response or a paper of its author', async () => {
    const examples = await aclExamples(real);
    expect(new Set(examples.map(({ user }) => user)).size).toBeGreaterThan(4000);
    expect(() => checkLeakage(examples)).not.toThrow();
    const scored = takeAcrossUsers(forEvaluation(examples), 20);
    for (const example of scored) {
      const { others, periodYears } = matchedOthers(examples, example, 3);
      expect(periodYears).toBeLessThanOrEqual(2);
      const shown = new Map([[example.id, others.flatMap(({ history }) => history)]]);
      expect(() => checkLeakage([example], { others: shown })).not.toThrow();
      for (const { history } of others)
        for (const item of history) expect(item.authors).not.toContain(example.user);
    }
  });
});
