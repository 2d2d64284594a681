/** @file Folders are whole or absent, whatever goes wrong while they are filled. */
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeFolder, removeTemporaries, writeFolderAtomically } from '../../src/base/atomic-folder.ts';
import { DataError, EngineError } from '../../src/base/errors.ts';

const fresh = async () => join(await mkdtemp(join(tmpdir(), 'nextquill-folder-')), 'folder');
const files = (path: string) => readdirSync(join(path, '..'), { recursive: true }).sort();

it('a folder appears with all its files, and not before', async () => {
  const path = await fresh();
  await writeFolderAtomically(path, async (temporary) => {
    await mkdir(join(temporary, 'inner'));
    await writeFile(join(temporary, 'inner/a'), '1');
    expect(existsSync(path)).toBe(false);
    await writeFile(join(temporary, 'b'), '2');
  });
  expect(files(path)).toEqual(['folder', 'folder/b', 'folder/inner', 'folder/inner/a']);
});

it('an older folder is replaced as a whole', async () => {
  const path = await fresh();
  await writeFolderAtomically(path, (temporary) => writeFile(join(temporary, 'old'), '1'));
  await writeFolderAtomically(path, (temporary) => writeFile(join(temporary, 'new'), '2'));
  expect(files(path)).toEqual(['folder', 'folder/new']);
});

it('an error while it is filled leaves the older folder and nothing beside it', async () => {
  const path = await fresh();
  await writeFolderAtomically(path, (temporary) => writeFile(join(temporary, 'a'), 'old'));
  const error = new DataError('data: expected another', { code: 'data/test' });
  const failing = writeFolderAtomically(path, async (temporary) => {
    await writeFile(join(temporary, 'a'), 'new');
    throw error;
  });
  await expect(failing).rejects.toBe(error);
  expect(files(path)).toEqual(['folder', 'folder/a']);
  expect(await readFile(join(path, 'a'), 'utf8')).toBe('old');
});

it('what a killed process left is overwritten by the next, or removed', async () => {
  const path = await fresh();
  await mkdir(join(path, '../.folder.tmp'));
  await writeFile(join(path, '../.folder.tmp/torn'), '1');
  await writeFolderAtomically(path, (temporary) => writeFile(join(temporary, 'a'), '2'));
  expect(files(path)).toEqual(['folder', 'folder/a']);

  await mkdir(join(path, '.inner.tmp'));
  await writeFile(join(path, 'file.1-ab.tmp'), '3');
  await removeTemporaries(path);
  expect(files(path)).toEqual(['folder', 'folder/a']);
});

it('a place that cannot be written to is an error that names it', async () => {
  const path = join(await fresh(), 'missing/folder');
  const failing = writeFolderAtomically(path, async () => {});
  await expect(failing).rejects.toThrow(EngineError);
  await expect(failing).rejects.toThrow(path);
});

it('folders are made one by one, those that are there and those that another process makes are kept', async () => {
  const path = join(await fresh(), 'a/b');
  await Promise.all([makeFolder(path), makeFolder(path), makeFolder(join(path, '../c'))]);
  await makeFolder(path);
  expect(files(path)).toEqual(['b', 'c']);
  await writeFile(join(path, 'file'), '1');
  for (const below of ['file', 'file/c'])
    await expect(makeFolder(join(path, below))).rejects.toMatchObject({ code: 'file/cannot-write' });
});

// Node's recursive mkdir never comes back from there.
it.skipIf(!existsSync('/proc/self'))('a folder below /proc is refused at once', async () => {
  await expect(makeFolder('/proc/nope/deeper')).rejects.toMatchObject({ code: 'file/cannot-write' });
});
