/** @file Atomic writes: the old file or the new one, never a part and never a leftover. */
import { existsSync } from 'node:fs';
import { mkdtemp, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeAll, writeFileAtomically } from '../../src/base/atomic-file.ts';
import { EngineError } from '../../src/base/errors.ts';

const folder = await mkdtemp(join(tmpdir(), 'nextquill-atomic-'));

test('a written file replaces the old one and leaves nothing beside it', async () => {
  const path = join(folder, 'replaced');
  await writeFile(path, 'old');
  await writeFileAtomically(path, (file) => writeAll(file, new TextEncoder().encode('new')));
  expect(await readFile(path, 'utf8')).toBe('new');
  expect((await readdir(folder)).filter((name) => name.startsWith('replaced'))).toEqual(['replaced']);
});

test('a write that fails half way keeps the old file, removes the temporary one and passes the error on', async () => {
  const path = join(folder, 'kept');
  await writeFile(path, 'old');
  const failing = writeFileAtomically(path, async (file) => {
    await writeAll(file, new TextEncoder().encode('half of the n'));
    throw new RangeError('interrupted');
  });
  await expect(failing).rejects.toThrow(RangeError);
  expect(await readFile(path, 'utf8')).toBe('old');
  expect((await readdir(folder)).filter((name) => name.startsWith('kept'))).toEqual(['kept']);
});

// /dev/full is Linux's own full disk.
test.runIf(existsSync('/dev/full'))(
  'a full disk is an engine error that says so and leaves no file',
  async () => {
    const path = join(folder, 'full');
    const full = await open('/dev/full', 'w');
    const failing = writeFileAtomically(path, () => writeAll(full, new Uint8Array(10)));
    await expect(failing).rejects.toThrow(EngineError);
    await expect(failing).rejects.toMatchObject({ code: 'file/disk-full' });
    await full.close();
    expect((await readdir(folder)).filter((name) => name.startsWith('full'))).toEqual([]);
  },
);

test('a missing folder is an engine error that names the path', async () => {
  const failing = writeFileAtomically(join(folder, 'no', 'where'), async () => undefined);
  await expect(failing).rejects.toMatchObject({
    code: 'file/cannot-write',
    message: expect.stringContaining('no'),
  });
});
