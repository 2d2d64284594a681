/** @file Every command that writes tries its place first: before data are read, and before a model is opened. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runInProcess } from '../../support/run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'nextquill-places-'));
writeFileSync(join(folder, 'file'), 'old');
writeFileSync(join(folder, 'file.jsonl'), 'old');
writeFileSync(join(folder, 'file.html'), 'old');

/** Neither model nor data exist. */
const run = (words: string) => runInProcess(words.replaceAll('FOLDER', folder));

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
