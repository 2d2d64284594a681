/** @file Tests of JSON one value at a time: arrays, lines, values in a row; cut strings; broken values left out. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type JsonValuesOptions, jsonValues } from '../../../src/app/data/json-values.ts';
import { faultLog } from '../../../src/method/corpus/source-faults.ts';
import { dataFolder } from '../../support/data-files.ts';

const { file } = dataFolder('json');
let files = 0;

async function read(content: string | Uint8Array, ending = '.json', options: JsonValuesOptions = {}) {
  const path = file(`${++files}${ending}`, content);
  const faults = faultLog();
  const found = [];
  for await (const value of jsonValues(path, faults, options)) found.push(value);
  return {
    values: found.map(({ value }) => value),
    lines: found.map(({ line }) => line),
    faults: Object.fromEntries(faults.list().map(({ kind, count }) => [kind, count])),
  };
}

const rows = [{ a: 'x "]} \\ é' }, { b: [{ c: [1, 2] }, 'd'] }, { e: null }];

describe('jsonValues', () => {
  it.each([
    ['an array', JSON.stringify(rows), '.json'],
    ['a pretty array', JSON.stringify(rows, null, 2), '.json'],
    ['an array behind a byte-order mark', `\uFEFF${JSON.stringify(rows)}`, '.json'],
    ['lines', rows.map((row) => JSON.stringify(row)).join('\r\n'), '.jsonl'],
    ['objects one after another', rows.map((row) => JSON.stringify(row, null, 1)).join('\n'), '.json'],
  ])('reads %s', async (_, content, ending) => {
    expect(await read(content, ending)).toMatchObject({ values: rows, faults: {} });
  });

  it('names the line where a value begins', async () => {
    expect((await read('[\n{"a": 1},\n\n{"b":\n2}]')).lines).toEqual([2, 4]);
  });

  it('reads the array at a key of one object, and the object where there is none', async () => {
    const wrapped = JSON.stringify({ task: 'LaMP_4', golds: rows });
    expect((await read(wrapped, '.json', { arrayAt: 'golds' })).values).toEqual(rows);
    expect((await read(wrapped)).values).toEqual([{ task: 'LaMP_4', golds: rows }]);
  });

  it('leaves out a broken line and a broken element, and reads on', async () => {
    expect(await read('{"a":1}\n{"b":"open\n{"c":1}\nnope\n', '.jsonl')).toMatchObject({
      ...{ values: [{ a: 1 }, { c: 1 }], faults: { 'malformed-json': 2 } },
    });
    expect(await read('[{"a":1},{"b":},{"c":1}')).toMatchObject({
      ...{ values: [{ a: 1 }, { c: 1 }], faults: { 'malformed-json': 1 } },
    });
  });

  it('reads NaN and Infinity as null, but not in texts', async () => {
    const { values, faults } = await read('{"a": NaN, "b": [-Infinity], "c": "NaN"}\n', '.jsonl');
    expect(values).toEqual([{ a: null, b: [null], c: 'NaN' }]);
    expect(faults).toEqual({ 'not-a-number': 1 });
  });

  it('leaves out a value that is not UTF-8', async () => {
    const bytes = Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff]), Buffer.from('"}\n{"b":1}')]);
    expect(await read(bytes, '.jsonl')).toMatchObject({ values: [{ b: 1 }], faults: { 'bad-utf8': 1 } });
  });

  it('cuts strings to their first bytes, never within a character or an escape', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ k: fc.string({ unit: 'grapheme', maxLength: 60 }), n: fc.integer() }), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.boolean(),
        async (list, escaped) => {
          const json = JSON.stringify(list);
          const text = escaped
            ? json.replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
            : json;
          const { values } = await read(text, '.json', { maxStringBytes: 12 });
          expect(values).toHaveLength(list.length);
          for (const [i, value] of (values as typeof list).entries()) {
            expect(value.n).toBe(list[i]!.n);
            // Between the halves of an escaped pair a cut leaves one half.
            expect(list[i]!.k.startsWith(value.k)).toBe(true);
            expect(Buffer.byteLength(value.k)).toBeLessThanOrEqual(12 + 18);
          }
        },
      ),
      { numRuns: 80 },
    );
  });

  it('reads an array of many megabytes in pieces', async () => {
    const long = 'word '.repeat(40_000);
    const content = JSON.stringify(Array.from({ length: 30 }, (_, i) => ({ i, long })));
    const { values, faults } = await read(content, '.json', { maxStringBytes: 100 });
    expect(values).toHaveLength(30);
    expect((values[29] as { long: string }).long).toBe(long.slice(0, 100));
    expect(faults).toEqual({ 'cut-value': 30 });
  });
});
