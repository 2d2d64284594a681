/** @file Our own server as the peer of our own client: an audit of what it serves equals one of the same weights here. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { open } from '../../../src/app/open/open.ts';
import { createServer } from '../../../src/app/server/create-server.ts';
import { openStore } from '../../../src/app/server/store/store.ts';
import type { EffectRow } from '../../../src/method/scoring/rows.ts';
import { simulate } from '../../../src/method/simulation/simulate.ts';
import { comparable, expectClose, numbersOf } from '../../support/audit-documents.ts';
import { runInProcess } from '../../support/run-command.ts';

const home = mkdtempSync(join(tmpdir(), 'nextquill-own-server-'));
const data = join(home, 'users.jsonl');
const examples = simulate({ users: 4, examplesPerUser: 1, seed: 5 });
writeFileSync(data, examples.map((each) => JSON.stringify(each)).join('\n'));

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
  expect(remote.remote).toMatchObject({ kind: 'nextquill', way: 'prompt_logprobs', likeliest: 20 });
  expectClose(comparable(numbersOf(remote)), comparable(numbersOf(local)), 1e-4);
  const bounds = remote.maps.most[0].tokens.map((token: EffectRow) => token.effectDivergenceAtLeast);
  expect(bounds.every((bound: unknown) => typeof bound === 'number')).toBe(true);
});

it('effectDivergenceAtLeast is at most the divergence of the same weights, is most of it, and comes from the cache again', async () => {
  const rowsOf = async (words: string): Promise<EffectRow[]> => {
    const { stdout } = await runInProcess(
      `effects ${words} --data ${data} --split all --max-tokens 300 --threads 1 --json`,
    );
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  };
  const local = await rowsOf('--model embedded');
  const remoteRows = (more = '') =>
    rowsOf(`--model ${server.url} --tokenizer embedded --remote-repeat 1 ${more}`);
  const cache = { ...process.env };
  process.env.NEXTQUILL_CACHE = join(home, 'cache');
  try {
    // What an earlier version kept: log-probabilities without lists.
    const without = await remoteRows('--cache --remote-likeliest 0');
    expect(without.every((row) => row.effectDivergenceAtLeast === null)).toBe(true);
    const remote = await remoteRows('--cache');
    expect(remote).toHaveLength(local.length);
    let [bounded, whole] = [0, 0];
    for (const [i, row] of remote.entries()) {
      const { effectDivergence: exact } = local[i]!;
      expect([row.effectDivergence, row.position]).toEqual([null, local[i]!.position]);
      expect(row.effectDivergenceAtLeast).toBeGreaterThanOrEqual(0);
      expect(row.effectDivergenceAtLeast).toBeLessThanOrEqual(exact + 1e-5);
      bounded += row.effectDivergenceAtLeast!;
      whole += exact;
    }
    expect(bounded / whole).toBeGreaterThan(0.5);
    expect(await remoteRows('--cache')).toEqual(remote);
  } finally {
    process.env = cache;
  }
});

it('a heat map over a server names the bound, in its table and as a choice of colour', async () => {
  const out = join(home, 'map.html');
  const shown = `--data ${data} --max-tokens 300 --threads 1 --example ${examples[0]!.id} --no-items`;
  const model = `--model ${server.url} --tokenizer embedded`;
  await runInProcess(`explain ${model} ${shown} --effect divergenceAtLeast --out ${out}`);
  const page = readFileSync(out, 'utf8');
  expect(page).toContain('id="by-divergenceAtLeast" checked');
  expect(page).toMatch(/data-facts="[^"]*\|divergence, at least=0\.\d+/);
  expect(page).toContain('<th scope="col">divergence, at least</th>');
  const refused = (words: string) => expect(runInProcess(`explain ${words} ${shown}`)).rejects;
  await refused(`${model} --effect divergence`).toMatchObject({ code: 'remote/needs-logits' });
  await refused(`${model} --remote-likeliest 0 --effect divergenceAtLeast`).toMatchObject({
    code: 'config/no-effect',
  });
  await refused('--model embedded --effect divergenceAtLeast').toMatchObject({ code: 'config/no-effect' });
});
