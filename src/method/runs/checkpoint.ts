/** @file Checkpoints: trained weights and both moments, whole or absent, each with the hashes that prove it. */
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFolderAtomically } from '../../base/atomic-folder.ts';
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

/** state.json of a checkpoint. */
interface CheckpointState {
  readonly formatVersion: 1;
  /** The last finished step. The order of the data and the schedule follow from it and the recipe. */
  readonly step: number;
  readonly files: Readonly<Record<string, FileRecord>>;
}

interface FileRecord {
  readonly bytes: number;
  readonly sha256: string;
}

export const CHECKPOINTS = 'checkpoints';
const STATE_FILE = 'state.json';

/** Which buffers go into which file, and what stands before the tensors' names there. */
const contents = {
  'weights.safetensors': { weights: '' },
  'optimizer.safetensors': { firstMoment: 'firstMoment.', secondMoment: 'secondMoment.' },
} as const satisfies Record<string, { readonly [buffer in keyof FlatParameters]?: string }>;

/** A moving average goes with them where one is kept. */
const average = { 'average.safetensors': { average: '' } } as const;

type Buffer = 'weights' | 'firstMoment' | 'secondMoment' | 'average';

const contentsOf = (
  parameters: FlatParameters,
): Readonly<Record<string, { readonly [b in Buffer]?: string }>> =>
  parameters.average === undefined ? contents : { ...contents, ...average };

/**
 * Writes `checkpoints/step-N`, flushed to disk and then renamed into place.
 * @returns its path
 * @throws {EngineError} when the disk is full; what was written of it is removed, other checkpoints are untouched
 * Cost: three times the trained weights on disk, read once more for their hashes.
 */
export async function writeCheckpoint(
  run: string,
  step: number,
  parameters: FlatParameters,
): Promise<string> {
  const path = join(run, CHECKPOINTS, `step-${step}`);
  await writeFolderAtomically(path, async (temporary) => {
    const files: Record<string, FileRecord> = {};
    for (const [name, buffers] of Object.entries(contentsOf(parameters))) {
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
    const state: CheckpointState = { formatVersion: 1, step, files };
    await writeFile(join(temporary, STATE_FILE), `${JSON.stringify(state, null, 2)}\n`);
  });
  return path;
}

/** Removes all checkpoints but the newest `keep`; called when a new one is in place. */
export async function pruneCheckpoints(run: string, keep: number): Promise<void> {
  for (const step of (await checkpointSteps(run)).slice(keep))
    await rm(join(run, CHECKPOINTS, `step-${step}`), { recursive: true, force: true });
}

/** Steps of the checkpoints of a run, newest first; damaged ones included. */
export async function checkpointSteps(run: string): Promise<number[]> {
  const names = await readdir(join(run, CHECKPOINTS)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names
    .flatMap((name) => /^step-(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

/**
 * Fills weights and moments from the newest checkpoint that is whole.
 * Damaged ones that are newer are removed: the run continues from before them.
 * @returns its step, 0 when there is none (the buffers are then untouched), and what was wrong with newer ones
 */
export async function restoreNewest(
  run: string,
  parameters: FlatParameters,
): Promise<{ step: number; damaged: DamagedCheckpoint[] }> {
  const damaged: DamagedCheckpoint[] = [];
  for (const step of await checkpointSteps(run)) {
    const folder = join(run, CHECKPOINTS, `step-${step}`);
    const fault =
      (await faultOf(folder, step, Object.keys(contentsOf(parameters)))) ??
      (await tensorFaultOf(folder, parameters));
    if (fault === undefined) {
      await restore(folder, parameters);
      return { step, damaged };
    }
    damaged.push({ code: 'run/checkpoint-damaged', checkpoint: folder, fault });
    await rm(folder, { recursive: true, force: true });
  }
  return { step: 0, damaged };
}

/** What is wrong with a checkpoint; undefined when every file is what state.json says. */
export async function faultOf(
  folder: string,
  step: number,
  names: readonly string[] = Object.keys(contents),
): Promise<string | undefined> {
  const text = await readFile(join(folder, STATE_FILE), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return `expected ${STATE_FILE}, got none`;
  let state: Partial<CheckpointState> | null;
  try {
    state = JSON.parse(text) as Partial<CheckpointState> | null;
  } catch {
    return `${STATE_FILE}: expected JSON, got text that ends or breaks`;
  }
  if (state?.formatVersion !== 1 || state.step !== step)
    return `${STATE_FILE}: expected format 1 of step ${step}, got another`;
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

/** What state.json says of a file; undefined when it says nothing of use. */
function recordOf(value: unknown): FileRecord | undefined {
  const { bytes, sha256 } = (value ?? {}) as Partial<FileRecord>;
  return typeof bytes === 'number' && typeof sha256 === 'string' ? { bytes, sha256 } : undefined;
}

/** What is wrong with the tensors of a checkpoint whose files are what state.json says. */
async function tensorFaultOf(folder: string, parameters: FlatParameters): Promise<string | undefined> {
  for (const [name, buffers] of Object.entries(contentsOf(parameters))) {
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

async function restore(folder: string, parameters: FlatParameters): Promise<void> {
  for (const [name, buffers] of Object.entries(contentsOf(parameters))) {
    const file = await openSafetensors(join(folder, name));
    for (const [buffer, prefix] of Object.entries(buffers))
      for (const [tensor, { data }] of Object.entries(
        viewsOf(parameters, parameters[buffer as Buffer]!, prefix),
      ))
        data.set(await readTensor(file, tensor));
  }
}
