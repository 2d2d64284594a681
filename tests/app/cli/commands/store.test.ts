/** @file `nextquill store`: what an administrator does with a store while no server has it open. */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../../../src/app/server/store/store.ts';
import { readExamples } from '../../../../src/method/data/source.ts';
import { runInProcess } from '../../../support/run-command.ts';

const home = mkdtempSync(join(tmpdir(), 'nextquill-store-command-'));
let places = 0;
const newPlace = (name = 'store') => join(home, `${name}-${++places}`);

/** The JSON that a command prints. */
const json = async (words: string) => JSON.parse((await runInProcess(`${words} --json`)).stdout);

const data = join(home, 'users.jsonl');
const text = (user: string, i: number) =>
  `${user} wrote remark ${i}, which nobody else has written in these words.`;
const example = (user: string, shown: number) => ({
  id: `${user}-${shown}`,
  user,
  time: '2021-01-01',
  query: 'What next?',
  response: `${user} says goodbye`,
  history: Array.from({ length: shown }, (_, i) => ({
    time: `2020-01-0${i + 1}`,
    query: `q${i}`,
    text: text(user, i),
  })),
});
writeFileSync(
  data,
  [example('ann', 3), example('ann', 4), example('bob', 2)].map((each) => JSON.stringify(each)).join('\n'),
);

async function filled(): Promise<string> {
  const store = newPlace();
  await runInProcess(`store import --store ${store} --data ${data}`);
  return store;
}

describe('nextquill store', () => {
  it('imports the histories of examples, each text once, and the responses where they are asked for', async () => {
    const store = newPlace();
    expect(await json(`store import --store ${store} --data ${data}`)).toEqual({
      users: 2,
      added: 6,
      unchanged: 3,
    });
    expect(await json(`store import --store ${store} --data ${data} --with-responses`)).toEqual({
      users: 2,
      added: 2,
      unchanged: 10,
    });
    await using opened = await openStore(store);
    expect(opened.history('ann').items.map((item) => item.text)).toEqual([
      ...[0, 1, 2, 3].map((i) => text('ann', i)),
      'ann says goodbye',
    ]);
  });

  it('exports what another store takes in whole, and one user alone', async () => {
    const store = await filled();
    {
      await using opened = await openStore(store);
      opened.putUser('ann', { strength: 1.5, meta: { plan: 'pro' } });
    }
    const out = join(home, 'all.jsonl.gz');
    await runInProcess(`store export --store ${store} --out ${out}`);
    const copy = newPlace();
    expect(await json(`store import --store ${copy} --from ${out}`)).toEqual({
      users: 2,
      added: 6,
      unchanged: 0,
    });
    const exported = async (folder: string) => (await runInProcess(`store export --store ${folder}`)).stdout;
    const withoutTimes = (lines: string) => lines.replace(/"created":"[^"]*"/g, '');
    expect(withoutTimes(await exported(copy))).toBe(withoutTimes(await exported(store)));
    const { stdout } = await runInProcess(`store export --store ${store} --user bob`);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ type, id, user }) => user ?? `${type} ${id}`)).toEqual(['user bob', 'bob', 'bob']);
  });

  it('refuses lines that no export wrote, by file, line and key', async () => {
    const from = join(home, 'bad.jsonl');
    const cases = { '{"type":"item","user":"u"}': '"id"', '{"id":"u"}': 'another object', '{': 'no JSON' };
    for (const [line, words] of Object.entries(cases)) {
      writeFileSync(from, `{"type":"user","id":"u","meta":{},"created":""}\n${line}\n`);
      await expect(runInProcess(`store import --store ${newPlace()} --from ${from}`)).rejects.toMatchObject({
        code: 'store/import',
        message: expect.stringMatching(new RegExp(`bad\\.jsonl:2.*${words}`)),
      });
    }
  });

  it('adds, lists and removes keys; the key itself is printed once', async () => {
    const store = await filled();
    const token = (
      await runInProcess(`store keys add --store ${store} --role app --name web --expires 30d`)
    ).stdout.trim();
    await runInProcess(`store keys add --store ${store} --role user --user ann --name phone`);
    const { keys } = await json(`store keys --store ${store}`);
    expect(keys).toEqual([
      { role: 'app', name: 'web', created: expect.any(String), expires: expect.any(String) },
    ]);
    expect((Date.parse(keys[0].expires) - Date.now()) / 86_400_000).toBeCloseTo(30, 1);
    expect((await json(`store keys list --store ${store} --user ann`)).keys).toHaveLength(1);
    {
      await using opened = await openStore(store);
      expect(opened.authenticate(token)).toMatchObject({ role: 'app', name: 'web' });
    }
    await runInProcess(`store keys remove --store ${store} --name web`);
    await expect(runInProcess(`store keys remove --store ${store} --name web`)).rejects.toMatchObject({
      code: 'store/key-not-found',
    });
  });

  it('forgets a user with the effect on a real model before and after, and an item without', async () => {
    const store = newPlace();
    const sotu = (await readExamples('sotu')).filter(({ history }) => history.length >= 3).slice(0, 1);
    {
      await using opened = await openStore(store);
      for (const user of ['president', 'other']) opened.putUser(user, {});
      opened.addItems(
        'president',
        sotu[0]!.history.slice(0, 3).map((item, i) => ({ id: `h${i}`, query: item.query, text: item.text })),
      );
      opened.addItems('other', [{ text: 'A text of somebody else, who stays in this store.' }]);
    }
    const item = await json(`store forget --store ${store} --user president --item h0`);
    expect(item).toMatchObject({ status: 'complete', removed: { items: 1 } });
    const receipt = await json(`store forget --store ${store} --user president --model embedded --threads 1`);
    expect(receipt).toMatchObject({
      status: 'complete',
      removed: { items: 2 },
      effect: { probes: 2, after: { value: 0, low: 0, high: 0 }, equalsNewUser: true },
      sharedAdapters: [],
    });
    expect(Math.abs(receipt.effect.before.value)).toBeGreaterThan(0.001);
    await expect(runInProcess(`store forget --store ${store} --user president`)).rejects.toMatchObject({
      code: 'store/user-not-found',
    });
  });

  it('ends with the exit code of results that do not hold when a copy of the texts is found', async () => {
    const store = await filled();
    writeFileSync(join(store, 'effects', 'copy.txt'), text('ann', 1));
    await expect(runInProcess(`store forget --store ${store} --user ann --json`)).rejects.toMatchObject({
      name: 'ContractError',
      code: 'store/forget-incomplete',
      message: expect.stringContaining('effects/copy.txt'),
    });
  });

  it('checks, and copies a store that can be opened', async () => {
    const store = await filled();
    const copy = newPlace('copy');
    await runInProcess(`store backup --store ${store} --out ${copy}`);
    expect(await json(`store check --store ${copy}`)).toEqual({ users: 2, items: 6, faults: [] });
    writeFileSync(join(copy, 'adapters', 'stray'), '');
    // What no name stands for is removed when a store is opened.
    expect(await json(`store check --store ${copy}`)).toMatchObject({ faults: [] });
    await expect(runInProcess(`store backup --store ${store} --out ${copy}`)).rejects.toMatchObject({
      code: 'file/exists',
    });
    const bytes = readFileSync(join(copy, 'nextquill.db'));
    bytes.fill(0xff, 4096, 3 * 4096);
    writeFileSync(join(copy, 'nextquill.db'), bytes);
    await expect(runInProcess(`store check --store ${copy}`)).rejects.toMatchObject({
      code: expect.stringMatching(/^store\/(damaged|faults)$/),
    });
  });

  it('refuses an unknown action, a flag without effect and a store that is not there', async () => {
    const store = await filled();
    const refused = (words: string) => expect(runInProcess(words)).rejects;
    await refused(`store vacuum --store ${store}`).toMatchObject({ code: 'usage/action' });
    await refused(`store keys burn --store ${store}`).toMatchObject({ code: 'usage/action' });
    await refused(`store check --store ${store} --user ann`).toMatchObject({ code: 'config/no-effect' });
    await refused(`store keys list --store ${store} --role app`).toMatchObject({ code: 'config/no-effect' });
    await refused(`store import --store ${store}`).toMatchObject({ code: 'usage/source' });
    await refused(`store forget --user ann`).toMatchObject({ code: 'usage/missing-flag' });
    const missing = newPlace();
    await refused(`store check --store ${missing}`).toMatchObject({ code: 'store/missing' });
    expect(readdirSync(home)).not.toContain(missing);
  });
});
