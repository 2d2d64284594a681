/** @file Whether something is at a path. */
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { exists } from '../../src/base/exists.ts';

test('a file, a folder and a link to one exist; a link to nothing does not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nextquill-exists-'));
  const at = (name: string) => join(folder, name);
  await writeFile(at('file'), '');
  await symlink(at('file'), at('link'));
  await symlink(at('none'), at('broken'));
  expect(await Promise.all([folder, at('file'), at('link')].map(exists))).toEqual([true, true, true]);
  expect(await Promise.all([at('none'), at('broken')].map(exists))).toEqual([false, false]);
  await rm(folder, { recursive: true });
});
