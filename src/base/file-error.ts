/** @file What a refusal of the file system becomes: one typed error with the path, the reason in words, and what to do. */
import { EngineError } from './errors.ts';

interface Refusal {
  readonly got: string;
  readonly hint: string;
}

const rights: Refusal = {
  got: 'one that you may not use',
  hint: 'Choose another place, or ask its owner for the right to use it.',
};

const refusals: Readonly<Record<string, Refusal>> = {
  ENOENT: {
    got: 'a folder that does not exist',
    hint: 'Make the folder first, or correct the path.',
  },
  ENOTDIR: {
    got: 'one below a file',
    hint: 'Choose a path of which every part but the last is a folder.',
  },
  EACCES: rights,
  EPERM: rights,
  EROFS: { got: 'a read-only file system', hint: 'Choose a place on another file system.' },
  ELOOP: { got: 'links that lead in a circle', hint: 'Choose another place, or remove the links.' },
  ENAMETOOLONG: {
    got: 'a name that is too long',
    hint: 'Choose a shorter name: most file systems allow 255 bytes.',
  },
  EISDIR: { got: 'a folder', hint: 'Name a file that does not exist yet.' },
  EEXIST: { got: 'a file', hint: 'Choose another name, or remove the file.' },
  EMFILE: {
    got: 'too many open files',
    hint: 'Close other programs, or raise the limit of open files.',
  },
  EINVAL: { got: 'a name that the system refuses', hint: 'Choose a name without special characters.' },
};

/**
 * What a failed use of a file becomes: a full disk and other refusals of the system are EngineErrors, the rest passes
 * unchanged.
 * @param use what was tried; `file/cannot-write` or `file/cannot-read` is the code
 */
export function describeFileError(path: string, error: unknown, use: 'write' | 'read' = 'write'): unknown {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  if (typeof syscall !== 'string' || code === undefined) return error;
  const shown = path.length <= PATH_SHOWN ? path : `${path.slice(0, PATH_SHOWN)}…`;
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG')
    return new EngineError(
      `${shown}: expected room for the file, got a full disk (${code}); nothing was written`,
      { code: 'file/disk-full', hint: 'Free some space or choose another folder.', cause: error },
    );
  const { got, hint } = refusals[code] ?? { got: 'a refusal of the system', hint: 'Choose another place.' };
  const expected = use === 'write' ? 'a place that can be written to' : 'a file that can be read';
  return new EngineError(`${shown}: expected ${expected}, got ${got} (${code})`, {
    code: `file/cannot-${use}`,
    hint,
    cause: error,
  });
}

/** Longer paths than any system allows are cut in messages. */
const PATH_SHOWN = 400;
