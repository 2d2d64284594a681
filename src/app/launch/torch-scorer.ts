/** @file Scores by PyTorch: a RunSpec of prompts or pairs is written, a worker scores it, and its numbers are read back. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WeightsError } from '../../base/errors.ts';
import type { ModelWorker, WorkerRequest } from '../../engine/models/model-worker.ts';
import { openSafetensors, readPlain } from '../../engine/weights/safetensors.ts';
import { SCORES_FILE, type ScoreParts, writeScoreSpec } from './score-spec.ts';
import { SPEC } from './spec-folder.ts';
import { deviceOf, type TorchOptions } from './torch-train.ts';
import { workerEvents } from './worker-run.ts';

/** How scores are computed. */
export interface TorchScorerOptions extends TorchOptions {
  readonly threads?: number | undefined;
  /** Of this package. */
  readonly version: string;
}

/** A worker for scores; the folder of each run is for this user alone and is removed at its end, for it holds texts as ids. */
export function torchWorker(options: TorchScorerOptions): ModelWorker {
  return {
    name: `torch ${deviceOf(options)} ${options.compute.dtype}`,
    logProbabilities: async (prompts, request) => {
      const { logProb } = await scored(options, request, { prompts }, ['logProb'], prompts);
      return logProb!;
    },
    pairScores: async (pairs, request) => {
      const names = ['logProbWithHistory', 'logProbWithoutHistory', 'divergence'] as const;
      const scores = await scored(options, request, { pairs }, names, pairs);
      return pairs.map((_, i) => ({
        logProbWithHistory: scores.logProbWithHistory![i]!,
        logProbWithoutHistory: scores.logProbWithoutHistory![i]!,
        divergence: scores.divergence![i]!,
      }));
    },
  };
}

/** The numbers of each row by their names. */
async function scored(
  { python, compute, processes, threads, version, onProgress, ...limits }: TorchScorerOptions,
  { model, adapter, signal, onDone }: WorkerRequest,
  work: Pick<ScoreParts, 'prompts' | 'pairs'>,
  names: readonly string[],
  rows: readonly { readonly responseIds: readonly number[] }[],
): Promise<Record<string, Float32Array[]>> {
  const folder = await mkdtemp(join(tmpdir(), 'nextquill-score-'));
  try {
    await writeScoreSpec(folder, { ...work, model, modelSource: model.folder, adapter, compute, version });
    const events = workerEvents(folder, {
      ...limits,
      python: python.executable,
      processes,
      threads,
      signal,
    });
    for await (const { type, stage, done, total, unit } of events) {
      if (type !== 'progress') continue;
      onDone?.(Number(done));
      onProgress?.({ stage: String(stage), done: Number(done), total: Number(total), unit: String(unit) });
    }
    const file = await openSafetensors(join(folder, SPEC, SCORES_FILE));
    const scores: Record<string, Float32Array[]> = {};
    for (const name of names) scores[name] = cut(await readPlain(file, name, 'F32'), rows, file.path, name);
    return scores;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The part of each row. @throws {WeightsError} when there is not one number for each response token */
function cut(
  values: Float32Array,
  rows: readonly { readonly responseIds: readonly number[] }[],
  path: string,
  name: string,
): Float32Array[] {
  const tokens = rows.reduce((sum, { responseIds }) => sum + responseIds.length, 0);
  if (values.length !== tokens)
    throw new WeightsError(`${path}: ${name}: expected ${tokens} numbers, got ${values.length}`, {
      code: 'worker/scores',
      hint: 'Use the nextquill_torch of this version of NextQuill.',
    });
  let at = 0;
  return rows.map(({ responseIds }) => {
    const part = values.slice(at, at + responseIds.length);
    at += responseIds.length;
    return part;
  });
}
