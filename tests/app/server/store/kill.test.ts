/** @file Real processes killed at random moments: nothing acknowledged is lost, nothing is there twice, and what was cut off is finished. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { isReceiptGenuine, receiptOf } from '../../../../src/app/server/store/receipts.ts';
import { openStore } from '../../../../src/app/server/store/store.ts';
import type { Receipt } from '../../../../src/app/server/store-contract.ts';
import { randomStream } from '../../../../src/base/random.ts';
import { privateMount } from '../../../support/private-mount.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-store-kill-'));
const script = resolve(import.meta.dirname, '../../../support/store-child.ts');
const random = randomStream(16, 'tests/store-kills');
/** Each start of a child takes a second; NEXTQUILL_STORE_KILLS=100 for a long run. */
const KILLS = Number(process.env.NEXTQUILL_STORE_KILLS ?? 4);

/** Runs the child until it has written for a while, and kills it. @returns the lines that it printed whole */
async function killed(folder: string, milliseconds: number): Promise<string[]> {
  const child = spawn(process.execPath, ['--import', 'tsx', script, 'write', folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  const closed = new Promise((done) => child.on('close', done));
  await new Promise<void>((open) => {
    child.stdout.on('data', (data: Buffer) => {
      output += data;
      open();
    });
    child.on('close', () => open());
  });
  await sleep(milliseconds);
  child.kill('SIGKILL');
  await closed;
  return output.slice(0, output.lastIndexOf('\n')).split('\n');
}

describe('kill -9', () => {
  it('loses no acknowledged write, doubles none, and leaves no half adapter and no half forgetting', async () => {
    const folder = join(home, 'store');
    const items: string[] = [];
    let adapters = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const lines = await killed(folder, random.integer(400));
      for (const [what, ...words] of lines.map((line) => line.split(' '))) {
        if (what === 'items') items.push(...words);
        if (what === 'adapter') adapters++;
      }
      await using store = await openStore(folder);
      expect(await store.check()).toEqual([]);
      const stored = store.history('u').items.map(({ id }) => id);
      expect(new Set(stored).size).toBe(stored.length);
      const isStored = new Set(stored);
      expect(items.filter((id) => !isStored.has(id))).toEqual([]);
      // A pair that was not acknowledged is there whole or not at all.
      expect(stored.length % 2).toBe(0);
      // A forgetting is done whole or had not begun.
      for (const { id, forgetting, historyItems } of store.users({ limit: 500 }).data)
        if (id !== 'u') expect([id, forgetting, historyItems <= 1]).toEqual([id, false, true]);
      for (const line of lines.filter((each) => each.startsWith('forgotten ')))
        expect(store.user(line.split(' ')[1]!)).toBeUndefined();
    }
    expect(items.length).toBeGreaterThan(KILLS);
    expect(adapters).toBeGreaterThan(0);
  });

  it.each([
    ['before its transaction', 'forget-before', { status: 'complete', search: { hits: 0 } }],
    ['after its transaction', 'forget-after', { status: 'complete_without_search', search: 'interrupted' }],
  ])('in a forgetting %s: it is finished when the store is next opened', async (_, mode, expected) => {
    const folder = join(home, mode);
    const text = 'What Alice wrote, which is long enough to be found again in a file.';
    {
      await using store = await openStore(folder);
      store.putUser('alice', {});
      store.putUser('bob', {});
      store.addItems('alice', [{ text }]);
      store.addItems('bob', [{ text: 'Another text altogether, which stays where it is.' }]);
      const files = { 'adapter_model.safetensors': Buffer.from('weights') };
      await store.putAdapter({ name: 'hers', owner: 'alice', files, check: async () => ({}) });
    }
    const { signal } = spawnSync(process.execPath, ['--import', 'tsx', script, mode, folder]);
    expect(signal).toBe('SIGKILL');
    await using store = await openStore(folder);
    expect(store.user('alice')).toBeUndefined();
    expect(store.counts()).toEqual({ users: 1, items: 1 });
    expect(store.adapters()).toEqual([]);
    expect(await store.check()).toEqual([]);
    for (const file of ['nextquill.db', 'nextquill.db-wal'])
      expect((await readFile(join(folder, file))).includes('Alice')).toBe(false);
    const ids = store.db.all('SELECT id FROM receipts').map(({ id }) => id as string);
    expect(ids).toHaveLength(1);
    const receipt: Receipt = receiptOf(store.db, ids[0]!)!;
    expect(receipt).toMatchObject({ ...expected, removed: { items: 1 } });
    expect(isReceiptGenuine(receipt)).toBe(true);
    expect(await readdir(join(folder, 'adapters'))).toEqual([]);
  });
});

describe('a file system that is full', () => {
  const mounted = privateMount('a store on a full tmpfs');

  it.skipIf(mounted === undefined)(
    'refuses the write with its reason, keeps what is there, and is read on',
    async () => {
      const disk = join(home, 'disk');
      const output = join(home, 'output.txt');
      mkdirSync(disk);
      const shell = `mount -t tmpfs -o size=2m none "${disk}" || exit 99
      "${process.execPath}" --import tsx "${script}" fill "${disk}/store" > "${output}"`;
      mounted!(shell);
      const lines = readFileSync(output, 'utf8').trim().split('\n');
      const written = lines.filter((line) => line.startsWith('item ')).length;
      expect(written).toBeGreaterThan(20);
      expect(lines.slice(written)).toEqual([
        'error store/full',
        `items ${written}`,
        'adapter store/full',
        'check []',
      ]);
    },
  );
});
