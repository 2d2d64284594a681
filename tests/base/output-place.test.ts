/** @file Places for results are refused before work, with the reason, and nothing is left by the trial. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { writeFileAtomically } from '../../src/base/atomic-file.ts';
import { makeFolder, writeFolderAtomically } from '../../src/base/atomic-folder.ts';
import { checkFilePlace, checkFolderPlace, checkWholeFolderPlace } from '../../src/base/output-place.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nextquill-place-'));
  await writeFile(join(folder, 'file'), 'old');
  await symlink('loop', join(folder, 'loop'));
  await mkdir(join(folder, 'full'));
  await writeFile(join(folder, 'full/report.html'), 'old');
});

const long = 'x'.repeat(300);
const unwritable = [
  ['below a file', 'file/x', 'ENOTDIR'],
  ['below links that lead in a circle', 'loop/x', 'ELOOP'],
  ['with a name of 300 bytes', long, 'ENAMETOOLONG'],
  ['below a name of 300 bytes', `${long}/x`, 'ENAMETOOLONG'],
  ['below a new folder, with a name of 300 bytes', `new/${long}`, undefined],
] as const;

// The clean-up after a failed write threw first, and the reason was told as a bug.
describe.each(unwritable)('a place %s', (_, path, code) => {
  const expected = {
    code: 'file/cannot-write',
    ...(code !== undefined && { message: expect.stringContaining(code), cause: { code } }),
  };

  it('is refused for files and folders alike, before work and by the write itself', async () => {
    const place = join(folder, path);
    await expect(checkFilePlace(place)).rejects.toMatchObject(expected);
    await expect(checkFolderPlace(place, [])).rejects.toMatchObject({ code: 'file/cannot-write' });
    await expect(writeFileAtomically(place, async () => {})).rejects.toMatchObject(expected);
    await expect(writeFolderAtomically(place, async () => {})).rejects.toMatchObject(expected);
    await expect(makeFolder(place)).rejects.toMatchObject({ code: 'file/cannot-write' });
  });
});

// Node's recursive mkdir never returned here, nor did it hear a signal.
it.skipIf(!existsSync('/proc'))('a place in /proc is refused', async () => {
  const expected = { code: 'file/cannot-write' };
  await expect(checkFolderPlace('/proc/nextquill', ['report.html'])).rejects.toMatchObject(expected);
});

describe('a trial of a place', () => {
  it('leaves nothing behind', async () => {
    const before = await readdir(folder, { recursive: true });
    await checkFilePlace(join(folder, 'new.jsonl'));
    await checkFolderPlace(join(folder, 'a/b/c'), ['report.html']);
    await checkFolderPlace(join(folder, 'full'), ['audit.json']);
    await checkWholeFolderPlace(join(folder, 'a'), () => false);
    await expect(checkFolderPlace(join(folder, `d/${long}`), [])).rejects.toMatchObject({
      code: 'file/cannot-write',
    });
    expect(await readdir(folder, { recursive: true })).toEqual(before);
  });

  it('takes names as long as the system does, although temporary names are longer', async () => {
    const path = join(folder, 'é'.repeat(127));
    await checkFilePlace(path);
    await writeFileAtomically(path, (file) => file.writeFile('whole'));
    await checkWholeFolderPlace(`${path}f`, () => false);
    await writeFolderAtomically(`${path}f`, async () => {});
    expect(await readdir(folder)).toHaveLength(5);
  });
});

describe('what exists', () => {
  it('is replaced only by force', async () => {
    await expect(checkFilePlace(join(folder, 'file'))).rejects.toMatchObject({ code: 'file/exists' });
    await checkFilePlace(join(folder, 'file'), { force: true });
    const report = ['report.html'];
    await expect(checkFolderPlace(join(folder, 'full'), report)).rejects.toMatchObject({
      code: 'file/exists',
    });
    await checkFolderPlace(join(folder, 'full'), report, { force: true });
  });

  it('is never replaced where it is of another kind, or a whole folder of other things', async () => {
    const force = { force: true };
    await expect(checkFilePlace(join(folder, 'full'), force)).rejects.toMatchObject({
      code: 'file/not-a-file',
    });
    // Renamed onto, /dev/null would become a file.
    await expect(checkFilePlace('/dev/null', force)).rejects.toMatchObject({ code: 'file/not-a-file' });
    await expect(checkFolderPlace(join(folder, 'file'), [], force)).rejects.toMatchObject({
      code: 'file/not-a-folder',
    });
    const isOurs = (names: readonly string[]) => names.includes('config.json');
    await expect(checkWholeFolderPlace(join(folder, 'full'), isOurs, force)).rejects.toMatchObject({
      code: 'file/exists',
    });
    await writeFile(join(folder, 'full/config.json'), '{}');
    await checkWholeFolderPlace(join(folder, 'full'), isOurs, force);
  });
});
