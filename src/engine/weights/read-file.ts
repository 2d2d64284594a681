/** @file Reads parts of files of any size, and says which file it was when that fails. */
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { WeightsError } from '../../base/errors.ts';

/**
 * The real path of a file: links resolved, so that a runtime can map it by folder and name.
 * @param ending for the hint
 * @throws {WeightsError} when there is none, or it is something else
 */
export async function realFile(path: string, ending: string): Promise<string> {
  const real = await realpath(path).catch((cause) => {
    throw unreadable(path, cause);
  });
  if ((await stat(real)).isFile()) return real;
  throw new WeightsError(`${path}: expected a file, got something else`, {
    code: 'weights/not-a-file',
    hint: `Name the ${ending} file itself.`,
  });
}

/** Fills `bytes` from `position` on, in as many reads as it takes. */
export async function readFully(
  file: FileHandle,
  bytes: Uint8Array,
  position: number,
  path: string,
): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const length = Math.min(1 << 30, bytes.byteLength - done);
    const { bytesRead } = await file.read(bytes, done, length, position + done);
    if (bytesRead === 0)
      throw new WeightsError(
        `${path}: expected ${bytes.byteLength} bytes at ${position}, got ${done}; the file is truncated`,
        { code: 'weights/truncated', hint: 'Download or copy the file again.' },
      );
    done += bytesRead;
  }
}

/** Opens a file to read it. @param shown the path for messages @throws {WeightsError} when it cannot be opened */
export async function openToRead(real: string, shown: string): Promise<FileHandle> {
  return open(real, 'r').catch((cause) => {
    throw unreadable(shown, cause);
  });
}

/** Opens a file for as long as `use` takes. @param shown the path for messages */
export async function withFile<T>(
  real: string,
  shown: string,
  use: (file: FileHandle) => Promise<T>,
): Promise<T> {
  const file = await openToRead(real, shown);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

function unreadable(path: string, cause: NodeJS.ErrnoException): WeightsError {
  const missing = cause.code === 'ENOENT';
  return new WeightsError(`${path}: expected a readable file, got ${missing ? 'none' : cause.code}`, {
    code: missing ? 'weights/missing-file' : 'weights/unreadable-file',
    hint: missing ? 'Check the path.' : 'Check that the file may be read.',
    cause,
  });
}
