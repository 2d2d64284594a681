/** @file Folders that are whole or absent: filled under another name, flushed to disk, then renamed into place. */
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { syncFolder } from './atomic-file.ts';
import { exists } from './exists.ts';
import { describeFileError } from './file-error.ts';
import { stemOf } from './temporary-name.ts';

/**
 * Makes a folder so that a crash, a kill or a full disk at any moment leaves it whole or absent; one that is there
 * already is replaced.
 * @param path where the folder shall be; its parent must exist
 * @param fill writes the files into the temporary folder that it is given, `.name.tmp` beside the path
 * @throws {EngineError} `file/disk-full` or `file/cannot-write`; the temporary folder is removed
 */
export async function writeFolderAtomically(
  path: string,
  fill: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = besideAs(path, '.tmp');
  try {
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary);
    await fill(temporary);
    await syncTree(temporary);
    await replace(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    // The reason of a failed write is reported, not that of a clean-up that fails for the same reason.
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw describeFileError(path, error);
  }
}

/**
 * Makes a folder and those above it, where they are missing: one by one, so that the reason of a refusal is the system's own.
 * (Node's recursive mkdir says ENOENT for a read-only file system, and below /proc it never ends.)
 * @param mode of what is made, less what the process's mask takes away
 * @throws {EngineError} `file/cannot-write` when the system refuses
 */
export async function makeFolder(path: string, mode = 0o777): Promise<void> {
  try {
    for (const folder of await missingFolders(path)) await makeOne(folder, mode);
  } catch (error) {
    throw describeFileError(path, error);
  }
}

/** The folders from the topmost missing one down to `path`; `path` alone where nothing is missing. */
async function missingFolders(path: string): Promise<string[]> {
  const topmost = await topmostMissing(path);
  const folders = [resolve(path)];
  while (folders[0] !== topmost) folders.unshift(dirname(folders[0]!));
  return folders;
}

/** A folder that is there, or that another process makes meanwhile, is as good as one that was made. */
async function makeOne(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    const isFolder = await stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    );
    if (!isFolder) throw error;
  }
}

/** The first folder on the way to `path` that does not exist; `path` itself where only that is missing, or nothing is. */
export async function topmostMissing(path: string): Promise<string> {
  let missing = resolve(path);
  while (dirname(missing) !== missing && !(await exists(dirname(missing)))) missing = dirname(missing);
  return missing;
}

/** Removes what killed writes have left in a folder: names that end in `.tmp`. */
export async function removeTemporaries(folder: string): Promise<void> {
  for (const name of await readdir(folder))
    if (name.endsWith('.tmp')) await rm(join(folder, name), { recursive: true, force: true });
}

/** A folder cannot be renamed onto one that holds files: the old one steps aside first. */
async function replace(temporary: string, path: string): Promise<void> {
  const old = besideAs(path, '.old.tmp');
  await rm(old, { recursive: true, force: true });
  const existed = await rename(path, old).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
  await rename(temporary, path);
  if (existed) await rm(old, { recursive: true, force: true });
}

/** Hidden and in the same folder, so that the rename stays within one file system. */
const besideAs = (path: string, ending: string) => join(dirname(path), `.${stemOf(basename(path))}${ending}`);

async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      await syncTree(path);
      continue;
    }
    const file = await open(path, 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }
  await syncFolder(folder);
}
