/** @file Tests of conversion: tables of every form to the same examples, faults counted by a rule, nothing half-written. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import type { ConvertDataOptions } from '../../../src/app/data/convert-options.ts';
import type { Example } from '../../../src/method/data/example.ts';
import { checkLeakage } from '../../../src/method/data/leakage.ts';
import { dataFolder } from '../../support/data-files.ts';

const { folder, file, convert } = dataFolder('convert');

const columns: Partial<ConvertDataOptions> = {
  ...{ user: 'user_id', time: 'date', text: 'review', domain: 'category', maxHistory: 3 },
  query: 'Review of {title}, {rating} stars',
};
const HEAD = 'user_id,date,review,title,rating,category';

/** Reviews in no order, of users whose names need care. */
const reviews = Array.from({ length: 60 }, (_, i) => ({
  user_id: ['a', 'ä', 'z/1', '10'][i % 4]!,
  date: `2020-${String(1 + ((i * 7) % 12)).padStart(2, '0')}-0${1 + (i % 3)}`,
  review: `review "${i}", of ${['tea', 'jam', 'rye'][i % 3]}\nwith words`,
  title: `T${i}`,
  rating: 1 + (i % 5),
  category: ['food', 'home'][i % 2]!,
}));
const csv = (rows: readonly object[]) =>
  [
    Object.keys(rows[0]!).join(','),
    ...rows.map((row) =>
      Object.values(row)
        .map((value) => `"${String(value).replaceAll('"', '""')}"`)
        .join(','),
    ),
  ].join('\n');

describe('convertData of tables', () => {
  it('gives the same examples from CSV, TSV, JSON, JSON lines and Parquet', async () => {
    const parquet = parquetWriteBuffer({
      columnData: Object.keys(reviews[0]!).map((name) => ({
        name,
        data: reviews.map((row) => row[name as keyof typeof row]),
        type: name === 'rating' ? ('INT32' as const) : ('STRING' as const),
      })),
      rowGroupSize: 7,
    });
    const sources = [
      ['csv', file('r.csv', csv(reviews))],
      [
        'tsv',
        file(
          'r.tsv',
          csv(reviews)
            .replaceAll('","', '"\t"')
            .replaceAll(/^([a-z_,]+)$/gm, (h) => h.replaceAll(',', '\t')),
        ),
      ],
      ['json', file('r.json', reviews)],
      ['ndjson', file('r.jsonl', reviews)],
      ['parquet', file('r.parquet', new Uint8Array(parquet))],
    ] as const;
    const results: (readonly Example[])[] = [];
    for (const [format, source] of sources) results.push((await convert(format, [source], columns)).examples);
    for (const examples of results) expect(examples).toEqual(results[0]);
    expect(results[0]!).toHaveLength(40);
    expect(() => checkLeakage(results[0]!)).not.toThrow();
    const last = results[0]!.findLast(({ user }) => user === 'z/1')!;
    expect(last).toMatchObject({ split: 'test', time: '2020-11-02', domain: 'food' });
    expect(last.history).toHaveLength(3);
    expect(last.query).toMatch(/^Review of T\d+, \d stars$/);
  });

  it('sorts and groups by DuckDB as in memory', async () => {
    const source = file('many.csv', csv(reviews));
    const small = await convert('csv', [source], columns);
    const large = await convert('csv', [source], { ...columns, maxMemory: 1 });
    expect(large.examples).toEqual(small.examples);
    expect(large.converted.faults).toEqual(small.converted.faults);
  });

  it('counts what it leaves out, with the first of each kind and its place', async () => {
    const long = 'x'.repeat(200);
    const path = file(
      'bad.csv',
      [
        HEAD,
        'u,2020-01-01,first text of all,A,5,home',
        ',2020-01-02,no user,A,5,home',
        'u,2020-01-02,,A,5,home',
        'u,3/4/2020,ambiguous,A,5,home',
        'u,,no time,A,5,home',
        'u,2020-01-03,rating missing,A,NaN,home',
        `u,2020-01-04,${long},A,5,home`,
        'u,2020-01-05,<br/>,A,5,home',
        'u,2020-01-06,First text of ALL,A,5,home',
        'u,1578355200,<p>second &amp; last</p>,B,4.0,home',
      ].join('\n'),
    );
    const { examples, faults, first } = await convert('csv', [path], { ...columns, maxTextLength: 100 });
    expect(examples).toEqual([
      {
        ...{ id: 'u/3', user: 'u', time: '2020-01-07T00:00:00Z', query: 'Review of B, 4 stars' },
        ...{ response: 'second & last', domain: 'home', split: 'train' },
        history: [
          {
            ...{ id: '1', time: '2020-01-01', query: 'Review of A, 5 stars', text: 'first text of all' },
            meta: { domain: 'home' },
          },
        ],
      },
    ]);
    expect(faults).toEqual({
      ...{ 'missing-user': 1, 'missing-text': 2, 'missing-time': 1, 'unreadable-time': 1 },
      ...{ 'missing-query-field': 1, 'gigantic-text': 1, 'repeated-text': 1, 'no-earlier-text': 1 },
    });
    expect(first['unreadable-time']).toBe(`${path}:5:3: 3/4/2020`);
    expect(first['missing-query-field']).toBe(`${path}:7:31`);
    expect(first['gigantic-text']).toBe(`${path}:8:14: 200 characters`);
  });

  it('reads ambiguous dates by the order that is named', async () => {
    const path = file('dates.csv', `${HEAD}\nu,3/4/2020,one,A,5,h\nu,4/3/2020,two,A,5,h\n`);
    const of = async (dateOrder: 'day-first' | 'month-first') =>
      (await convert('csv', [path], { ...columns, dateOrder })).examples[0]!;
    expect((await of('day-first')).response).toBe('one');
    expect((await of('month-first')).response).toBe('two');
  });

  it('says that times are mixed, and that those without a zone are read as UTC', async () => {
    const path = file('mixed.csv', `${HEAD}\nu,2020-01-01 10:00,one,A,5,h\nu,1600000000,two,A,5,h\n`);
    const { notes, converted } = await convert('csv', [path], columns);
    expect(notes).toHaveLength(1);
    expect(converted.notes).toEqual(notes);
    expect(notes[0]).toMatch(/iso without a zone \(1\), unix seconds \(1\).*UTC/);
  });

  it('leaves a text of eight words out that another user has written', async () => {
    const words = 'one two three four five six seven eight';
    const rows = [`a,2020-01-01,${words},A,5,h`, `b,2020-01-02,${words.toUpperCase()},A,5,h`];
    const more = [
      'a,2020-02-01,a later text,A,5,h',
      'b,2020-02-02,b later text,A,5,h',
      'b,2020-03-02,b last,A,5,h',
    ];
    const path = file('repeats.csv', [HEAD, ...rows, ...more].join('\n'));
    const all = await convert('csv', [path], columns);
    expect(all.faults['repeated-text']).toBe(1);
    const perUser = await convert('csv', [path], { ...columns, repeats: 'user' });
    expect(perUser.faults['repeated-text']).toBeUndefined();
    expect(perUser.examples.length).toBe(all.examples.length + 1);
  });

  it('masks authors’ own names where it is told to, and keeps the names elsewhere', async () => {
    const head = 'who,name,time,text';
    const rows = ['1,Ada Lovelace,2020,I am Ada.', '1,Ada Lovelace,2021,"Yours, ada lovelace"'];
    const path = file('names.csv', [head, ...rows].join('\n'));
    const named = { user: 'who', name: 'name', time: 'time', text: 'text' };
    const masked = await convert('csv', [path], { ...named, maskNames: true });
    expect(masked.examples[0]).toMatchObject({
      response: 'Yours, [name]',
      history: [{ text: 'I am [name].' }],
    });
    expect(masked.faults['masked-name']).toBe(2);
    expect(JSON.stringify(masked.examples)).not.toContain('Ada');
    const plain = await convert('csv', [path], named);
    expect(plain.examples[0]!.meta).toEqual({ names: ['Ada Lovelace'] });
  });

  it('refuses columns that are not there, unknown formats and flags without effect', async () => {
    const path = file('plain.csv', csv(reviews));
    const refused = (format: string, change: Partial<ConvertDataOptions>) =>
      convert(format, [path], { ...columns, ...change });
    await expect(refused('csv', { text: 'reviw' })).rejects.toMatchObject({
      ...{ code: 'usage/column', hint: 'Did you mean "review"?' },
    });
    await expect(refused('csv', { query: 'of {titel}' })).rejects.toMatchObject({ code: 'usage/column' });
    await expect(refused('cvs', {})).rejects.toMatchObject({ code: 'config/format' });
    await expect(refused('csv', { author: 'me' })).rejects.toMatchObject({ code: 'config/no-effect' });
    await expect(refused('csv', { shares: { test: 0.5 } })).rejects.toMatchObject({
      code: 'config/no-effect',
    });
    await expect(convert('lamp', [path], { repeats: 'user' })).rejects.toMatchObject({
      code: 'config/no-effect',
    });
    await expect(convert('csv', [path], { text: 'review' })).rejects.toMatchObject({
      code: 'usage/missing-flag',
    });
    await expect(convert('csv', [join(folder, 'none.csv')], columns)).rejects.toMatchObject({
      code: 'data/missing-file',
    });
  });

  it('writes nothing when there is no example, a fault is refused, or it is stopped', async () => {
    const path = file('one.csv', `${HEAD}\nu,2020-01-01,one,A,5,h\n,2020-01-01,two,A,5,h\n`);
    const out = join(folder, 'kept.jsonl');
    writeFileSync(out, 'old');
    await expect(convert('csv', [path], { ...columns, out })).rejects.toMatchObject({
      code: 'data/no-examples',
    });
    await expect(convert('csv', [path], { ...columns, out, strict: true })).rejects.toMatchObject({
      ...{ code: 'data/missing-user', message: expect.stringContaining(`${path}:3:1`) },
    });
    await expect(
      convert('csv', [path], { ...columns, out, signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: 'aborted' });
    expect(existsSync(out)).toBe(true);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
