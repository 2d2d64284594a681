/** @file Tests of CSV: what a row holds, where it begins, and what of a broken file is left out and told. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvRows } from '../../../src/app/data/csv.ts';
import { faultLog } from '../../../src/method/corpus/source-faults.ts';
import { dataFolder } from '../../support/data-files.ts';

const { file } = dataFolder('csv');
let files = 0;

async function read(content: string | Uint8Array, ending = '.csv') {
  const path = file(`${++files}${ending}`, content);
  const faults = faultLog();
  const rows = [];
  for await (const row of csvRows(path, faults)) rows.push(row);
  const found = faults.list().map(({ kind, count, first }) => [kind, count, first.slice(path.length)]);
  return { rows, values: rows.map(({ values }) => values), found };
}

describe('csvRows', () => {
  it('reads quotes, line breaks in cells, CRLF, a byte-order mark and blank lines, with lines and columns', async () => {
    const { rows, values, found } = await read(
      '\uFEFFa,b\r\n1,"x ""y"", z"\r\n\r\n2,"two\r\nlines"\r\n3,plain "inner" quote',
    );
    expect(values).toEqual([
      { a: '1', b: 'x "y", z' },
      { a: '2', b: 'two\nlines' },
      { a: '3', b: 'plain "inner" quote' },
    ]);
    expect(rows.map(({ line }) => line)).toEqual([2, 4, 6]);
    expect(rows[0]!.columnOf!('b')).toBe(3);
    expect(found).toEqual([]);
  });

  it.each([
    ['a;b\n1;2,5', '.csv'],
    ['a\tb\n1\t2,5', '.tsv'],
    ['a|b\n1|2,5', '.csv'],
  ])('finds the delimiter of %j', async (content, ending) => {
    expect((await read(content, ending)).values).toEqual([{ a: '1', b: '2,5' }]);
  });

  it('leaves out a row whose quote stays open, names it, and reads on with the next line', async () => {
    const { values, found } = await read('a,b\n1,"open\n2,fine\n3,"also ""fine"""\n4,"open again\n');
    expect(values).toEqual([
      { a: '2', b: 'fine' },
      { a: '3', b: 'also "fine"' },
    ]);
    expect(found).toEqual([['unclosed-quote', 2, ':2:3: "open']]);
  });

  it('leaves out text behind a closing quote and rows of another width', async () => {
    const { values, found } = await read('a,b\n1,"x"y\n1,2,3\n1\n5,6\n');
    expect(values).toEqual([{ a: '5', b: '6' }]);
    expect(found).toEqual([
      ['stray-quote', 1, ':2:6: 1,"x"y'],
      ['wrong-cells', 2, ':3: 3 cells for 2 columns'],
    ]);
  });

  it('leaves out a row that is not UTF-8 and names the byte', async () => {
    const bytes = Buffer.concat([Buffer.from('a,b\n1,x'), Buffer.from([0xff]), Buffer.from('\n2,y\n')]);
    const { values, found } = await read(bytes);
    expect(values).toEqual([{ a: '2', b: 'y' }]);
    expect(found).toEqual([['bad-utf8', 1, ':2: byte 0xff at byte 4 of the line']]);
  });

  it.each([[''], ['a,a\n1,2'], ['"a,b\n1,2']])('refuses the header of %j', async (content) => {
    await expect(read(content)).rejects.toMatchObject({ code: 'data/header' });
  });

  it('reads back every table that is written by the rule', async () => {
    const cell = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/\r\n?/g, '\n'));
    const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 6 }), async (rows) => {
        const text = ['a,b', ...rows.map((row) => row.map(quoted).join(','))].join('\n');
        const { values, found } = await read(text);
        expect(values).toEqual(rows.map(([a, b]) => ({ a, b })));
        expect(found).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });
});
