/** @file `nextquill metrics` as a process: one object with --json, a table without, and every bad line. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../support/run-cli.ts';
import { wordNetFolder } from '../../../support/text-metrics-golden.ts';

let folder: string;
const run = (...words: string[]) => runCli(['metrics', ...words], { cwd: folder });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nextquill-cli-metrics-'));
  const rows = Array.from({ length: 12 }, (_, n) => ({
    user: `u${n % 6}`,
    prediction: n % 3 === 0 ? 'the cat sat on the mat' : 'a dog ran over the wide field',
    references: ['the cat sat on the warm mat'],
    history: ['yesterday the cat sat on the mat again'],
  }));
  writeFileSync(join(folder, 'pairs.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
  writeFileSync(
    join(folder, 'bad.jsonl'),
    '{"prediction": "p", "references": ["r"]}\n{"prediction": "p"}\n[]\n',
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('metrics', () => {
  it('prints one object with --json, the same for the same seed', async () => {
    const words = ['--data', 'pairs.jsonl', '--json', '--seed', '3', '--wordnet', wordNetFolder];
    const { code, stdout, stderr } = await run(...words);
    expect(code, stderr).toBe(0);
    const document = JSON.parse(stdout) as Record<string, unknown>;
    for (const name of ['rouge1', 'rouge2', 'rougeL', 'bleu', 'meteor', 'copied'])
      expect(document[name]).toEqual({
        value: expect.any(Number),
        low: expect.any(Number),
        high: expect.any(Number),
      });
    expect(document).toMatchObject({ rows: 12, users: 6, meteorModules: ['exact', 'stem', 'synonym'] });
    expect(document.copied).toMatchObject({ value: expect.closeTo(1 / 3, 12) as number });
    expect((await run(...words)).stdout).toBe(stdout);
  });

  it('prints a table of the metrics that were named', async () => {
    const { code, stdout, stderr } = await run(
      '--data',
      'pairs.jsonl',
      '--metrics',
      'rouge1,meteor',
      '--stemmer',
    );
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^12 rows of 6 users/);
    expect(stdout).toMatch(/^rouge1 +0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]/m);
    expect(stdout).not.toContain('bleu');
    expect(stderr).toContain('--wordnet');
  });

  it('names every bad line, and a metric that is none', async () => {
    const bad = await run('--data', 'bad.jsonl');
    expect(bad.code).toBe(2);
    expect(bad.stderr).toContain('bad.jsonl:2: ');
    expect(bad.stderr).toContain('bad.jsonl:3: ');
    const unknown = await run('--data', 'pairs.jsonl', '--metrics', 'rogue1');
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain('rouge1');
  });
});
