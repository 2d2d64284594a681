/**
 * @file Places for results, tried before any work: the rule for what exists already, and whether the system lets us write.
 * Work of hours must not end at a folder that was never writable.
 */
import { open, readdir, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { temporaryOf } from './atomic-file.ts';
import { makeFolder, topmostMissing } from './atomic-folder.ts';
import { ConfigError } from './errors.ts';
import { exists } from './exists.ts';
import { describeFileError } from './file-error.ts';

export interface PlaceOptions {
  /** Replaces what is there. */
  readonly force?: boolean | undefined;
  /** Whether the command has a --force to advise. */
  readonly hasForce?: boolean | undefined;
}

/**
 * Checks that a file can be written, and leaves nothing behind.
 * @throws {ConfigError} `file/exists` when there is a file and `force` is not set, `file/not-a-file` for a folder or a device
 * @throws {EngineError} `file/cannot-write` when the system would refuse
 */
export async function checkFilePlace(path: string, { force = false }: PlaceOptions = {}): Promise<void> {
  const found = await statOf(path);
  if (found !== undefined && !found.isFile())
    throw new ConfigError(
      `${path}: expected the name of a file, got ${found.isDirectory() ? 'a folder' : 'a device or pipe'}`,
      { code: 'file/not-a-file', hint: 'Name a file that does not exist yet.' },
    );
  if (found !== undefined && !force)
    throw inUse(path, 'a file that does not exist yet', 'one that exists', 'file');
  await tryFile(path);
}

/**
 * Checks that files can be written into a folder, which may be there or not, and leaves nothing behind.
 * @param names of the files; those of others are never touched
 * @throws {ConfigError} `file/exists` when one of the files is there and `force` is not set, `file/not-a-folder` for a file
 * @throws {EngineError} `file/cannot-write` when the system would refuse
 */
export async function checkFolderPlace(
  folder: string,
  names: readonly string[],
  { force = false, hasForce = true }: PlaceOptions = {},
): Promise<void> {
  const found = await statOf(folder);
  if (found !== undefined && !found.isDirectory())
    throw new ConfigError(`${folder}: expected the name of a folder, got a file`, {
      code: 'file/not-a-folder',
      hint: 'Name a folder, which is made when it does not exist.',
    });
  for (const name of names)
    if (found !== undefined && !force && (await statOf(join(folder, name))) !== undefined)
      throw inUse(folder, `a folder without ${name}`, 'one that holds it', 'folder', hasForce);
  await tryFolder(folder);
}

/**
 * Checks that a whole folder can be put at a place, and leaves nothing behind.
 * @param isOurs whether a folder with these names may be replaced by `force`; one of something else never is
 * @throws {ConfigError} `file/exists` when the folder holds something and `force` is not set, or something that is not ours
 * @throws {EngineError} `file/cannot-write` when the system would refuse
 */
export async function checkWholeFolderPlace(
  folder: string,
  isOurs: (names: readonly string[]) => boolean,
  { force = false }: PlaceOptions = {},
): Promise<void> {
  await checkFolderPlace(folder, []);
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw describeFileError(folder, error, 'read');
  });
  if (names.length === 0) return;
  if (!force) throw inUse(folder, 'a new or empty folder', 'one with files', 'folder');
  if (!isOurs(names))
    throw new ConfigError(`${folder}: expected a folder that may be replaced, got one with other files`, {
      code: 'file/exists',
      hint: 'Choose another folder, or remove this one yourself.',
    });
}

function inUse(
  path: string,
  expected: string,
  got: string,
  noun: 'file' | 'folder',
  hasForce = true,
): ConfigError {
  return new ConfigError(`${path}: expected ${expected}, got ${got}`, {
    code: 'file/exists',
    hint: `Choose another ${noun}${hasForce ? ', or add --force to replace what is there' : ''}.`,
  });
}

async function statOf(path: string) {
  return stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw describeFileError(path, error);
  });
}

async function tryFile(path: string): Promise<void> {
  const temporary = temporaryOf(path);
  try {
    await (await open(temporary, 'wx')).close();
    await rm(temporary, { force: true });
  } catch (error) {
    throw describeFileError(path, error);
  }
}

/** Makes the folder, writes into it, and removes what was made. */
async function tryFolder(folder: string): Promise<void> {
  const isThere = await exists(folder);
  const outermost = await topmostMissing(folder);
  try {
    await makeFolder(folder);
    await tryFile(join(folder, 'place'));
  } finally {
    if (!isThere) await removeEmpty(resolve(folder), outermost);
  }
}

/** Removes empty folders from the innermost up to the outermost; one that another process fills meanwhile stays. */
async function removeEmpty(innermost: string, outermost: string): Promise<void> {
  for (let folder = innermost; ; folder = dirname(folder)) {
    const isGone = await rmdir(folder).then(
      () => true,
      // Where the innermost could not be made, those above it may have been.
      ({ code }: NodeJS.ErrnoException) => code === 'ENOENT' || code === 'ENAMETOOLONG',
    );
    if (!isGone || folder === outermost) return;
  }
}
