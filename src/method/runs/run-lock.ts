/** @file One process at a time works on a run folder. */
import { CheckpointError } from '../../base/errors.ts';
import { type FolderLock, lockFolder } from '../../base/folder-lock.ts';

/**
 * Takes the run for this process until disposal.
 * @throws {CheckpointError} naming the process that works on the run
 */
export async function lockRun(run: string): Promise<FolderLock> {
  return lockFolder(
    run,
    (owner, lock) =>
      new CheckpointError(`${run}: expected a run that nobody works on, got one that ${owner} is training`, {
        code: 'run/locked',
        hint: `Wait until it has ended, or stop it; if it is no training of this run, remove ${lock}.`,
      }),
  );
}
