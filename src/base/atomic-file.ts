/** @file Files that are whole or absent: written beside their place, flushed to disk, then renamed into it. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { describeFileError } from './file-error.ts';
import { isRunning } from './process.ts';
import { stemOf } from './temporary-name.ts';

/**
 * Writes a file so that a crash, a kill or a full disk at any moment leaves either the old file or the new one.
 * @param path where the file shall be; its folder must exist
 * @param write writes the content through the handle of a temporary file in the same folder
 * @param mode of the file, less what the process's mask takes away
 * @throws {EngineError} `file/disk-full` when the disk is full, `file/cannot-write` when the system refuses otherwise;
 *   the temporary file is removed. Errors of `write` that do not come from the file system pass unchanged.
 */
export async function writeFileAtomically(
  path: string,
  write: (file: FileHandle) => Promise<void>,
  mode = 0o666,
): Promise<void> {
  const temporary = temporaryOf(path);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    // A place that cannot be written to may not be removed from either; the first reason is the one to report.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw describeFileError(path, error);
  }
}

/** A name of this process in the folder of `path`, for what is not whole yet. */
export function temporaryOf(path: string): string {
  return join(
    dirname(path),
    `${stemOf(basename(path))}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`,
  );
}

/** Removes what killed processes have left of {@link writeFileAtomically} for `path`; those at work keep theirs. */
export async function removeLeftovers(path: string): Promise<void> {
  const folder = dirname(path);
  const name = stemOf(basename(path));
  for (const entry of await readdir(folder)) {
    const writer =
      entry.startsWith(`${name}.`) && /^\.(\d+)-[0-9a-f]{8}\.tmp$/.exec(entry.slice(name.length))?.[1];
    if (writer && !isRunning(Number(writer))) await rm(join(folder, entry), { force: true });
  }
}

/** Writes all of `bytes` at the handle's position; a single write may stop short, above all beyond 2 GiB. */
export async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  const most = 1 << 30;
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(most, bytes.byteLength - done));
    done += bytesWritten;
  }
}

/** Makes the rename itself durable; systems that cannot open a folder (Windows) do without. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  if (!handle) return;
  try {
    await handle.sync().catch(() => undefined);
  } finally {
    await handle.close();
  }
}
