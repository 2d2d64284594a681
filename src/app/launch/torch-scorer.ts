/** @file PyTorch as the worker of models: scores and logits are asked of one process for a whole command, and read back from files. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { WeightsError } from '../../base/errors.ts';
import type { Adapter } from '../../engine/lora/adapter.ts';
import { saveAdapter } from '../../engine/lora/adapter-folder.ts';
import type {
  AdapterValues,
  ModelWorker,
  WorkerModel,
  WorkerRequest,
} from '../../engine/models/model-worker.ts';
import { openSafetensors, readPlain } from '../../engine/weights/safetensors.ts';
import {
  LOGITS_FILE,
  SCORES_FILE,
  type ScoreParts,
  writeGenerateSpec,
  writeScoreSpec,
} from './score-spec.ts';
import { type ServingWorker, servingWorker } from './serving-worker.ts';
import { SPEC } from './spec-folder.ts';
import { deviceOf, type TorchOptions } from './torch-train.ts';

/** How scores are computed. */
export interface TorchScorerOptions extends TorchOptions {
  readonly threads?: number | undefined;
  /** Of this package. */
  readonly version: string;
}

/** A worker for scores and texts; its process stays until it is disposed of. */
export function torchWorker(options: TorchScorerOptions): ModelWorker {
  const { python, compute, processes, threads, version, onProgress } = options;
  const { maxRestarts, graceSeconds, lastSeconds } = options;
  const starting = {
    python: python.executable,
    device: compute.device,
    threads,
    ...(maxRestarts !== undefined && { maxRestarts }),
    ...(graceSeconds !== undefined && { graceSeconds }),
    ...(lastSeconds !== undefined && { lastSeconds }),
  };
  const scoring = servingWorker({ ...starting, processes });
  // Tokens follow one another: several processes would wait for the first.
  const writing = processes === 1 ? scoring : servingWorker({ ...starting, processes: 1 });
  const adapters = new WeakMap<object, Promise<string>>();
  const adapterFolder = async (worker: ServingWorker, model: WorkerModel, adapter: AdapterValues) => {
    let folder = adapters.get(adapter.tensors);
    if (folder === undefined) {
      folder = worker.newFolder().then(async (made) => {
        await saveAdapter(join(made, 'adapter'), adapter as Adapter, { baseModel: model.folder });
        return join(made, 'adapter');
      });
      adapters.set(adapter.tensors, folder);
    }
    return folder;
  };
  const partsOf = async (worker: ServingWorker, { model, adapter }: WorkerRequest) => ({
    model,
    modelSource: model.folder,
    adapter: adapter && (await adapterFolder(worker, model, adapter)),
    compute,
    version,
  });

  /** The numbers of each row by their names. */
  const scored = async (
    request: WorkerRequest,
    work: Pick<ScoreParts, 'prompts' | 'pairs'>,
    names: readonly string[],
    rows: readonly { readonly responseIds: readonly number[] }[],
  ): Promise<Record<string, Float32Array[]>> => {
    const { signal, onDone } = request;
    const folder = await scoring.newFolder();
    try {
      await writeScoreSpec(folder, { ...work, ...(await partsOf(scoring, request)) });
      await scoring.ask(
        { do: 'score', run: folder },
        {
          signal,
          onEvent: ({ type, stage, done, total, unit }) => {
            if (type !== 'progress') return;
            onDone?.(Number(done));
            onProgress?.({
              stage: String(stage),
              done: Number(done),
              total: Number(total),
              unit: String(unit),
            });
          },
        },
      );
      const file = await openSafetensors(join(folder, SPEC, SCORES_FILE));
      const scores: Record<string, Float32Array[]> = {};
      for (const name of names) scores[name] = cut(await readPlain(file, name, 'F32'), rows, file.path, name);
      return scores;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };

  return {
    name: `torch ${deviceOf(options)} ${compute.dtype}`,
    logProbabilities: async (prompts, request) => {
      const { logProb } = await scored(request, { prompts }, ['logProb'], prompts);
      return logProb!;
    },
    pairScores: async (pairs, request) => {
      const names = ['logProbWithHistory', 'logProbWithoutHistory', 'divergence'] as const;
      const scores = await scored(request, { pairs }, names, pairs);
      return pairs.map((_, i) => ({
        logProbWithHistory: scores.logProbWithHistory![i]!,
        logProbWithoutHistory: scores.logProbWithoutHistory![i]!,
        divergence: scores.divergence![i]!,
      }));
    },
    openWriter: async (request) => {
      const folder = await writing.newFolder();
      await writeGenerateSpec(folder, await partsOf(writing, request));
      await writing.ask({ do: 'write', run: folder }, { signal: request.signal });
      const width = request.model.config.vocabularySize;
      const logitsOf = async (
        asked: Readonly<Record<string, unknown>>,
        rows: number,
        signal?: AbortSignal,
      ) => {
        await writing.ask(asked, { signal, isRepeatable: false });
        const file = await openSafetensors(join(folder, SPEC, LOGITS_FILE));
        const logits = await readPlain(file, 'logits', 'F32');
        if (logits.length !== rows * width)
          throw wrongCount(file.path, 'logits', rows * width, logits.length);
        return logits;
      };
      return {
        fill: (ids, signal) => logitsOf({ do: 'fill', ids }, 1, signal),
        step: (rows, tokens) => logitsOf({ do: 'step', rows, tokens }, rows.length),
        [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
      };
    },
    [Symbol.asyncDispose]: async () => {
      await scoring[Symbol.asyncDispose]();
      if (writing !== scoring) await writing[Symbol.asyncDispose]();
    },
  };
}

/** The part of each row. @throws {WeightsError} when there is not one number for each response token */
function cut(
  values: Float32Array,
  rows: readonly { readonly responseIds: readonly number[] }[],
  path: string,
  name: string,
): Float32Array[] {
  const tokens = rows.reduce((sum, { responseIds }) => sum + responseIds.length, 0);
  if (values.length !== tokens) throw wrongCount(path, name, tokens, values.length);
  let at = 0;
  return rows.map(({ responseIds }) => {
    const part = values.slice(at, at + responseIds.length);
    at += responseIds.length;
    return part;
  });
}

const wrongCount = (path: string, name: string, expected: number, got: number) =>
  new WeightsError(`${path}: ${name}: expected ${expected} numbers, got ${got}`, {
    code: 'worker/scores',
    hint: 'Use the nextquill_torch of this version of NextQuill.',
  });
