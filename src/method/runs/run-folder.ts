/** @file A run folder: it appears with its manifest complete, and ends with the adapter or the weights. */
import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFileAtomically } from '../../base/atomic-file.ts';
import { makeFolder, removeTemporaries, writeFolderAtomically } from '../../base/atomic-folder.ts';
import { CheckpointError, ConfigError } from '../../base/errors.ts';
import { exists } from '../../base/exists.ts';
import { describeFileError } from '../../base/file-error.ts';
import { adapterBase } from '../../base/hub-id.ts';
import { checkFolderPlace } from '../../base/output-place.ts';
import { saveAdapter } from '../../engine/lora/adapter-folder.ts';
import type { Model } from '../../engine/models/model.ts';
import { saveModel } from '../../engine/models/save-model.ts';
import { type FlatParameters, viewsOf } from '../../engine/optim/flat-parameters.ts';
import { BEST, CHECKPOINTS } from './checkpoint.ts';
import { type Manifest, writeManifest } from './manifest.ts';
import { type RunInfo, runInfo } from './run-info.ts';
import { STEPS_FILE } from './step-log.ts';

/**
 * Refuses a place that holds something already, or that cannot be written to.
 * @throws {ConfigError} when the folder is there and not empty, or is a file
 * @throws {EngineError} `file/cannot-write` when the system would refuse
 */
export async function checkFree(run: string): Promise<void> {
  const names = await readdir(run).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    if (error.code === 'ENOTDIR' && (await exists(run))) return [run];
    throw describeFileError(run, error);
  });
  if (names.length > 0)
    throw new ConfigError(`${run}: expected a new or empty folder for the run, got one that is in use`, {
      code: 'run/exists',
      hint: 'Choose another folder, or resume the run that is there.',
    });
  await checkFolderPlace(run, []);
}

/** Makes the folder: a manifest, an empty steps.jsonl and a place for checkpoints, all at once. */
export async function createRunFolder(run: string, manifest: Manifest): Promise<void> {
  await makeFolder(dirname(run));
  await writeFolderAtomically(run, async (temporary) => {
    await mkdir(join(temporary, CHECKPOINTS));
    await writeFileAtomically(join(temporary, STEPS_FILE), async () => {});
    await writeManifest(temporary, manifest);
  });
}

/**
 * Removes what a killed process has left half-written.
 * @throws {CheckpointError} when the folder is gone
 */
export async function tidyRunFolder(run: string): Promise<void> {
  try {
    await mkdir(join(run, CHECKPOINTS)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await removeTemporaries(run);
    await removeTemporaries(join(run, CHECKPOINTS));
    if (await exists(join(run, BEST))) await removeTemporaries(join(run, BEST));
  } catch (cause) {
    throw new CheckpointError(
      `${run}: expected a run folder that can be written to, got ${(cause as NodeJS.ErrnoException).code}`,
      { code: 'run/folder', hint: 'Check that the folder is there and that you may write to it.', cause },
    );
  }
}

/** Where the result of a run is, or will be. */
export function resultOf(run: string, manifest: Manifest): { adapter: string } | { weights: string } {
  return manifest.recipe.lora === undefined
    ? { weights: join(run, 'weights') }
    : { adapter: join(run, 'adapter') };
}

/** Whether the run has ended with its result in place. */
export async function isFinished(run: string, manifest: Manifest): Promise<boolean> {
  if (manifest.status !== 'done' || manifest.summary === undefined) return false;
  return exists(Object.values(resultOf(run, manifest))[0]!);
}

/** Writes `adapter/` or `weights/`, with nextquill.json beside the weights. */
export async function saveResult(
  run: string,
  manifest: Manifest,
  model: Model,
  parameters: FlatParameters,
): Promise<void> {
  const info: RunInfo = runInfo(manifest, model.tokenizer);
  const tensors = viewsOf(parameters, parameters.weights);
  const result = resultOf(run, manifest);
  if ('adapter' in result)
    await saveAdapter(
      result.adapter,
      { lora: manifest.recipe.lora!, tensors },
      { ...adapterBase(manifest.model.source), info },
    );
  else await saveModel(result.weights, model, async (name) => tensors[name]!.data, { info });
}
