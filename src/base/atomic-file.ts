/** @file Files that are whole or absent: written beside their place, flushed to disk, then renamed into it. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EngineError } from './errors.ts';

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
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
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
    await rm(temporary, { force: true });
    throw describeFileError(path, error);
  }
}

/** Removes what killed processes have left of {@link writeFileAtomically} for `path`; those at work keep theirs. */
export async function removeLeftovers(path: string): Promise<void> {
  const folder = dirname(path);
  const name = basename(path);
  for (const entry of await readdir(folder)) {
    const writer =
      entry.startsWith(`${name}.`) && /^\.(\d+)-[0-9a-f]{8}\.tmp$/.exec(entry.slice(name.length))?.[1];
    if (writer && !isRunning(Number(writer))) await rm(join(folder, entry), { force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
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

/** What a failed write becomes: a full disk and other refusals of the system are EngineErrors, the rest passes unchanged. */
export function describeFileError(path: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  const isSystemError = typeof (error as NodeJS.ErrnoException | undefined)?.syscall === 'string';
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG')
    return new EngineError(
      `${path}: expected room for the file, got a full disk (${code}); nothing was written`,
      {
        code: 'file/disk-full',
        hint: 'Free some space or choose another folder.',
        cause: error,
      },
    );
  if (!isSystemError) return error;
  return new EngineError(`${path}: expected a place that can be written to, got ${code}`, {
    code: 'file/cannot-write',
    hint: 'Check that the folder exists and that you may write to it.',
    cause: error,
  });
}
