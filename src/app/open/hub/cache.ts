/**
 * @file The hub's standard cache, the one that Python's huggingface_hub keeps: what either has downloaded, both find.
 *
 *     models--owner--name/refs/main                     the commit of a branch
 *     models--owner--name/blobs/<etag>                  the contents
 *     models--owner--name/snapshots/<commit>/config.json -> ../../blobs/<etag>
 *     models--owner--name/.no_exist/<commit>/<file>     the repository has no such file
 */
import { copyFile, lstat, readFile, rename, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { temporaryOf, writeFileAtomically } from '../../../base/atomic-file.ts';
import { makeFolder } from '../../../base/atomic-folder.ts';
import { exists } from '../../../base/exists.ts';
import { describeFileError } from '../../../base/file-error.ts';
import { isCommit } from '../../../base/hub-id.ts';
import { INDEX_FILE } from '../../../engine/weights/shards.ts';
import { isPlainName, optionalFiles, shardsOf, WEIGHTS_FILE } from './model-files.ts';

/** The folder of one repository in the cache. */
export const repositoryFolder = (cache: string, repo: string): string =>
  join(cache, `models--${repo.replaceAll('/', '--')}`);

export const snapshotFolder = (repository: string, commit: string): string =>
  join(repository, 'snapshots', commit);

/** The commit that a branch or tag had when it was last asked for. */
export async function cachedCommit(repository: string, revision: string): Promise<string | undefined> {
  const text = await readFile(join(repository, 'refs', revision), 'utf8').catch(() => undefined);
  const commit = text?.trim();
  return isCommit(commit) ? commit : undefined;
}

/** Remembers the commit of a branch or tag. */
export async function writeRef(repository: string, revision: string, commit: string): Promise<void> {
  if (isCommit(revision) || (await cachedCommit(repository, revision)) === commit) return;
  const path = join(repository, 'refs', revision);
  await makeFolder(dirname(path));
  await writeFileAtomically(path, (file) => file.writeFile(commit));
}

/** What of a model is missing in a snapshot. */
export interface Missing {
  /** Without these nothing works. */
  readonly needed: readonly string[];
  /** Files that may change prompts, and of which the cache does not know whether the repository has them. */
  readonly unknown: readonly string[];
}

/** Which files of a model a snapshot lacks. */
export async function missingFiles(repository: string, commit: string): Promise<Missing> {
  const snapshot = snapshotFolder(repository, commit);
  const has = (name: string) => exists(join(snapshot, name));
  const needed: string[] = [];
  for (const name of ['config.json', 'tokenizer.json']) if (!(await has(name))) needed.push(name);
  if (!(await has(WEIGHTS_FILE))) {
    const index = await readFile(join(snapshot, INDEX_FILE), 'utf8').catch(() => undefined);
    if (index === undefined) needed.push(WEIGHTS_FILE);
    else for (const shard of shardsOf(index) ?? [INDEX_FILE]) if (!(await has(shard))) needed.push(shard);
  }
  const unknown: string[] = [];
  for (const name of optionalFiles)
    if (!(await has(name)) && !(await exists(absence(repository, commit, name)))) unknown.push(name);
  return { needed, unknown };
}

/** Remembers that a commit has no such file. */
export async function noteAbsence(repository: string, commit: string, name: string): Promise<void> {
  const path = absence(repository, commit, name);
  await makeFolder(dirname(path));
  await writeFileAtomically(path, async () => {});
}

const absence = (repository: string, commit: string, name: string) =>
  join(repository, '.no_exist', commit, name);

/** Puts a downloaded content into a snapshot: a relative link, or a copy where the system has no links for users. */
export async function linkIntoSnapshot(
  repository: string,
  commit: string,
  name: string,
  blob: string,
): Promise<void> {
  if (!isPlainName(name)) throw new TypeError(`not a plain file name: ${JSON.stringify(name)}`);
  const path = join(snapshotFolder(repository, commit), name);
  await makeFolder(dirname(path));
  if (await exists(path)) return;
  const temporary = temporaryOf(path);
  try {
    await symlink(relative(dirname(path), blob), temporary).catch(() => copyFile(blob, temporary));
    await rename(temporary, path);
  } catch (error) {
    throw describeFileError(path, error);
  }
}

/** Size of a file, links not followed; 0 when there is none. */
export async function sizeOf(path: string): Promise<number> {
  return lstat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
