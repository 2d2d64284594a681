/** @file manifest.json of a run folder: everything that a run was made of, so that it can be repeated and resumed. */
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { writeFileAtomically } from '../../base/atomic-file.ts';
import type { Model } from '../../engine/models/model.ts';
import { runtimeVersion } from '../../engine/runtime/version.ts';
import { resolveObjectiveOptions } from '../objectives/objective-options.ts';
import { type ObjectiveRecord, planOf, recordOf } from '../objectives/plan.ts';
import type { PromptSettings } from '../prompts/pair.ts';
import type { TokenCount } from '../scoring/token-count.ts';
import type { MemoryRecord } from '../training/memory/memory-check.ts';
import { newerSettings, type ResolvedSettings } from '../training/settings.ts';
import type { BestStep } from './best-step.ts';
import { readRecord } from './read-record.ts';
import { checkManifest } from './record-check.ts';
import type { TrainedUsers } from './trained-users.ts';

/** How far a run is. A killed run stays `running`. */
export type RunStatus = 'running' | 'stopped' | 'failed' | 'done';

/** What `train` returns and prints with `--json`. */
export interface TrainSummary extends Partial<TokenCount> {
  /** The run folder. */
  readonly run: string;
  readonly steps: number;
  /** Over the time of the steps; compiling the training graph, checkpoints and final weights not counted. */
  readonly examplesPerSecond: number;
  /** Tokens of the examples in all passes, padding not counted, whether they were computed or saved. */
  readonly tokensPerSecond: number;
  /** Highest of any process that worked on the run. */
  readonly peakMemoryBytes: number;
  /** Loss of the last step, nats. */
  readonly finalLoss: number;
  /** Loss on the held-out rows after the last step, nats a response token; where it was measured. */
  readonly validationLoss?: number;
  /** The step whose weights the result holds, and its loss on the held-out rows; of runs that keep the best step. */
  readonly best?: BestStep;
  /** Why the run ended before its last planned step: `patience` evaluations found no better one. */
  readonly endedBy?: 'patience';
  /** Folder of the adapter, in PEFT's layout. */
  readonly adapter?: string;
  /** Folder of the model, in Hugging Face's layout. */
  readonly weights?: string;
}

/** The data of a run. */
export interface DataRecord {
  readonly source: string;
  /** Of everything that was trained on, in its order. */
  readonly hash: string;
  /** Who wrote it, as hashes; absent for token ids, and in runs of older versions. */
  readonly users?: TrainedUsers;
  /** Ids, in the order of the data. */
  readonly examples: readonly string[];
  /** First 12 digits of each example's own hash, so that a change can be named. */
  readonly exampleHashes: readonly string[];
  /** Of the token ids of all prompts and responses. */
  readonly promptsHash: string;
}

/** The settings of a run as plain data: resolved, so that nothing is left to defaults of a later version. */
export interface RunRecipe extends Omit<ResolvedSettings, 'objective'>, ObjectiveRecord {
  /** Absent when token ids were given. */
  readonly prompt?: PromptSettings;
}

/** What manifest.json of a run holds: all that decides its result. */
export interface Manifest {
  readonly formatVersion: 1;
  readonly status: RunStatus;
  /** Why a run failed. */
  readonly reason?: string;
  /** The last finished step when the status was written. */
  readonly step?: number;
  readonly totalSteps: number;
  readonly recipe: RunRecipe;
  readonly model: { readonly source: string; readonly hash: string; readonly tokenizerHash: string };
  readonly data: DataRecord;
  /** The held-out rows that the run measures its loss on, where it does. */
  readonly validation?: DataRecord;
  /** Effects that were computed before training. */
  readonly estimates?: {
    /** Of their numbers. */
    readonly hash: string;
    /** Of the model that estimated them. */
    readonly modelHash: string;
  };
  readonly versions: Readonly<Record<'nextquill' | 'node' | 'onnxruntime', string>> &
    Readonly<Record<string, string>>;
  readonly machine: {
    readonly platform: string;
    readonly processor: string;
    readonly threads: number;
    /** What the run was computed on; absent in runs of older versions, which knew the processor alone. */
    readonly device?: string;
    /** What computed it; this package on ONNX Runtime where absent. */
    readonly engine?: 'torch';
    /** How many processes took the steps, and how they shared the work, where that was another engine. */
    readonly processes?: number;
    readonly parallel?: string;
    readonly dtype?: string;
  };
  /** Bytes predicted before the run, and what there was. */
  readonly memory?: MemoryRecord;
  readonly summary?: Omit<TrainSummary, 'run'>;
}

const FILE = 'manifest.json';

/** What a manifest records of the settings of a run. */
export const recipeOf = (
  { objective, ...numbers }: ResolvedSettings,
  prompt?: PromptSettings,
): RunRecipe => ({
  ...recordOf(objective),
  ...numbers,
  ...(prompt && { prompt }),
});

/** The settings that a manifest records. */
export function settingsOf(recipe: RunRecipe): ResolvedSettings {
  const { objective, objectiveRequested, objectiveOptions, estimator, prompt: _, ...numbers } = recipe;
  // Options that are newer than the run are off.
  const options = resolveObjectiveOptions(objectiveOptions);
  return {
    ...newerSettings,
    ...numbers,
    objective: planOf({ objective, objectiveRequested, objectiveOptions: options, estimator }),
  };
}

/** Versions of what computes a run. */
export async function currentVersions(): Promise<Manifest['versions']> {
  const own = await readFile(new URL('../../../package.json', import.meta.url), 'utf8');
  return {
    nextquill: (JSON.parse(own) as { version: string }).version,
    node: process.versions.node,
    onnxruntime: runtimeVersion,
  };
}

export function currentMachine(
  threads: number,
  { device = 'cpu' }: Pick<Model, 'device'>,
): Manifest['machine'] {
  const processor = cpus()[0]?.model.trim() ?? 'unknown';
  return { platform: `${process.platform}-${process.arch}`, processor, threads, device };
}

export async function writeManifest(run: string, manifest: Manifest): Promise<void> {
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  await writeFileAtomically(join(run, FILE), (file) => file.writeFile(text));
}

/**
 * The manifest of a run folder.
 * @throws {CheckpointError} when there is none, and naming the key whose value is not one that a run can have
 */
export async function readManifest(run: string): Promise<Manifest> {
  const { json, fail } = await readRecord(join(run, FILE), {
    code: 'run/manifest',
    holds: 'the manifest of a run',
    hint: 'Name the folder of a run that has begun; where its manifest is damaged, restore it or start a new run.',
  });
  checkManifest(json, fail);
  return json as unknown as Manifest;
}
