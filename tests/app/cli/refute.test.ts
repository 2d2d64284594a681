/** @file `nextquill refute` as a process: what it prints and writes, and exit code 3 where a test fails. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Refutation } from '../../../src/method/refutation/results.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { runCli } from '../../support/run-cli.ts';

let folder: string;
const run = (words: string) => runCli(words.split(' '), { cwd: folder });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nextquill-refute-'));
  await writeModelFolder(join(folder, 'model'));
  const made = await run('simulate --users 12 --seed 7 --history-items 2 --out users.jsonl');
  expect(made.code).toBe(0);
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('refute', { timeout: 240_000 }, () => {
  it('fails a model of random weights with exit code 3, after its results are printed and written', async () => {
    const { code, stdout, stderr } = await run(
      'refute --model model --data users.jsonl --others 2 --seed 3 --out refuted --json',
    );
    const { model, tests, verdict, userSpecific } = JSON.parse(stdout) as Refutation & { model: string };
    expect({ code, model, verdict }).toEqual({ code: 3, model: 'model', verdict: 'fails' });
    expect(tests.map(({ name }) => name)).toEqual([
      'label-alignment',
      'own-history',
      'placebo-history',
      'wrong-target',
      'irrelevant-note',
      'items-shuffled',
      'random-half',
      'template-wording',
    ]);
    expect(userSpecific.low).toBeLessThan(userSpecific.high);
    expect(stderr).toContain('error: refutation: expected no test of 8 to fail');
    expect(stderr).toContain('"code":"refutation/fails"');
    const { tokensComputed, tokensSaved, ...document } = JSON.parse(stdout) as Record<string, unknown>;
    expect(document).toEqual(JSON.parse(readFileSync(join(folder, 'refuted/refutation.json'), 'utf8')));
    // Every control shows a history under the same query and text, or the same history under another text.
    expect(tokensSaved).toBeGreaterThan(0.2 * (tokensComputed as number));
    expect(readFileSync(join(folder, 'refuted/refutation.html'), 'utf8')).toContain('does not hold');
  });

  it('warns of a response that stands in its own history, before anything is scored', async () => {
    const [line, ...others] = readFileSync(join(folder, 'users.jsonl'), 'utf8').trim().split('\n');
    const example = JSON.parse(line!);
    example.history[0].text = example.response;
    writeFileSync(join(folder, 'leaking.jsonl'), [JSON.stringify(example), ...others].join('\n'));
    const { code, stderr } = await run('refute --model model --data leaking.jsonl --others 12 --quiet');
    expect(code).toBe(2);
    expect(stderr).toContain('Numbers on these examples are too good');
  });

  it('refuses a single stranger, and too few users for the strangers that it needs', async () => {
    const single = await run('refute --model model --data users.jsonl --placebo 1');
    expect(single).toMatchObject({ code: 2, stdout: '' });
    expect(single.stderr).toContain('--others: expected a whole number of at least 2');
    const few = await run('refute --model model --data users.jsonl --others 12 --quiet');
    expect(few).toMatchObject({ code: 2, stdout: '' });
    expect(few.stderr).toContain('expected 12 other users with histories');
  });
});
