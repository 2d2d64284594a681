/** @file The RunSpecs of scoring and writing: prompts with their responses, or pairs of prompts, and where their numbers are to be. */
import type { WorkerModel, WorkerPair, WorkerPrompt } from '../../engine/models/model-worker.ts';
import type { TensorToWrite } from '../../engine/weights/safetensors.ts';
import type { ComputeSpec, GenerateSpec, ScoreSpec } from './spec.ts';
import { column, ragged, writeSpec } from './spec-folder.ts';
import { modelSpec, pairTensors } from './train-spec.ts';

/** In `spec/` of a scoring: F32, one number for each response token. */
export const SCORES_FILE = 'scores.safetensors';

/** In `spec/` of a writing: `logits` F32, those of the last request. */
export const LOGITS_FILE = 'logits.safetensors';

/** What computes. */
export interface ModelParts {
  readonly model: WorkerModel;
  readonly modelSource: string;
  /** Its folder, where there is one. */
  readonly adapter?: string | undefined;
  readonly compute: ComputeSpec;
  readonly version: string;
}

/** What is scored, by what. */
export interface ScoreParts extends ModelParts {
  /** One of the two. */
  readonly pairs?: readonly WorkerPair[];
  readonly prompts?: readonly WorkerPrompt[];
}

/** Writes `spec/` of a scoring into a folder. */
export async function writeScoreSpec(folder: string, parts: ScoreParts): Promise<ScoreSpec> {
  const { pairs, prompts = [] } = parts;
  return writeSpec<ScoreSpec>(
    folder,
    { task: 'score', ...shared(parts) },
    pairs === undefined
      ? { 'prompts.safetensors': promptTensors(prompts) }
      : { 'pairs.safetensors': pairTensors(pairs) },
  );
}

/** Writes `spec/` of a writing into a folder. */
export const writeGenerateSpec = (folder: string, parts: ModelParts): Promise<GenerateSpec> =>
  writeSpec<GenerateSpec>(folder, { task: 'generate', ...shared(parts) }, {});

const shared = ({ model, modelSource, adapter, compute, version }: ModelParts) => ({
  formatVersion: 1 as const,
  model: modelSpec(model, modelSource),
  adapter: adapter ?? null,
  compute,
  nextquill: version,
});

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
