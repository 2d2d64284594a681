import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeCacheFolder } from '../../src/base/cache-folder.ts';

// Was made for everybody to read, with the token ids of users' texts in it.
it.skipIf(process.platform === 'win32')('a cache is made for its user alone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cache-folder-'));
  const cache = join(folder, 'a', 'b');
  await makeCacheFolder(cache);
  const modes = await Promise.all([stat(join(folder, 'a')), stat(cache)]);
  expect(modes.map(({ mode }) => mode & 0o777)).toEqual([0o700, 0o700]);
  await rm(folder, { recursive: true });
});
