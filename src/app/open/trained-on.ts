/** @file Which examples an adapter or weights of a run were trained on, so that scoring them again is noticed. */
import { dirname, join, resolve } from 'node:path';
import { exists } from '../../base/exists.ts';
import type { Example } from '../../method/data/example.ts';
import { readManifest } from '../../method/runs/manifest.ts';

/**
 * The ids of the training examples of the run that a folder belongs to, its `adapter/` or `weights/`.
 * @returns undefined when the folder is not in a run
 * @throws {CheckpointError} when the run's manifest is damaged
 */
export async function trainedExamples(folder: string): Promise<ReadonlySet<string> | undefined> {
  const run = dirname(resolve(folder));
  if (!(await exists(join(run, 'manifest.json')))) return undefined;
  const { data } = await readManifest(run);
  return new Set(data.examples);
}

/** Tells of examples that the run of an adapter or weights was trained on. */
export async function warnOfTrainedRows(
  folder: string,
  rows: readonly Example[],
  onWarning: (message: string) => void,
): Promise<void> {
  const trained = await trainedExamples(folder);
  const seen = rows.filter(({ id }) => trained?.has(id));
  if (seen.length > 0)
    onWarning(
      `${seen.length} of ${rows.length} examples were trained on by the run of ${folder}, such as "${seen[0]!.id}": their numbers are not held out`,
    );
}
