/** @file `nextquill score` as a process: a folder of texts, a file of others, verdicts in words and JSON, and what is refused. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Example } from '../../../../src/method/data/example.ts';
import { runCli } from '../../../support/run-cli.ts';

let folder: string;
const run = (words: string) => runCli(words.split(' '), { cwd: folder });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nextquill-cli-score-'));
  await run('simulate --users 6 --seed 3100000 --history-items 3 --out users.jsonl');
  const users = readFileSync(join(folder, 'users.jsonl'), 'utf8').trim().split('\n');
  const [own, ...others] = users.map((line) => JSON.parse(line) as Example) as [Example, ...Example[]];
  mkdirSync(join(folder, 'mine'));
  for (const [n, { text }] of own.history.entries()) writeFileSync(join(folder, `mine/${n}.txt`), text);
  writeFileSync(join(folder, 'draft.txt'), `${own.response}\n`);
  writeFileSync(join(folder, 'others.jsonl'), others.map((other) => JSON.stringify(other)).join('\n'));
  writeFileSync(join(folder, 'empty.txt'), ' \n');
});
afterAll(() => rmSync(folder, { recursive: true }));

const SCORE = 'score --model embedded --text draft.txt --history mine --threads 1';

describe('score', () => {
  it('prints one object with --json whose sentences cover the text', async () => {
    const { code, stdout, stderr } = await run(`${SCORE} --others others.jsonl --other-authors 3 --json`);
    expect(code, stderr).toBe(0);
    const result = JSON.parse(stdout) as {
      sentences: { start: number; end: number; userSpecific: number }[];
      userSpecific: { value: number };
    };
    const text = readFileSync(join(folder, 'draft.txt'), 'utf8');
    expect(result.sentences[0]!.start).toBe(0);
    expect(result.sentences.at(-1)!.end).toBe(text.trimEnd().length);
    expect(result.userSpecific.value).toBeGreaterThan(0);
    expect(result).toMatchObject({ others: 3, total: { value: expect.any(Number) as number } });
  });

  it('says whose each sentence is, and that presidents are the others where none are given', async () => {
    const { code, stdout, stderr } = await run(SCORE);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^(yours|anybody’s|somebody else’s): /);
    expect(stdout).toMatch(/^(yours|anybody’s|somebody else’s) +[+−]?\d+\.\d /m);
    expect(stderr).toContain('--others');
  });

  it('refuses a text without words, a history that is none, and a missing flag', async () => {
    const of = async (words: string) => (await run(`score --model embedded ${words}`)).code;
    expect(await of('--text empty.txt --history mine')).toBe(2);
    expect(await of('--text draft.txt --history nowhere')).toBe(2);
    expect(await of('--text draft.txt')).toBe(2);
  });
});
