/** @file One process at a time works on a folder: locks that name their process, so that those of killed ones are seen to be stale. */
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { describeFileError } from './file-error.ts';
import { isRunning } from './process.ts';

/** Content of a lock: what tells its process from a later one that got the same id. */
interface LockOwner {
  readonly host: string;
  readonly pid: number;
  /** When the process began, in words of its system; absent where the system does not say. */
  readonly began?: string;
}

export interface FolderLock extends AsyncDisposable {
  /** The file, in the folder. */
  readonly path: string;
}

const PREFIX = '.lock-';

/** Locks that this process holds. */
const held = new Set<string>();

/**
 * Takes the folder for this process until disposal. Everyone writes a lock of their own first and then looks for others, so of
 * two that come at once at least one sees the other, and no lock is ever taken over.
 * @param inUse the error when another process holds the folder; told who it is, in words, and the path of its lock
 */
export async function lockFolder(
  folder: string,
  inUse: (owner: string, lock: string) => Error,
): Promise<FolderLock> {
  const lock = await lockForProcess(folder, process.pid);
  const { path } = lock;
  const name = basename(path);
  try {
    for (const other of await readdir(folder)) {
      if (!other.startsWith(PREFIX) || other === name) continue;
      const holder = await holderOf(folder, other);
      if (holder !== undefined) throw inUse(inWords(holder), join(folder, other));
      await rm(join(folder, other), { force: true });
    }
  } catch (error) {
    await Promise.resolve(lock[Symbol.asyncDispose]()).catch(() => undefined);
    throw describeFileError(path, error);
  }
  return lock;
}

/**
 * A lock in the name of a process, such as one that this one has started and that would work on if this one were killed. It looks
 * for no others.
 */
export async function lockForProcess(folder: string, pid: number): Promise<FolderLock> {
  const name = `${PREFIX}${pid}-${randomBytes(4).toString('hex')}`;
  const path = join(folder, name);
  const owner: LockOwner = { host: hostname(), pid, ...(await processStart(pid)) };
  held.add(name);
  const release = async () => {
    held.delete(name);
    await rm(path, { force: true });
  };
  try {
    await writeFile(path, JSON.stringify(owner), { flag: 'wx' });
  } catch (error) {
    await release().catch(() => undefined);
    throw describeFileError(path, error);
  }
  return { path, [Symbol.asyncDispose]: release };
}

/** Who holds a lock; undefined when its process has ended. */
async function holderOf(folder: string, name: string): Promise<LockOwner | undefined> {
  if (held.has(name)) return { host: hostname(), pid: process.pid };
  const text = await readFile(join(folder, name), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw describeFileError(join(folder, name), error, 'read');
  });
  // Its process is named by the file's name too: a lock may be empty, being written or torn by a kill.
  const pid = Number(/^\.lock-(\d+)-/.exec(name)?.[1]);
  let owner: LockOwner = { host: hostname(), pid };
  try {
    owner = { ...owner, ...(JSON.parse(text) as Partial<LockOwner>) };
  } catch {}
  // Nobody can look at the processes of another machine.
  if (owner.host !== hostname()) return owner;
  if (pid === process.pid || !isRunning(pid)) return undefined;
  const { began } = await processStart(pid);
  return owner.began === undefined || began === undefined || owner.began === began ? owner : undefined;
}

/** Boot and start time of a process by Linux's /proc; elsewhere nothing, and only the id tells. */
async function processStart(pid: number): Promise<{ began?: string }> {
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // Fields 3 and 22; the name in field 2 may hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has been killed and only waits for its parent to notice.
    return { began: fields[0] === 'Z' ? 'ended' : `${boot.trim()} ${fields[19]}` };
  } catch {
    return {};
  }
}

const inWords = ({ host, pid }: LockOwner) => `process ${pid}${host === hostname() ? '' : ` on ${host}`}`;
