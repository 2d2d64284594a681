/** @file Downloads one file of the hub into the cache: resumed where it stopped, checked against its hash, whole or absent. */
import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { makeFolder } from '../../../base/atomic-folder.ts';
import { EngineError, throwIfAborted } from '../../../base/errors.ts';
import { describeFileError } from '../../../base/file-error.ts';
import { sizeOf } from './cache.ts';
import { isPassing } from './failure.ts';

/** A file as the hub lists it. */
export interface RemoteFile {
  readonly name: string;
  readonly size: number;
  /** SHA-256 of a large file, else git's SHA-1 of the blob; the name of the content in the cache. */
  readonly hash: string;
}

/** Gives the bytes from `start` on. */
export type OpenRemote = (start: number) => AsyncIterable<Uint8Array>;

export interface DownloadOptions {
  readonly signal?: AbortSignal;
  /** Called with the bytes of this file that are there. */
  readonly onBytes?: (bytes: number) => void;
  /** Wait before the first new attempt; doubled for each further one. */
  readonly retryDelayMs?: number;
}

/** Attempts in a row that bring no byte before we give up. */
const ATTEMPTS = 5;

/**
 * Downloads a content to `path`, going on from `path`.nextquill.incomplete where an earlier process left one. Two
 * processes at once write the same bytes to the same places.
 * @throws {EngineError} when the content is not what the hub listed, or the disk is full; errors of the network pass
 */
export async function downloadContent(
  file: RemoteFile,
  path: string,
  openRemote: OpenRemote,
  options: DownloadOptions = {},
): Promise<void> {
  const partial = `${path}.nextquill.incomplete`;
  await makeFolder(dirname(path));
  try {
    if ((await sizeOf(partial)) > file.size) await rm(partial);
    const handle = await open(partial, constants.O_RDWR | constants.O_CREAT);
    try {
      await fetchAll(file, handle, openRemote, options);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await checkHash(file, partial);
    await moveTo(path, partial, file.size);
  } catch (error) {
    throw describeFileError(path, error);
  }
}

/** Fetches what is missing, in as many attempts as bring something. */
async function fetchAll(
  file: RemoteFile,
  handle: FileHandle,
  openRemote: OpenRemote,
  { signal, onBytes, retryDelayMs = 1000 }: DownloadOptions,
): Promise<void> {
  let done = (await handle.stat()).size;
  onBytes?.(done);
  for (let failures = 0; done < file.size; ) {
    const before = done;
    let failure: unknown = tooShort(file, done);
    try {
      for await (const chunk of openRemote(done)) {
        throwIfAborted(signal);
        if (done + chunk.byteLength > file.size) throw tooLong(file);
        await writeAt(handle, chunk, done);
        done += chunk.byteLength;
        onBytes?.(done);
      }
      if (done === file.size) return;
    } catch (error) {
      throwIfAborted(signal);
      if (!isPassing(error)) throw error;
      failure = error;
    }
    failures = done > before ? 1 : failures + 1;
    if (failures >= ATTEMPTS) throw failure;
    await wait(retryDelayMs * 2 ** (failures - 1), undefined, { signal }).catch(() => {});
    throwIfAborted(signal);
  }
}

async function writeAt(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; )
    done += (await handle.write(bytes, done, bytes.byteLength - done, position + done)).bytesWritten;
}

/** Another process may have finished the same file meanwhile. */
async function moveTo(path: string, partial: string, size: number): Promise<void> {
  await rename(partial, path).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' || (await sizeOf(path)) !== size) throw error;
  });
}

/** @throws {EngineError} when the content has another hash; it is removed, since resuming from it would not fix it */
async function checkHash(file: RemoteFile, path: string): Promise<void> {
  const isGit = file.hash.length === 40;
  const hash = createHash(isGit ? 'sha1' : 'sha256');
  if (isGit) hash.update(`blob ${file.size}\0`);
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  const got = hash.digest('hex');
  if (got === file.hash) return;
  await rm(path, { force: true });
  throw new EngineError(
    `${file.name}: expected content of hash ${file.hash.slice(0, 12)}…, got ${got.slice(0, 12)}…`,
    { code: 'hub/damaged', hint: 'Run again: the file is downloaded anew.' },
  );
}

const tooLong = (file: RemoteFile) =>
  new EngineError(`${file.name}: expected ${file.size} bytes, got more`, {
    code: 'hub/damaged',
    hint: 'Run again; if it stays, HF_ENDPOINT may not be a hub.',
  });

const tooShort = (file: RemoteFile, done: number) =>
  new EngineError(`${file.name}: expected ${file.size} bytes, got ${done} and no more`, {
    code: 'hub/unreachable',
    hint: 'Check the network, then run again: the download continues where it stopped.',
  });
