/**
 * @file A process that works on a store, to be killed: `node --import tsx store-child.ts MODE FOLDER`. It prints a line of what was
 * acknowledged after each write.
 */
import { writeSync } from 'node:fs';
import { openStore } from '../../src/app/server/store/store.ts';

const [mode, folder] = process.argv.slice(2);
const print = (word: string) => writeSync(1, `${word}\n`);
const die = () => process.kill(process.pid, 'SIGKILL');

await using store = await openStore(folder!);

/** Writes of every kind until the kill, each acknowledged by a line. */
async function write() {
  const run = store.counts().items;
  store.putUser('u', {});
  print('open');
  for (let i = 0; ; i++) {
    const ids = [`${run}-${i}-a`, `${run}-${i}-b`];
    store.addItems(
      'u',
      ids.map((id) => ({ id, text: `text of ${id}` })),
    );
    print(`items ${ids.join(' ')}`);
    if (i % 5 === 0) {
      const files = { 'adapter_model.safetensors': Buffer.alloc(20_000, `${run}-${i}`) };
      const { hash } = await store.putAdapter({ name: `adapter-${i % 3}`, files, check: async () => ({}) });
      print(`adapter adapter-${i % 3} ${hash}`);
    }
    if (i % 7 === 0) {
      const user = `gone-${run}-${i}`;
      store.putUser(user, {});
      store.addItems(user, [{ text: `a text that only ${user} has ever written` }]);
      print(`user ${user}`);
      await store.forgetUser(user);
      print(`forgotten ${user}`);
    }
  }
}

/** A forgetting that is killed before its transaction, or after it. */
async function forget(killAt: number) {
  let calls = 0;
  await store.forgetUser('alice', {
    measures: {
      logProbabilities: async () => [],
      releaseUser: async () => {
        if (++calls === killAt) die();
      },
    },
  });
}

/** Items until the disk is full; then what still works. */
async function fill() {
  store.putUser('u', {});
  for (let i = 0; i < 10_000; i++) {
    try {
      store.addItems('u', [{ id: `i${i}`, text: 'x'.repeat(5000) }]);
      print(`item ${i}`);
    } catch (error) {
      print(`error ${(error as { code?: string }).code}`);
      print(`items ${store.user('u')!.historyItems}`);
      const files = { 'adapter_model.safetensors': Buffer.alloc(4 << 20, 1) };
      await store
        .putAdapter({ name: 'a', files, check: async () => ({}) })
        .catch((failure: { code?: string }) => print(`adapter ${failure.code}`));
      print(`check ${JSON.stringify(await store.check())}`);
      return;
    }
  }
}

if (mode === 'write') await write();
else if (mode === 'fill') await fill();
else await forget(mode === 'forget-before' ? 1 : 2);
