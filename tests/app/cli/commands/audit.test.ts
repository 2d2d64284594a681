/** @file `nextquill audit` as a process: what it prints and writes, what stays private, and that it goes on after a stop. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeModelFolder } from '../../../support/model-folder.ts';
import { type CliOptions, runCli } from '../../../support/run-cli.ts';

let folder: string;
const run = (words: string, options: Partial<CliOptions> = {}) =>
  runCli(words.split(' '), { cwd: folder, ...options });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nextquill-cli-audit-'));
  await writeModelFolder(join(folder, 'model'));
  await run('simulate --users 6 --seed 7 --history-items 2 --out users.jsonl');
});
afterAll(() => rmSync(folder, { recursive: true }));

const AUDIT = 'audit --model model --data users.jsonl --others 2 --maps 1';

describe('audit', () => {
  it('prints the answer and the tables, and writes the report, the JSON and the scores', async () => {
    const { code, stdout, stderr } = await run(`${AUDIT} --out a`);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^[A-Z].*\.\n\n.*\n\nA {2}own history/);
    expect(stdout).toContain('dose: the latest items');
    expect(stdout.trimEnd().endsWith(join('a', 'report.html'))).toBe(true);
    expect(stderr).toMatch(/audit (\d+)\/\1 prompts/);
    expect(stderr).toContain('a holds users’ texts and names');
    expect(readdirSync(join(folder, 'a')).sort()).toEqual(['audit.json', 'report.html', 'scores.jsonl']);
  });

  it('prints one JSON document with --json, that of audit.json, and holds no text with --redact', async () => {
    const { code, stdout, stderr } = await run(`${AUDIT} --out b/c --json --redact`);
    expect(code, stderr).toBe(0);
    const { report, tokensComputed, tokensSaved, ...document } = JSON.parse(stdout) as Record<
      string,
      unknown
    >;
    expect(document).toEqual(JSON.parse(readFileSync(join(folder, 'b/c/audit.json'), 'utf8')));
    expect(report).toBe(join('b/c', 'report.html'));
    expect(tokensComputed).toBeGreaterThan(0);
    expect(tokensSaved).toBeGreaterThan(0);
    expect(document).toMatchObject({ format: 'nextquill/audit', version: 1, users: 6, others: 2 });
    expect(stderr).not.toContain('holds users’ texts');
    const rows = readFileSync(join(folder, 'users.jsonl'), 'utf8').trimEnd().split('\n');
    for (const row of rows.map((line) => JSON.parse(line) as { user: string; response: string })) {
      for (const file of ['audit.json', 'report.html', 'scores.jsonl']) {
        const text = readFileSync(join(folder, 'b/c', file), 'utf8');
        expect(text).not.toContain(row.user);
        expect(text).not.toContain(row.response.slice(0, 12));
      }
    }
  });

  it('stops on Ctrl-C with 130 and no report, and goes on from its scores', async () => {
    const stopped = await run(`${AUDIT} --out d`, {
      onStart: (child) => child.stderr!.on('data', () => child.kill('SIGINT')),
    });
    expect(stopped).toMatchObject({ code: 130, stdout: '' });
    expect(readdirSync(join(folder, 'd'))).toEqual(['scores.jsonl']);
    const { code } = await run(`${AUDIT} --out d --quiet`);
    expect(code).toBe(0);
  });
});
