/** @file Tests of example files: what is read, what is refused and where, and that writing and reading are one identity. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, DataError, EngineError } from '../../../src/base/errors.ts';
import type { Example } from '../../../src/method/data/example.ts';
import { examplesFromJsonl, writeExamples } from '../../../src/method/data/jsonl.ts';
import type { Notice } from '../../../src/method/data/notice.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nextquill-jsonl-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function file(content: string | Uint8Array, ending = '.jsonl'): string {
  const path = join(folder, `${++files}${ending}`);
  writeFileSync(path, content);
  return path;
}

const row = (id: string, rest: object = {}) =>
  JSON.stringify({ id, user: 'u', query: 'q', response: `text of ${id}`, history: [], ...rest });

async function errorOf(path: string, kind: typeof DataError | typeof EngineError = DataError) {
  const error = await examplesFromJsonl(path).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(kind);
  return error as DataError;
}

describe('examplesFromJsonl', () => {
  it('reads lines with a byte-order mark, blank lines, CRLF and no last newline', async () => {
    const path = file(`\uFEFF${row('a')}\r\n\r\n   \n${row('b')}`);
    expect((await examplesFromJsonl(path)).map(({ id }) => id)).toEqual(['a', 'b']);
  });

  it('reads gzipped files as their plain text', async () => {
    const text = `${row('a')}\n${row('b')}\n`;
    expect(await examplesFromJsonl(file(gzipSync(text), '.jsonl.gz'))).toEqual(
      await examplesFromJsonl(file(text)),
    );
  });

  it('reads lines that are longer than a chunk of the file, with characters across chunks', async () => {
    const long = 'ü€😀'.repeat(100_000);
    const path = file(`${row('a', { response: long })}\n${row('b', { response: `x${long}` })}\n`);
    const examples = await examplesFromJsonl(path);
    expect(examples.map(({ response }) => response)).toEqual([long, `x${long}`]);
  });

  it('calls an example without id by its line number', async () => {
    const path = file(`\n${row('a')}\n${row('b', { id: undefined })}\n`);
    expect((await examplesFromJsonl(path)).map(({ id }) => id)).toEqual(['a', '3']);
  });

  it('warns once, with every unknown key and its count', async () => {
    const notices: Notice[] = [];
    const path = file(`${row('a', { stars: 1 })}\n${row('b', { stars: 2, shop: 's' })}\n`);
    const examples = await examplesFromJsonl(path, { onNotice: (notice) => notices.push(notice) });
    const keys = [
      { key: 'stars', count: 2 },
      { key: 'shop', count: 1 },
    ];
    expect(notices).toEqual([{ code: 'data/unknown-keys', path, keys }]);
    expect(examples[1]!.meta).toEqual({ stars: 2, shop: 's' });
  });

  it('stops after the limit', async () => {
    const path = file(`${row('a')}\n${row('b')}\nnot JSON\n`);
    expect(await examplesFromJsonl(path, { limit: 2 })).toHaveLength(2);
  });

  it('stops when it is aborted', async () => {
    const signal = AbortSignal.abort();
    await expect(examplesFromJsonl(file(row('a')), { signal })).rejects.toBeInstanceOf(AbortedError);
  });

  it('names file, line and reason of malformed JSON', async () => {
    const path = file(`${row('a')}\n{"id": "b",\n`);
    const error = await errorOf(path);
    expect(error.message).toMatch(`${path}:2: expected one JSON object, got malformed JSON (`);
    expect(error.code).toBe('data/malformed-json');
  });

  // Only the first bad line was named, so that a file took as many tries as it had bad lines.
  it('names every bad line, the first twenty, and counts the others', async () => {
    const lines = Array.from({ length: 25 }, (_, i) => row(`x${i}`, { response: '' }));
    const bytes = Buffer.concat([
      Buffer.from(`${row('a')}\n{"id"\n`),
      Buffer.from([0x61, 0xff, 0x0a]),
      Buffer.from(`${row('a')}\n${lines.join('\n')}\n`),
    ]);
    const path = file(bytes);
    const error = await errorOf(path);
    const shown = error.message.split('\n').map((line) => line.trim());
    expect(error.code).toBe('data/bad-lines');
    expect(shown).toHaveLength(22);
    expect(shown[0]).toContain('got 28 bad lines beside 1 good ones');
    expect(shown.slice(1, 4).map((line) => line.slice(path.length, path.length + 3))).toEqual([
      ...[':2:', ':3:', ':4:'],
    ]);
    expect(shown.at(-1)).toBe('and 8 more');
  });

  it.each([
    ['{"rating": NaN}', 'NaN'],
    ["{'id': 'a'}", 'double quotes'],
    ['{"id": None}', 'double quotes'],
    ['{"id": "a",}', 'comma'],
    ['{"id": "a"} {"id": "b"}', 'nothing after it'],
    ['{"id": "a",', 'on one line'],
    ['  "user": "u",', 'on one line'],
  ])('has a hint that fits %s', async (line, words) => {
    expect((await errorOf(file(line))).hint).toContain(words);
  });

  it('says what to do with a file that is one JSON array', async () => {
    expect((await errorOf(file('[\n{}\n]'))).hint).toContain('one object a line');
  });

  it('names file, line and key of a bad field, counting blank lines', async () => {
    const path = file(`${row('a')}\n\n${row('b', { history: [{ text: 'x' }, { text: 5 }] })}\n`);
    expect((await errorOf(path)).message).toBe(
      `${path}:3: history[1].text: expected a string, got the number 5`,
    );
  });

  it('names both lines of a duplicate id', async () => {
    const path = file(`${row('a')}\n${row('b')}\n${row('a')}\n`);
    expect((await errorOf(path)).message).toBe(
      `${path}:3: id: expected an id that no other line has, got "a" of line 1`,
    );
  });

  it.each([
    ['a stray byte', [0x61, 0x62, 0xff, 0x63], 'byte 0xff at byte 3 of the line'],
    ['a broken sequence', [0x61, 0xe2, 0x82, 0x20], 'byte 0x20 at byte 4 of the line'],
    ['an overlong form', [0xc0, 0xaf], 'byte 0xc0 at byte 1 of the line'],
    ['a cut-off character', [0x61, 0xe2, 0x82], 'a character cut off by the end at byte 4 of the line'],
  ])('names file, line and byte of %s', async (_, bytes, message) => {
    const path = file(Buffer.concat([Buffer.from(`${row('a')}\n`), Buffer.from(bytes), Buffer.from('\n')]));
    const error = await errorOf(path);
    expect(error.message).toBe(`${path}:2: expected UTF-8, got ${message}`);
    expect(error.code).toBe('data/utf8');
  });

  it.each(['', '\n \n', '\uFEFF'])('refuses a file without examples (%j)', async (content) => {
    const path = file(content);
    expect((await errorOf(path)).message).toBe(`${path}: expected at least one example, got an empty file`);
  });

  it('refuses a missing file and a folder', async () => {
    const missing = join(folder, 'missing.jsonl');
    expect((await errorOf(missing)).message).toBe(`${missing}: expected a readable file, got no such file`);
    const gone = join(folder, 'missing.jsonl.gz');
    expect((await errorOf(gone)).message).toBe(`${gone}: expected a readable file, got no such file`);
    expect((await errorOf(folder)).message).toBe(`${folder}: expected a readable file, got a folder`);
  });

  it('refuses a file that is not gzip despite its name, and a truncated one', async () => {
    const plain = file(row('a'), '.jsonl.gz');
    expect((await errorOf(plain)).message).toContain(`${plain}:1: expected gzip data, got`);
    const whole = gzipSync(`${row('a')}\n`);
    const cut = file(whole.subarray(0, whole.length - 9), '.jsonl.gz');
    expect((await errorOf(cut)).code).toBe('data/gzip');
  });
});

const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((value) => value.trim() !== '');
const meta = fc
  .dictionary(
    fc.string().filter((key) => key !== '__proto__'),
    fc.jsonValue(),
    { noNullPrototype: true },
  )
  .map((value) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>);
const present = <T>(key: string, values: fc.Arbitrary<T>) =>
  fc.oneof(
    fc.constant({}),
    values.map((value) => ({ [key]: value })),
  );

const item = fc
  .tuple(text, fc.string({ unit: 'grapheme' }), present('meta', meta))
  .map(([body, query, rest]) => ({ query, text: body, ...rest }));
const example = fc
  .tuple(
    text,
    fc.string({ unit: 'grapheme' }),
    text,
    fc.array(fc.tuple(item, fc.integer({ min: 1900, max: 1999 })), { maxLength: 4 }),
    present('split', fc.constantFrom('train', 'validation', 'test')),
    present('meta', meta),
    fc.constantFrom('both', 'user', undefined),
  )
  .map(([user, query, response, items, split, rest, cause]) => ({
    user,
    time: '2000-02-03',
    query,
    response,
    history: items
      .toSorted((a, b) => a[1] - b[1])
      .map(([value, year], place) => ({ id: `item ${place}`, time: String(year), ...value })),
    ...split,
    ...(cause && { causes: [{ start: 0, end: response.length, cause }] }),
    ...rest,
  }));
const examplesOf = fc
  .array(example, { minLength: 1, maxLength: 5 })
  .map((list) => list.map((value, place) => ({ id: `e${place}`, ...value }) as Example));

describe('writeExamples', () => {
  it('writes what is read back as the same examples, plain and gzipped', async () => {
    await fc.assert(
      fc.asyncProperty(examplesOf, fc.constantFrom('.jsonl', '.jsonl.gz'), async (examples, ending) => {
        const path = join(folder, `written${ending}`);
        await writeExamples(path, examples);
        expect(await examplesFromJsonl(path)).toEqual(examples);
      }),
      { numRuns: 60 },
    );
  });

  it('writes one line an example with keys in the order of the format', async () => {
    const path = join(folder, 'order.jsonl');
    const authors = ['u', 'v'];
    const history = [{ text: 't', query: 'q', id: 'h', meta: { m: 1 }, time: '2019', authors }];
    await writeExamples(path, [
      {
        meta: { a: 1 },
        domain: 'd',
        split: 'test',
        history,
        response: 'r',
        query: 'q',
        time: '2020',
        user: 'u',
        id: 'e',
      },
    ]);
    expect(readFileSync(path, 'utf8')).toBe(
      '{"id":"e","user":"u","time":"2020","query":"q","response":"r",' +
        '"history":[{"id":"h","time":"2019","query":"q","text":"t","authors":["u","v"],"meta":{"m":1}}],' +
        '"domain":"d","split":"test","meta":{"a":1}}\n',
    );
  });

  it('keeps the old file and leaves nothing behind when an example is wrong', async () => {
    const path = join(folder, 'kept.jsonl');
    const good: Example = { id: 'e', user: 'u', query: 'q', response: 'r', history: [] };
    await writeExamples(path, [good]);
    const before = readFileSync(path, 'utf8');
    await expect(writeExamples(path, [good, { ...good, id: 'f', response: '' }])).rejects.toThrow(
      'examples[1]: response: expected text, got an empty string',
    );
    await expect(writeExamples(path, [good, good])).rejects.toThrow(
      'examples[1]: id: expected an id that no',
    );
    await expect(writeExamples(path, [])).rejects.toThrow('examples: expected at least one to write');
    expect(readFileSync(path, 'utf8')).toBe(before);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('says which file it could not write', async () => {
    const path = join(folder, 'no-such-folder', 'x.jsonl');
    const good: Example = { id: 'e', user: 'u', query: 'q', response: 'r', history: [] };
    const error = await writeExamples(path, [good]).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(EngineError);
    expect((error as EngineError).code).toBe('file/cannot-write');
    expect((error as Error).message).toContain(path);
  });

  it('compresses a file whose name ends in .gz', async () => {
    const path = join(folder, 'small.jsonl.gz');
    await writeExamples(path, [{ id: 'e', user: 'u', query: 'q', response: 'r', history: [] }]);
    expect(gunzipSync(readFileSync(path)).toString()).toContain('"id":"e"');
  });
});
