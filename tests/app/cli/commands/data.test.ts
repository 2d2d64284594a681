/** @file `nextquill data` as a process: a table becomes examples that other commands read, and a page that says what they hold. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../support/run-cli.ts';

let folder: string;
const run = (words: readonly string[]) => runCli(words, { cwd: folder });
const CONVERT = [
  ...['data', 'csv', 'reviews.csv', '--user', 'user_id', '--time', 'date', '--text', 'review'],
  ...['--query', 'Review of {title}, {rating} stars', '--domain', 'category'],
];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nextquill-cli-data-'));
  const rows = Array.from({ length: 24 }, (_, i) =>
    [
      `u${i % 4}`,
      `2020-01-${String(1 + i).padStart(2, '0')}`,
      `text number ${i}`,
      `T${i}`,
      1 + (i % 5),
      'tea',
    ].join(),
  );
  const bad = [
    ',2020-02-01,no user,T,5,tea',
    'u1,2020-02-02,"open,T,5,tea',
    'u1,yesterday,\u001b[31mred,T,5,tea',
  ];
  writeFileSync(
    join(folder, 'reviews.csv'),
    ['user_id,date,review,title,rating,category', ...rows, ...bad].join('\n'),
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('data', () => {
  it('writes examples, counts what it leaves out, and describes them as text, JSON and a page', async () => {
    const { code, stdout, stderr } = await run([...CONVERT, '--out', 'reviews.jsonl', '--json']);
    expect(code, stderr).toBe(0);
    const summary = JSON.parse(stdout) as { faults: { kind: string; count: number; first: string }[] };
    expect(summary).toMatchObject({
      ...{ out: 'reviews.jsonl', format: 'csv', texts: 24, examples: 20, users: 4 },
      splits: { train: 12, validation: 4, test: 4, none: 0 },
    });
    expect(summary.faults.map(({ kind, count }) => [kind, count])).toEqual([
      ...[
        ['unclosed-quote', 1],
        ['missing-user', 1],
        ['unreadable-time', 1],
        ['no-earlier-text', 4],
      ],
    ]);
    const described = await run([
      'data',
      'describe',
      '--data',
      'reviews.jsonl',
      '--out',
      'page.html',
      '--json',
    ]);
    expect(described.code, described.stderr).toBe(0);
    expect(JSON.parse(described.stdout)).toMatchObject({
      ...{
        examples: 20,
        users: 4,
        leaks: { count: 0 },
        domains: { most: [['tea', 20]] },
        report: 'page.html',
      },
    });
    const page = readFileSync(join(folder, 'page.html'), 'utf8');
    expect(page.match(/<svg/g)!.length).toBeGreaterThan(8);
    expect(page).not.toContain('text number');
    expect((await run(['data', 'describe', '--data', 'reviews.jsonl'])).stdout).toMatch(/^examples +20$/m);
    const simulated = await run([
      'effects',
      '--model',
      'embedded',
      '--data',
      'reviews.jsonl',
      '--max-examples',
      '1',
      '--json',
      '--threads',
      '1',
    ]);
    expect(simulated.code, simulated.stderr).toBe(0);
    expect(JSON.parse(simulated.stdout.split('\n')[0]!)).toMatchObject({ example: 'u0/2', user: 'u0' });
  });

  it('replaces no file without --force, refuses faults with --strict, and shows no control character', async () => {
    writeFileSync(join(folder, 'kept.jsonl'), 'old');
    const kept = await run([...CONVERT, '--out', 'kept.jsonl']);
    expect([kept.code, readFileSync(join(folder, 'kept.jsonl'), 'utf8')]).toEqual([2, 'old']);
    const strict = await run([...CONVERT, '--out', 'strict.jsonl', '--strict']);
    expect(strict.code).toBe(2);
    expect(strict.stderr).toContain('reviews.csv:26:1');
    expect(readdirSync(folder).filter((name) => name.startsWith('strict'))).toEqual([]);
    const forced = await run([...CONVERT, '--out', 'kept.jsonl', '--force']);
    expect(forced.code, forced.stderr).toBe(0);
    expect(forced.stdout).toContain('20 examples of 4 users');
    expect(forced.stdout).not.toContain('\u001b');
  });

  it.each([
    [['data'], 'usage/missing-flag'],
    [['data', 'cvs', 'x', '--out', 'o.jsonl'], 'config/format'],
    [['data', 'csv', '--out', 'o.jsonl', '--user', 'a', '--text', 'b'], 'usage/source'],
    [['data', 'csv', 'reviews.csv', '--out', 'o.txt'], 'usage/out'],
    [['data', 'describe', '--data', 'reviews.jsonl', '--out', 'o.jsonl'], 'usage/out'],
    [['data', 'telegram', 'x.json', '--out', 'o.jsonl', '--rating', '3'], 'usage/unknown-flag'],
    [['data', 'telegram', 'x.json', '--out', 'o.jsonl', '--text', 'b'], 'config/no-effect'],
  ])('refuses %j', async (words, code) => {
    const result = await run([...words, '--json']);
    expect(result.code).toBe(2);
    expect(JSON.parse(result.stderr.trim().split('\n').at(-1)!)).toMatchObject({ error: { code } });
  });
});
