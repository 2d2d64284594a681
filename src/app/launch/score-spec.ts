/** @file The RunSpec of a scoring: prompts with their responses, or pairs of prompts, and where their numbers are to be. */

import { join, resolve } from 'node:path';
import type { Adapter } from '../../engine/lora/adapter.ts';
import { saveAdapter } from '../../engine/lora/adapter-folder.ts';
import type {
  AdapterValues,
  WorkerModel,
  WorkerPair,
  WorkerPrompt,
} from '../../engine/models/model-worker.ts';
import type { TensorToWrite } from '../../engine/weights/safetensors.ts';
import type { ComputeSpec, ScoreSpec } from './spec.ts';
import { column, ragged, SPEC, writeSpec } from './spec-folder.ts';
import { modelSpec, pairTensors } from './train-spec.ts';

/** In `spec/` of a scoring: F32, one number for each response token. */
export const SCORES_FILE = 'scores.safetensors';

/** What is scored, by what. */
export interface ScoreParts {
  readonly model: WorkerModel;
  readonly modelSource: string;
  /** Written beside the spec, where there is one. */
  readonly adapter?: AdapterValues | undefined;
  /** One of the two. */
  readonly pairs?: readonly WorkerPair[];
  readonly prompts?: readonly WorkerPrompt[];
  readonly compute: ComputeSpec;
  readonly version: string;
}

/** The adapter's folder in `spec/`. */
const ADAPTER = 'adapter';

/** Writes `spec/` of a scoring into a folder. */
export async function writeScoreSpec(folder: string, parts: ScoreParts): Promise<ScoreSpec> {
  const { model, modelSource, adapter, pairs, prompts = [], compute, version } = parts;
  return writeSpec<ScoreSpec>(
    folder,
    {
      formatVersion: 1,
      task: 'score',
      model: modelSpec(model, modelSource),
      adapter: adapter === undefined ? null : resolve(folder, SPEC, ADAPTER),
      compute,
      nextquill: version,
    },
    pairs === undefined
      ? { 'prompts.safetensors': promptTensors(prompts) }
      : { 'pairs.safetensors': pairTensors(pairs) },
    async (temporary) => {
      if (adapter !== undefined)
        await saveAdapter(join(temporary, ADAPTER), adapter as Adapter, { baseModel: model.folder });
    },
  );
}

/** `target` where labels are shifted: what is scored at the places of the response's tokens. */
function promptTensors(prompts: readonly WorkerPrompt[]): TensorToWrite[] {
  const isShifted = prompts.some(({ targetIds }) => targetIds !== undefined);
  return [
    ...ragged(
      'prompt',
      prompts.map(({ promptIds }) => promptIds),
    ),
    ...ragged(
      'response',
      prompts.map(({ responseIds }) => responseIds),
    ),
    ...(isShifted
      ? [
          column(
            'target',
            'I32',
            prompts.flatMap(({ targetIds, responseIds }) => targetIds ?? responseIds),
          ),
        ]
      : []),
  ];
}
