/** @file Every command that writes tries its place first: before data are read, and before a model is opened. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Session } from '../../../src/app/cli/command.ts';
import { parseArguments } from '../../../src/app/cli/program.ts';

const folder = mkdtempSync(join(tmpdir(), 'nextquill-places-'));
writeFileSync(join(folder, 'file'), 'old');
writeFileSync(join(folder, 'file.jsonl'), 'old');
writeFileSync(join(folder, 'file.html'), 'old');

/** Runs a command in this process; neither model nor data exist. */
async function run(words: string): Promise<void> {
  const request = parseArguments(words.replaceAll('FOLDER', folder).split(' '), '0');
  if (request.kind === 'show') throw new Error('expected a command');
  const session: Session = {
    options: request.globals,
    signal: new AbortController().signal,
    stdout: process.stdout,
    progress: () => {},
    helpText: () => '',
    print: () => {},
    warn: () => {},
    note: () => {},
    notice: () => {},
  };
  await request.run(session);
}

const GIVEN = '--model no-such-model --data FOLDER/no-such.jsonl';

it.each([
  `effects ${GIVEN} --out FOLDER/file/x.jsonl`,
  `explain ${GIVEN} --example e --out FOLDER/file/x.html`,
  `audit ${GIVEN} --out FOLDER/file/x`,
  `refute ${GIVEN} --out FOLDER/file/x`,
  `train ${GIVEN} --objective sft --out FOLDER/file/x`,
  'simulate --users 1 --out FOLDER/file/x.jsonl',
  'export --model no-such-model --out FOLDER/file/x',
  'export --model no-such-model --adapter a --format gguf-lora --out FOLDER/file/x.gguf',
  'quickstart --out FOLDER/file/x',
])('%s', async (words) => {
  await expect(run(words)).rejects.toMatchObject({ code: 'file/cannot-write' });
});

it.each([
  `effects ${GIVEN} --out FOLDER/file.jsonl`,
  `explain ${GIVEN} --example e --out FOLDER/file.html`,
  'simulate --users 1 --out FOLDER/file.jsonl',
  'export --model no-such-model --adapter a --format gguf-lora --out FOLDER/file',
])('replaces a file only with --force: %s', async (words) => {
  await expect(run(words)).rejects.toMatchObject({ code: 'file/exists' });
});
