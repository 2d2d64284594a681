/** @file The command line with a model of the hub: downloaded from a server on this machine, pinned in the run, used offline. */
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeExamples } from '../../../src/method/data/jsonl.ts';
import { startHub } from '../../support/hub-server.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { runCli } from '../../support/run-cli.ts';
import { writtenUsers } from '../../support/written-users.ts';

const COMMIT = 'c0ffee'.padEnd(40, '0');
const TOKEN = 'hf_secretOfTheTests';
let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'nextquill-cli-hub-'));
  await mkdir(join(home, 'work'));
  await writeModelFolder(join(home, 'source'));
  await writeExamples(join(home, 'work/users.jsonl'), writtenUsers);
});
afterAll(() => rm(home, { recursive: true }));

it('trains on a model by its id, records the commit, and scores with the adapter offline', async () => {
  const names = await readdir(join(home, 'source'));
  const contents = names.map(async (name) => [name, await readFile(join(home, 'source', name))] as const);
  const files = Object.fromEntries(await Promise.all(contents));
  const hub = await startHub({ name: 'tests/tiny', commit: COMMIT, files });
  const env = { HF_ENDPOINT: hub.endpoint, HF_HOME: join(home, 'hf'), HF_TOKEN: TOKEN };
  const run = (words: string) => runCli(words.split(' '), { cwd: join(home, 'work'), env });

  const train =
    '--data users.jsonl --objective sft --out run --lora-rank 2 --max-steps 1 --max-tokens 300 --threads 1';
  const trained = await run(`train --model tests/tiny@main ${train}`);
  await hub[Symbol.asyncDispose]();
  expect(trained.stderr).toContain('downloading tests/tiny');
  expect(trained.code).toBe(0);
  expect(trained.stdout + trained.stderr).not.toContain(TOKEN);
  const json = async (path: string) =>
    JSON.parse(await readFile(join(home, 'work/run', path), 'utf8')) as Record<string, unknown>;
  expect(await json('manifest.json')).toMatchObject({ model: { source: `tests/tiny@${COMMIT}` } });
  expect(await json('adapter/adapter_config.json')).toMatchObject({
    base_model_name_or_path: 'tests/tiny',
    revision: COMMIT,
  });

  const scored = await run(
    `effects --offline --model tests/tiny@${COMMIT} --adapter run/adapter --data users.jsonl --max-examples 1 --threads 1 --json`,
  );
  expect(scored.stderr).not.toContain('warning');
  expect(scored.code).toBe(0);
  expect(scored.stdout.split('\n').length).toBeGreaterThan(5);
});
