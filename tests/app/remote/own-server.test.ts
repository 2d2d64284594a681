/** @file Our own server as the peer of our own client: an audit of what it serves equals one of the same weights here. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { open } from '../../../src/app/open/open.ts';
import { createServer } from '../../../src/app/server/create-server.ts';
import { openStore } from '../../../src/app/server/store/store.ts';
import { simulate } from '../../../src/method/simulation/simulate.ts';
import { comparable, expectClose, numbersOf } from '../../support/audit-documents.ts';
import { runInProcess } from '../../support/run-command.ts';

const home = mkdtempSync(join(tmpdir(), 'nextquill-own-server-'));
const data = join(home, 'users.jsonl');
writeFileSync(
  data,
  simulate({ users: 4, examplesPerUser: 1, seed: 5 })
    .map((each) => JSON.stringify(each))
    .join('\n'),
);

const store = await openStore();
const server = await createServer({ model: await open('embedded'), store, port: 0, auth: false, threads: 1 });
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
});

it('an audit over /v1/completions equals the local one to 1e-4 in every number', async () => {
  const json = async (words: string) => JSON.parse((await runInProcess(`${words} --json`)).stdout);
  const settings = `--data ${data} --split all --max-tokens 300 --seed 3 --threads 1 --maps 1`;
  const remote = await json(
    `audit --model ${server.url} --tokenizer embedded ${settings} --remote-repeat 1 --out ${join(home, 'remote')}`,
  );
  const local = await json(`audit --model embedded ${settings} --out ${join(home, 'local')}`);
  expect(remote.remote).toMatchObject({ kind: 'nextquill', way: 'prompt_logprobs' });
  expectClose(comparable(numbersOf(remote)), comparable(numbersOf(local)), 1e-4);
});
