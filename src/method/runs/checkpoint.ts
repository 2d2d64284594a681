/** @file Checkpoints, and the weights of the best step that they build on: whole or absent, each with the hashes that prove it. */
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, writeFolderAtomically } from '../../base/atomic-folder.ts';
import { WeightsError } from '../../base/errors.ts';
import { sha256OfFile } from '../../base/hash.ts';
import { type FlatParameters, viewsOf } from '../../engine/optim/flat-parameters.ts';
import {
  openSafetensors,
  readTensor,
  type SafetensorsFile,
  writeSafetensors,
} from '../../engine/weights/safetensors.ts';
import type { DamagedCheckpoint } from '../data/notice.ts';
import { type BestSoFar, parseBest } from './best-step.ts';

/** state.json of a checkpoint. */
interface CheckpointState {
  readonly formatVersion: 1;
  /** The last finished step. The order of the data and the schedule follow from it and the recipe. */
  readonly step: number;
  /** The best step until then, whose weights are beside the checkpoints; of runs that keep it, once a step was evaluated. */
  readonly best?: BestSoFar;
  readonly files: Readonly<Record<string, FileRecord>>;
}

interface FileRecord {
  readonly bytes: number;
  readonly sha256: string;
}

export const CHECKPOINTS = 'checkpoints';
export const BEST = 'best';
const STATE_FILE = 'state.json';

type Buffer = 'weights' | 'firstMoment' | 'secondMoment' | 'average';

/** Which buffers go into which file, and what stands before the tensors' names there. */
type Contents = Readonly<Record<string, { readonly [buffer in Buffer]?: string }>>;

const weightsAlone: Contents = { 'weights.safetensors': { weights: '' } };
const contents: Contents = {
  ...weightsAlone,
  'optimizer.safetensors': { firstMoment: 'firstMoment.', secondMoment: 'secondMoment.' },
};

/** A moving average goes with them where one is kept. */
const contentsOf = (parameters: FlatParameters): Contents =>
  parameters.average === undefined ? contents : { ...contents, 'average.safetensors': { average: '' } };

const checkpointFolder = (run: string, step: number) => join(run, CHECKPOINTS, `step-${step}`);
const bestFolder = (run: string, step: number) => join(run, BEST, `step-${step}`);

/**
 * Writes `checkpoints/step-N`, flushed to disk and then renamed into place.
 * @param best the best step until then, where the run keeps it; its weights must be in place
 * @returns its path
 * @throws {EngineError} when the disk is full; what was written of it is removed, other checkpoints are untouched
 * Cost: three times the trained weights on disk, read once more for their hashes.
 */
export async function writeCheckpoint(
  run: string,
  step: number,
  parameters: FlatParameters,
  best?: BestSoFar,
): Promise<string> {
  const path = checkpointFolder(run, step);
  await writeBuffers(path, { step, ...(best && { best }) }, parameters, contentsOf(parameters));
  return path;
}

/**
 * Writes `best/step-N`, the weights of a step that no earlier one was better than, in the way of a checkpoint.
 * @throws as {@link writeCheckpoint}
 * Cost: the trained weights on disk, once for the best step and once for the best of each checkpoint that is kept.
 */
export async function writeBest(run: string, step: number, parameters: FlatParameters): Promise<void> {
  await makeFolder(join(run, BEST));
  await writeBuffers(bestFolder(run, step), { step }, parameters, weightsAlone);
}

/**
 * Fills the weights from `best/step-N`.
 * @throws {WeightsError} when they have been damaged since the run began or was resumed
 */
export const restoreBest = (run: string, step: number, parameters: FlatParameters): Promise<void> =>
  restore(bestFolder(run, step), parameters, weightsAlone);

async function writeBuffers(
  path: string,
  about: Omit<CheckpointState, 'formatVersion' | 'files'>,
  parameters: FlatParameters,
  contents: Contents,
): Promise<void> {
  await writeFolderAtomically(path, async (temporary) => {
    const files: Record<string, FileRecord> = {};
    for (const [name, buffers] of Object.entries(contents)) {
      const tensors = Object.entries(buffers).flatMap(([buffer, prefix]) =>
        Object.entries(viewsOf(parameters, parameters[buffer as Buffer]!, prefix)),
      );
      const file = join(temporary, name);
      await writeSafetensors(
        file,
        tensors.map(([tensor, { shape, data }]) => ({ name: tensor, dtype: 'F32', shape, data })),
      );
      files[name] = { bytes: (await stat(file)).size, sha256: await sha256OfFile(file) };
    }
    const state: CheckpointState = { formatVersion: 1, ...about, files };
    await writeFile(join(temporary, STATE_FILE), `${JSON.stringify(state, null, 2)}\n`);
  });
}

/** Removes all checkpoints but the newest `keep`; called when a new one is in place. */
export async function pruneCheckpoints(run: string, keep: number): Promise<void> {
  for (const step of (await checkpointSteps(run)).slice(keep))
    await rm(checkpointFolder(run, step), { recursive: true, force: true });
}

/** Removes the weights of best steps that neither the run as it is now nor any of its checkpoints builds on. */
export async function pruneBest(run: string, { step: current }: BestSoFar): Promise<void> {
  const needed = new Set([current]);
  for (const step of await checkpointSteps(run)) {
    const { state } = await readState(checkpointFolder(run, step), step);
    if (state?.best !== undefined) needed.add(state.best.step);
  }
  for (const step of await stepsIn(join(run, BEST)))
    if (!needed.has(step)) await rm(bestFolder(run, step), { recursive: true, force: true });
}

/** Steps of the checkpoints of a run, newest first; damaged ones included. */
export const checkpointSteps = (run: string): Promise<number[]> => stepsIn(join(run, CHECKPOINTS));

async function stepsIn(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names
    .flatMap((name) => /^step-(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

/**
 * Fills weights and moments from the newest checkpoint that is whole, the weights of its best step among it.
 * Damaged ones that are newer are removed: the run continues from before them.
 * @returns its step, 0 when there is none (the buffers are then untouched), its best step, and what was wrong with newer ones
 */
export async function restoreNewest(
  run: string,
  parameters: FlatParameters,
): Promise<{ step: number; best?: BestSoFar; damaged: DamagedCheckpoint[] }> {
  const damaged: DamagedCheckpoint[] = [];
  for (const step of await checkpointSteps(run)) {
    const folder = checkpointFolder(run, step);
    const contents = contentsOf(parameters);
    const { best } = (await readState(folder, step)).state ?? {};
    const fault =
      (await wholeFaultOf(folder, step, parameters, contents)) ??
      (best && (await bestFaultOf(run, best, parameters)));
    if (fault === undefined) {
      await restore(folder, parameters, contents);
      return { step, ...(best && { best }), damaged };
    }
    damaged.push({ code: 'run/checkpoint-damaged', checkpoint: folder, fault });
    await rm(folder, { recursive: true, force: true });
  }
  return { step: 0, damaged };
}

/** What is wrong with the weights of the best step that a checkpoint builds on. */
async function bestFaultOf(
  run: string,
  { step }: BestSoFar,
  parameters: FlatParameters,
): Promise<string | undefined> {
  const fault = await wholeFaultOf(bestFolder(run, step), step, parameters, weightsAlone);
  return fault && `${BEST}/step-${step}: ${fault}`;
}

const wholeFaultOf = async (
  folder: string,
  step: number,
  parameters: FlatParameters,
  contents: Contents,
): Promise<string | undefined> =>
  (await faultOf(folder, step, Object.keys(contents))) ?? (await tensorFaultOf(folder, parameters, contents));

/** What is wrong with a checkpoint; undefined when every file is what state.json says. */
export async function faultOf(
  folder: string,
  step: number,
  names: readonly string[] = Object.keys(contents),
): Promise<string | undefined> {
  const { state, fault } = await readState(folder, step);
  if (state === undefined) return fault;
  for (const name of names) {
    const expected = recordOf(state.files?.[name]);
    const path = join(folder, name);
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (found === undefined || expected === undefined) return `expected ${name}, got none`;
    if (found.size !== expected.bytes) return `${name}: expected ${expected.bytes} bytes, got ${found.size}`;
    if ((await sha256OfFile(path)) !== expected.sha256)
      return `${name}: expected the content of hash ${expected.sha256.slice(0, 12)}…, got another`;
  }
  return undefined;
}

/** state.json of a step, or what is wrong with it. */
async function readState(
  folder: string,
  step: number,
): Promise<{ state: Partial<CheckpointState>; fault?: undefined } | { state?: undefined; fault: string }> {
  const text = await readFile(join(folder, STATE_FILE), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return { fault: `expected ${STATE_FILE}, got none` };
  let state: Partial<CheckpointState> | null;
  try {
    state = JSON.parse(text) as Partial<CheckpointState> | null;
  } catch {
    return { fault: `${STATE_FILE}: expected JSON, got text that ends or breaks` };
  }
  if (state?.formatVersion !== 1 || state.step !== step)
    return { fault: `${STATE_FILE}: expected format 1 of step ${step}, got another` };
  if (state.best !== undefined && parseBest(state.best) === undefined)
    return { fault: `${STATE_FILE}: best: expected a step and its loss, got another value` };
  return { state };
}

/** What state.json says of a file; undefined when it says nothing of use. */
function recordOf(value: unknown): FileRecord | undefined {
  const { bytes, sha256 } = (value ?? {}) as Partial<FileRecord>;
  return typeof bytes === 'number' && typeof sha256 === 'string' ? { bytes, sha256 } : undefined;
}

/** What is wrong with the tensors of a checkpoint whose files are what state.json says. */
async function tensorFaultOf(
  folder: string,
  parameters: FlatParameters,
  contents: Contents,
): Promise<string | undefined> {
  for (const [name, buffers] of Object.entries(contents)) {
    let file: SafetensorsFile;
    try {
      file = await openSafetensors(join(folder, name));
    } catch (error) {
      if (error instanceof WeightsError) return error.message;
      throw error;
    }
    for (const prefix of Object.values(buffers))
      for (const { name: tensor, shape } of parameters.tensors) {
        const entry = file.tensors.get(prefix + tensor);
        if (entry?.dtype !== 'F32' || entry.shape.join() !== shape.join())
          return `${name}: ${prefix}${tensor}: expected F32 [${shape.join(', ')}], got ${entry === undefined ? 'none' : `${entry.dtype} [${entry.shape.join(', ')}]`}`;
      }
  }
  return undefined;
}

async function restore(folder: string, parameters: FlatParameters, contents: Contents): Promise<void> {
  for (const [name, buffers] of Object.entries(contents)) {
    const file = await openSafetensors(join(folder, name));
    for (const [buffer, prefix] of Object.entries(buffers))
      for (const [tensor, { data }] of Object.entries(
        viewsOf(parameters, parameters[buffer as Buffer]!, prefix),
      ))
        data.set(await readTensor(file, tensor));
  }
}
