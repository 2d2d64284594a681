/** @file Which examples an adapter or weights of a run were trained on, so that scoring them again is noticed. */
import { access } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { readManifest } from '../method/training/manifest.ts';

/**
 * The ids of the training examples of the run that a folder belongs to, its `adapter/` or `weights/`.
 * @returns undefined when the folder is not in a run
 * @throws {CheckpointError} when the run's manifest is damaged
 */
export async function trainedExamples(folder: string): Promise<ReadonlySet<string> | undefined> {
  const run = dirname(resolve(folder));
  const hasManifest = await access(join(run, 'manifest.json')).then(
    () => true,
    () => false,
  );
  if (!hasManifest) return undefined;
  const { data } = await readManifest(run);
  return new Set(data.examples);
}
