/** @file A user who is forgotten is in no file, no log and no effect, and the receipt says what was looked at. */
import { mkdir, mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openDatabase } from '../../../../src/app/server/store/database.ts';
import { isReceiptGenuine } from '../../../../src/app/server/store/receipts.ts';
import { type OpenedStore, openStore } from '../../../../src/app/server/store/store.ts';
import type { ForgettingMeasures, Receipt } from '../../../../src/app/server/store-contract.ts';
import { trainedUsers } from '../../../../src/method/runs/trained-users.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-forget-'));
let places = 0;
const newPlace = () => join(home, String(++places));

const sentence = (user: string, i: number) =>
  `The ${i}th remark of ${user} is long enough to be told apart from what everybody else has written.`;

/** Users with texts of their own. */
async function filled(
  folder: string,
  users: readonly string[],
  count: number,
  options = {},
): Promise<OpenedStore> {
  const store = await openStore(folder, options);
  for (const user of users) {
    store.putUser(user, {});
    store.addItems(
      user,
      Array.from({ length: count }, (_, i) => ({
        id: `h${i}`,
        time: '2020',
        query: `Remark ${i}`,
        text: sentence(user, i),
      })),
    );
  }
  return store;
}

/** How often a text is in the files of a folder, as they are on disk now. */
async function copies(folder: string, text: string): Promise<number> {
  let found = 0;
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    found += (await readFile(join(entry.parentPath, entry.name), 'latin1')).split(text).length - 1;
  }
  return found;
}

/** A double of a model: each item of the history adds 0.1 nats to each token. */
const doubleOfModel = (changes: Partial<ForgettingMeasures> = {}): ForgettingMeasures => ({
  logProbabilities: async (probes, adapter) =>
    probes.map(({ text, history }) => {
      const level = -3 + (adapter === undefined ? 0 : 1);
      const tokens = text.split(' ');
      return {
        withHistory: tokens.map((_, t) => level - t / 100 + 0.1 * history.length),
        withoutHistory: tokens.map((_, t) => level - t / 100),
      };
    }),
  releaseUser: async () => {},
  ...changes,
});

const check = async () => ({});
const adapterFiles = (content: string, info?: object) => ({
  'adapter_config.json': Buffer.from('{}'),
  'adapter_model.safetensors': Buffer.from(content),
  ...(info && { 'nextquill.json': Buffer.from(JSON.stringify(info)) }),
});

type Part = Readonly<Record<string, unknown>>;

describe('forgetting a user', () => {
  it('leaves no text in any file while the store is open, nothing of other users changed, and a receipt that is genuine', async () => {
    const folder = newPlace();
    await using store = await filled(folder, ['alice-the-first', 'bob', 'carol'], 200);
    const { token } = store.addKey({ role: 'user', user: 'alice-the-first', name: 'phone' });
    const { hash } = await store.putAdapter({
      name: 'alice-style',
      owner: 'alice-the-first',
      files: adapterFiles('weights'),
      check,
    });
    await mkdir(store.effectsFolder('alice-the-first'));
    await writeFile(join(store.effectsFolder('alice-the-first'), 'book.parquet'), 'ids');
    const bob = store.history('bob');
    expect(await copies(folder, sentence('alice-the-first', 7))).toBeGreaterThan(0);

    const receipt = await store.forgetUser('alice-the-first', { measures: doubleOfModel() });

    for (let i = 0; i < 200; i += 10) expect(await copies(folder, sentence('alice-the-first', i))).toBe(0);
    expect(await copies(folder, 'alice-the-first')).toBe(0);
    expect(receipt).toMatchObject({
      object: 'nextquill.receipt',
      status: 'complete',
      removed: { items: 200, keys: 1, adapters: [hash], cacheFiles: 1 },
      others: { usersBefore: 3, usersAfter: 2, itemsBefore: 600, itemsAfter: 400 },
      search: { hits: 0, itemsWithoutNeedle: 0, walBytes: 0 },
      effect: { probes: 8, after: { value: 0, low: 0, high: 0 }, equalsNewUser: true },
    });
    const search = receipt.search as { files: number; bytes: number; needles: number };
    expect(search.files).toBeGreaterThanOrEqual(3);
    expect(search.bytes).toBeGreaterThan((await stat(join(folder, 'nextquill.db'))).size - 1);
    expect(search.needles).toBeGreaterThan(200);
    expect((receipt.effect as { before: { value: number } }).before.value).toBeCloseTo(0.1 * 195.5, 6);
    expect(JSON.stringify(receipt)).not.toContain('alice');
    expect(store.receipt(receipt.id)).toEqual(receipt);

    expect(isReceiptGenuine(receipt)).toBe(true);
    expect(isReceiptGenuine({ ...receipt, status: 'incomplete' })).toBe(false);
    expect(isReceiptGenuine(receipt, 'ed25519:AAAA')).toBe(false);

    expect(store.history('bob')).toEqual(bob);
    expect(store.authenticate(token)).toBeUndefined();
    expect(store.adapters()).toEqual([]);
    expect(await readdir(join(folder, 'adapters'))).toEqual([]);
    expect(await readdir(join(folder, 'effects'))).toEqual([]);
    await expect(store.forgetUser('alice-the-first')).rejects.toMatchObject({ code: 'store/user-not-found' });
    expect(store.putUser('alice-the-first', {})).toMatchObject({ historyVersion: 0, historyItems: 0 });
    expect(await store.check()).toEqual([]);
  });

  it('waits for a reader that keeps deleted texts in the log, and does not lie about one that stays', async () => {
    const folder = newPlace();
    await using store = await filled(folder, ['alice', 'bob'], 200, { readerTimeout: 1000 });
    const reader = openDatabase(join(folder, 'nextquill.db'));
    const hold = () => {
      reader.exec('BEGIN');
      reader.all('SELECT count(*) FROM users');
    };
    hold();
    let isDone = false;
    const forgetting = store.forgetUser('alice').finally(() => {
      isDone = true;
    });
    await sleep(500);
    expect(isDone).toBe(false);
    expect(await copies(folder, sentence('alice', 3))).toBeGreaterThan(0);
    reader.exec('COMMIT');
    expect(await forgetting).toMatchObject({ status: 'complete', search: { hits: 0, walBytes: 0 } });
    hold();
    const held = await store.forgetUser('bob');
    expect(held.status).toBe('incomplete');
    expect(held.problems).toHaveLength(2);
    expect((held.search as { walBytes: number }).walBytes).toBeGreaterThan(0);
    expect((held.search as { filesWithHits: string[] }).filesWithHits).toEqual(['nextquill.db']);
    reader.exec('COMMIT');
    reader[Symbol.dispose]();
  });

  it('finds a copy that somebody has made in the folder, and names the file', async () => {
    const folder = newPlace();
    await using store = await filled(folder, ['alice', 'bob'], 20);
    await writeFile(join(folder, 'effects', 'notes.txt'), `${'x'.repeat(1 << 20)}${sentence('alice', 3)}`);
    const receipt = await store.forgetUser('alice');
    expect(receipt.status).toBe('incomplete');
    expect(receipt.search).toMatchObject({ filesWithHits: ['effects/notes.txt'] });
  });

  it('does not search for what others have written too, nor for what is too short to tell', async () => {
    const folder = newPlace();
    await using store = await openStore(folder);
    for (const user of ['alice', 'bob']) store.putUser(user, {});
    const quotation = 'To be, or not to be, that is the question: Whether tis nobler in the mind';
    store.addItems('alice', [{ text: quotation }, { text: 'ok' }, { text: sentence('alice', 1) }]);
    store.addItems('bob', [{ text: `As he said: ${quotation}` }]);
    expect(await store.forgetUser('alice')).toMatchObject({
      status: 'complete',
      search: { hits: 0, itemsWithoutNeedle: 2 },
    });
    expect(await copies(folder, quotation)).toBe(1);
  });

  it('leaves the user as before when it is stopped, or when the model fails, before anything was removed', async () => {
    await using store = await filled(newPlace(), ['alice'], 10);
    const before = { user: store.user('alice'), history: store.history('alice') };
    const controller = new AbortController();
    const stopping = doubleOfModel({ releaseUser: async () => controller.abort() });
    await expect(
      store.forgetUser('alice', { measures: stopping, signal: controller.signal }),
    ).rejects.toMatchObject({
      code: 'aborted',
    });
    const failing = doubleOfModel({ logProbabilities: () => Promise.reject(new Error('no memory')) });
    await expect(store.forgetUser('alice', { measures: failing })).rejects.toThrow('no memory');
    expect({ user: store.user('alice'), history: store.history('alice') }).toEqual(before);
  });

  it('takes no change of the user while it runs, and says so', async () => {
    await using store = await filled(newPlace(), ['alice'], 10);
    const codes: unknown[] = [];
    const attempt = (work: () => unknown) => {
      try {
        work();
        codes.push('no error');
      } catch (error) {
        codes.push((error as { code?: string }).code);
      }
    };
    const measures = doubleOfModel({
      releaseUser: async (user) => {
        if (codes.length > 0) return;
        attempt(() => store.addItems(user, [{ text: 'late' }]));
        attempt(() => store.putUser(user, { strength: 2 }));
        attempt(() => store.addKey({ role: 'user', user, name: 'late' }));
        codes.push(store.user(user)!.forgetting);
      },
    });
    expect((await store.forgetUser('alice', { measures })).status).toBe('complete');
    expect(codes).toEqual([...Array(3).fill('store/user-being-forgotten'), true]);
  });

  it('is not complete when the model still gives numbers of its own for the user', async () => {
    await using store = await filled(newPlace(), ['alice'], 10);
    // A double of a server with a cache that forgetting does not reach.
    const cached = doubleOfModel({
      logProbabilities: async (probes) =>
        probes.map(() => ({ withHistory: [-1, -2], withoutHistory: [-3, -4] })),
    });
    const receipt = await store.forgetUser('alice', { measures: cached });
    expect(receipt).toMatchObject({
      status: 'incomplete',
      effect: { equalsNewUser: false, after: { value: 2 } },
    });
  });

  it('says of each shared adapter whether it learnt from the user, and how well it knows the texts where that is not a no', async () => {
    await using store = await filled(newPlace(), ['alice', 'bob', 'carol'], 10);
    const put = (name: string, info?: object) =>
      store.putAdapter({ name, files: adapterFiles(name, info), check });
    await put('learnt', { trainedOnUsers: trainedUsers(['alice', 'bob'], 'data') });
    await put('others', { trainedOnUsers: trainedUsers(['bob', 'carol'], 'data') });
    await put('elsewhere');
    const { sharedAdapters } = await store.forgetUser('alice', { measures: doubleOfModel() });
    const byName = Object.fromEntries((sharedAdapters as Part[]).map((each) => [each.name, each]));
    expect(byName.others).toEqual({ name: 'others', hash: expect.any(String), trainedOnUser: 'no' });
    expect(byName.learnt!.trainedOnUser).toBe('yes');
    expect(byName.elsewhere!.trainedOnUser).toBe('unknown');
    for (const name of ['learnt', 'elsewhere']) {
      const { user, others } = byName[name]!.likelihood as Record<string, Record<string, number>>;
      expect(user!.withAdapter! - user!.withoutAdapter!).toBeCloseTo(1, 9);
      expect(others!.withAdapter! - others!.withoutAdapter!).toBeCloseTo(1, 9);
    }
  });
});

describe('forgetting an item', () => {
  it('removes it from the files, raises the version of the history, and keeps the rest', async () => {
    const folder = newPlace();
    await using store = await filled(folder, ['alice'], 20);
    const receipt: Receipt = await store.removeItem('alice', 'h7');
    expect(receipt).toMatchObject({
      status: 'complete',
      removed: { items: 1, keys: 0, adapters: [] },
      others: { usersBefore: 1, usersAfter: 1, itemsBefore: 20, itemsAfter: 19 },
    });
    expect(receipt).not.toHaveProperty('sharedAdapters');
    expect(await copies(folder, sentence('alice', 7))).toBe(0);
    expect(await copies(folder, sentence('alice', 8))).toBeGreaterThan(0);
    expect(store.user('alice')).toMatchObject({ historyItems: 19, historyVersion: 2 });
    await expect(store.removeItem('alice', 'h7')).rejects.toMatchObject({ code: 'store/item-not-found' });
    await expect(store.removeItem('bob', 'h7')).rejects.toMatchObject({ code: 'store/user-not-found' });
  });
});
