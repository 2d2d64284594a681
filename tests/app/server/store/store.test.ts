/** @file Stores of users: what goes in comes back, all or nothing, for one process at a time. */
import { mkdir, mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDatabase } from '../../../../src/app/server/store/database.ts';
import { prepareSchema } from '../../../../src/app/server/store/schema.ts';
import { openStore } from '../../../../src/app/server/store/store.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-store-test-'));
let places = 0;
const newPlace = () => join(home, String(++places));

/** The code of the error that work ends with. */
const codeOf = async (work: () => unknown) => {
  try {
    await work();
    return 'no error';
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

const items = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({
    id: `h${from + i}`,
    time: '2020-01-02',
    query: `q${from + i}`,
    text: `text ${from + i}`,
  }));

describe('users', () => {
  it('are made by their first change, keep what a change does not name, and lose what it sets to null', async () => {
    await using store = await openStore();
    expect(store.putUser('u1', { strength: 1.5, meta: { plan: 'pro' } })).toMatchObject({
      id: 'u1',
      strength: 1.5,
      meta: { plan: 'pro' },
      historyItems: 0,
      historyVersion: 0,
      forgetting: false,
    });
    expect(store.putUser('u1', { strength: null })).toEqual({ ...store.user('u1'), meta: { plan: 'pro' } });
    expect(store.user('u1')).not.toHaveProperty('strength');
    expect(store.user('u2')).toBeUndefined();
  });

  it('are listed by id, by prefix and page by page', async () => {
    await using store = await openStore();
    for (const id of ['b', 'a:2', 'a:1', 'c']) store.putUser(id, {});
    const ids = (options: Parameters<typeof store.users>[0]) => store.users(options).data.map(({ id }) => id);
    expect(ids({ limit: 10 })).toEqual(['a:1', 'a:2', 'b', 'c']);
    expect(ids({ limit: 10, prefix: 'a:' })).toEqual(['a:1', 'a:2']);
    expect(store.users({ limit: 2 }).hasMore).toBe(true);
    expect(ids({ limit: 2, after: 'a:2' })).toEqual(['b', 'c']);
    expect(store.users({ limit: 2, after: 'a:2' }).hasMore).toBe(false);
  });

  it('are refused with ids that have no place in a URL, or a strength that is no number', async () => {
    await using store = await openStore();
    for (const id of ['', 'a/b', '../x', 'ü', 'a'.repeat(129), 'a\n'])
      expect(await codeOf(() => store.putUser(id, {}))).toBe('store/id');
    expect(await codeOf(() => store.putUser('u', { strength: Number.NaN }))).toBe('store/strength');
    expect(store.counts()).toEqual({ users: 0, items: 0 });
  });
});

describe('items', () => {
  it('come back as they went in, whatever characters they hold', async () => {
    const folder = newPlace();
    const given = {
      id: 'h1',
      time: '2020-01-02T10:00:00Z',
      query: '"quoted"\n\t\u0001 control',
      text: 'ﬁ 👩‍👩‍👧 \u202E "; DROP TABLE items; --',
      meta: { rating: 5, nested: { literal: '\\ud800', nul: '\u0000' } },
    };
    {
      await using store = await openStore(folder);
      store.putUser('u', {});
      store.addItems('u', [given]);
    }
    await using store = await openStore(folder);
    expect(store.history('u')).toEqual({ items: [given], version: 1 });
  });

  it('are in the order of time, across zones, and of arrival where times are equal', async () => {
    await using store = await openStore();
    store.putUser('u', {});
    const at = (id: string, time: string) => ({ id, time, query: '', text: id });
    store.addItems('u', [at('c', '2020-01-02T01:00:00+05:00'), at('d', '2020-01-02'), at('b', '2020')]);
    store.addItems('u', [at('a', '2019-12-31'), at('e', '2020-01-02')]);
    const order = ['a', 'b', 'c', 'd', 'e'];
    expect(store.history('u').items.map(({ id }) => id)).toEqual(order);
    expect(store.history('u', { latest: 2 }).items.map(({ id }) => id)).toEqual(['d', 'e']);
    const page = (options: Parameters<typeof store.items>[1]) => {
      const { data, hasMore } = store.items('u', options);
      return [data.map(({ id }) => id).join(''), hasMore];
    };
    expect(page({ limit: 2 })).toEqual(['ab', true]);
    expect(page({ limit: 3, after: 'b' })).toEqual(['cde', false]);
    expect(page({ limit: 3, order: 'newest' })).toEqual(['edc', true]);
    expect(page({ limit: 3, order: 'newest', after: 'c' })).toEqual(['ba', false]);
    expect(await codeOf(() => store.items('u', { limit: 3, after: 'x' }))).toBe('store/item-not-found');
  });

  it('are unchanged when they are sent again, and a conflict when their content is another: then none goes in', async () => {
    await using store = await openStore();
    store.putUser('u', {});
    const added = { added: 3, unchanged: 0, historyItems: 3, historyVersion: 1 };
    expect(store.addItems('u', items(3))).toEqual(added);
    expect(store.addItems('u', items(3))).toEqual({ ...added, added: 0, unchanged: 3 });
    expect(store.addItems('u', items(4))).toEqual({
      added: 1,
      unchanged: 3,
      historyItems: 4,
      historyVersion: 2,
    });
    const other = [...items(2, 10), { ...items(1)[0]!, text: 'another' }];
    expect(await codeOf(() => store.addItems('u', other))).toBe('store/item-conflict');
    expect(store.user('u')).toMatchObject({ historyItems: 4, historyVersion: 2 });
  });

  it('without an id or a time get the hash of their content and the time of arrival, and may be sent again', async () => {
    await using store = await openStore();
    store.putUser('u', {});
    store.addItems('u', [{ text: 'a text' }]);
    expect(store.addItems('u', [{ text: 'a text' }])).toMatchObject({ added: 0, unchanged: 1 });
    const [item] = store.history('u').items;
    expect(item!.id).toMatch(/^[0-9a-f]{64}$/);
    expect(Math.abs(Date.parse(item!.time) - Date.now())).toBeLessThan(60_000);
  });

  it('are refused where they would not come back, have no text or are too many', async () => {
    await using store = await openStore();
    expect(await codeOf(() => store.addItems('u', items(1)))).toBe('store/user-not-found');
    store.putUser('u', {});
    const add = (item: object) => codeOf(() => store.addItems('u', [{ text: 'x', ...item }]));
    expect(await add({ text: 'half \ud83d' })).toBe('store/text');
    // A text with a NUL came back cut there.
    expect(await add({ text: 'before \0 after' })).toBe('store/text');
    expect(await add({ meta: { a: ['\udc00'] } })).toBe('store/text');
    expect(await add({ text: ' \n' })).toBe('store/item');
    expect(await add({ time: 'yesterday' })).toBe('store/item');
    expect(await add({ id: 'a b' })).toBe('store/id');
    expect(await codeOf(() => store.addItems('u', items(3), { most: 2 }))).toBe('store/limit');
    expect(store.counts()).toEqual({ users: 1, items: 0 });
  });
});

describe('keys', () => {
  it('open with their token alone, of which the files hold nothing', async () => {
    const folder = newPlace();
    await using store = await openStore(folder);
    store.putUser('u1', {});
    const { token, key } = store.addKey({ role: 'user', user: 'u1', name: 'phone', expires: '2020-01-01' });
    expect(token).toMatch(/^nq_[A-Za-z0-9_-]{43}$/);
    expect(store.authenticate(token)).toEqual(key);
    expect(store.authenticate(token)).toEqual({ ...key, used: new Date().toISOString().slice(0, 10) });
    for (const other of ['', 'nq_', `${token}x`, token.replace(/.$/, (c) => (c === 'A' ? 'B' : 'A'))])
      expect(store.authenticate(other)).toBeUndefined();
    for (const file of ['nextquill.db', 'nextquill.db-wal'])
      expect((await readFile(join(folder, file))).includes(token.slice(3))).toBe(false);
    store.removeKey('phone', 'u1');
    expect(store.authenticate(token)).toBeUndefined();
  });

  it('have a user exactly with the role user, a name of their own, and are listed by whom they are for', async () => {
    await using store = await openStore();
    store.putUser('u1', {});
    expect(await codeOf(() => store.addKey({ role: 'user', name: 'a' }))).toBe('store/key');
    expect(await codeOf(() => store.addKey({ role: 'app', user: 'u1', name: 'a' }))).toBe('store/key');
    expect(await codeOf(() => store.addKey({ role: 'user', user: 'u2', name: 'a' }))).toBe(
      'store/user-not-found',
    );
    store.addKey({ role: 'app', name: 'web' });
    store.addKey({ role: 'user', user: 'u1', name: 'web' });
    expect(await codeOf(() => store.addKey({ role: 'admin', name: 'web' }))).toBe('store/key-exists');
    expect(store.keys().map(({ role }) => role)).toEqual(['app']);
    expect(store.keys('u1').map(({ role }) => role)).toEqual(['user']);
    expect(await codeOf(() => store.removeKey('nobody'))).toBe('store/key-not-found');
  });
});

describe('adapters', () => {
  const files = (content: string) => ({
    'adapter_config.json': Buffer.from('{}'),
    'adapter_model.safetensors': Buffer.from(content),
  });
  const check = async (folder: string) => ({ files: (await readdir(folder)).length });

  it('lie under the hash of their content; a name comes to mean another, and what it meant stays until released', async () => {
    const folder = newPlace();
    await using store = await openStore(folder);
    const first = await store.putAdapter({ name: 'style', files: files('one'), check });
    expect(first).toMatchObject({ name: 'style', info: { files: 2 } });
    expect(await store.putAdapter({ name: 'twin', files: files('one'), check })).toMatchObject({
      hash: first.hash,
    });
    const second = await store.putAdapter({ name: 'style', files: files('two'), check });
    expect(store.adapter('style')).toEqual(second);
    expect(second.hash).not.toBe(first.hash);
    await store.releaseAdapter(first.hash);
    expect(await readdir(first.folder)).toHaveLength(2);
    await store.removeAdapter('twin');
    await store.releaseAdapter(first.hash);
    expect(await readdir(join(folder, 'adapters'))).toEqual([second.hash]);
    expect(await store.check()).toEqual([]);
  });

  it('that fail their check leave nothing, and the name means what it meant', async () => {
    const folder = newPlace();
    await using store = await openStore(folder);
    const kept = await store.putAdapter({ name: 'style', files: files('one'), check });
    const refuse = async () => {
      throw Object.assign(new Error('no'), { code: 'lora/shape' });
    };
    const put = (given: Parameters<typeof store.putAdapter>[0]) => codeOf(() => store.putAdapter(given));
    expect(await put({ name: 'style', files: files('bad'), check: refuse })).toBe('lora/shape');
    expect(await put({ name: 'style', files: { '../x': Buffer.from('') }, check })).toBe(
      'store/adapter-file',
    );
    expect(await put({ name: 'style', owner: 'u1', files: files('x'), check })).toBe('store/user-not-found');
    store.putUser('u1', {});
    expect(await put({ name: 'style', owner: 'u1', files: files('x'), check })).toBe('store/adapter-owner');
    expect(store.adapters()).toEqual([kept]);
    expect(await readdir(join(folder, 'adapters'))).toEqual([kept.hash]);
  });

  it('of one user are no other user’s', async () => {
    await using store = await openStore();
    store.putUser('u1', {});
    await store.putAdapter({ name: 'mine', owner: 'u1', files: files('one'), check });
    expect(await codeOf(() => store.putUser('u2', { adapter: 'mine' }))).toBe('store/adapter-not-found');
    expect(store.user('u2')).toBeUndefined();
    expect(store.putUser('u1', { adapter: 'mine' }).adapter).toBe('mine');
  });

  it('changed on disk, missing or of nobody are found by the check', async () => {
    const folder = newPlace();
    await using store = await openStore(folder);
    const { folder: place } = await store.putAdapter({ name: 'style', files: files('one'), check });
    await writeFile(join(place, 'adapter_model.safetensors'), 'other');
    await mkdir(join(folder, 'adapters', 'stray'));
    expect(await store.check()).toEqual([expect.stringContaining('style'), expect.stringContaining('stray')]);
  });
});

describe('a store', () => {
  it('is for its owner alone, and for one process at a time', async () => {
    const folder = newPlace();
    {
      await using store = await openStore(folder);
      expect(await codeOf(() => openStore(folder))).toBe('store/locked');
      expect(store.folder).toBe(folder);
    }
    await using _store = await openStore(folder);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, 'nextquill.db'))).mode & 0o777).toBe(0o600);
  });

  it('is not made in a folder of something else, or of a damaged database', async () => {
    const other = newPlace();
    await mkdir(other);
    await writeFile(join(other, 'thesis.tex'), '');
    expect(await codeOf(() => openStore(other))).toBe('store/other-folder');
    const damaged = newPlace();
    await mkdir(damaged);
    await writeFile(join(damaged, 'nextquill.db'), 'SQLite format 3\0 but not quite'.repeat(100));
    expect(await codeOf(() => openStore(damaged))).toBe('store/damaged');
    expect(await readdir(damaged)).not.toContainEqual(expect.stringMatching(/^\.lock/));
  });

  it('in memory leaves nothing behind', async () => {
    const before = (await readdir(tmpdir())).filter((name) => name.startsWith('nextquill-store-'));
    {
      await using store = await openStore();
      store.putUser('u', {});
      expect(store).not.toHaveProperty('folder');
    }
    const after = (await readdir(tmpdir())).filter((name) => name.startsWith('nextquill-store-'));
    expect(after).toEqual(before);
  });
});

describe('the schema', () => {
  const upgrades = [
    { to: 2, sql: "ALTER TABLE users ADD COLUMN language TEXT NOT NULL DEFAULT 'en'" },
    { to: 3, sql: 'CREATE TABLE notes (user TEXT NOT NULL, note TEXT NOT NULL) STRICT' },
  ];

  async function storeWithUser(): Promise<string> {
    const folder = newPlace();
    await using store = await openStore(folder);
    store.putUser('u', {});
    store.addItems('u', items(3));
    return join(folder, 'nextquill.db');
  }

  it('of an older store is brought up to date step by step, with all rows, once', async () => {
    const path = await storeWithUser();
    for (let time = 0; time < 2; time++) {
      using db = openDatabase(path);
      expect((await prepareSchema(db, upgrades)).version).toBe(3);
      expect(db.get('SELECT id, language FROM users')).toEqual({ id: 'u', language: 'en' });
      expect(db.get('SELECT count(*) AS count FROM items')!.count).toBe(3);
      expect(db.all('SELECT * FROM notes')).toEqual([]);
    }
    expect(await readdir(join(path, '..'))).not.toContain('nextquill.db.before-upgrade');
  });

  it('stays as it was where a step fails: the steps before it count, and the backup holds the rows', async () => {
    const path = await storeWithUser();
    {
      using db = openDatabase(path);
      const steps = [upgrades[0]!, { to: 3, sql: 'ALTER TABLE users DROP COLUMN meta; SELECT nonsense' }];
      expect(await codeOf(() => prepareSchema(db, steps))).toBe('store/unusable');
      expect(db.get('SELECT version FROM store')!.version).toBe(2);
      expect(db.get('SELECT meta FROM users')!.meta).toBe('{}');
    }
    using backup = openDatabase(`${path}.before-upgrade`);
    expect(backup.get('SELECT count(*) AS count FROM items')!.count).toBe(3);
  });

  it('of a newer version, or of another program, is refused', async () => {
    const path = await storeWithUser();
    {
      using db = openDatabase(path);
      db.run('UPDATE store SET version = 99');
    }
    expect(await codeOf(() => openStore(join(path, '..')))).toBe('store/version');
    const other = newPlace();
    await mkdir(other);
    {
      using db = openDatabase(join(other, 'nextquill.db'));
      db.exec('CREATE TABLE photos (id INTEGER)');
    }
    expect(await codeOf(() => openStore(other))).toBe('store/damaged');
  });
});
