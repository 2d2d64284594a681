/** @file The RunSpec of a training: ids, order, rates, first values and estimates, as the engine of this package would have them. */
import { adapterBase } from '../../base/hub-id.ts';
import { adapterShapes } from '../../engine/lora/layers.ts';
import { peftConfig } from '../../engine/lora/peft-config.ts';
import type { Model } from '../../engine/models/model.ts';
import type { WorkerModel, WorkerPair } from '../../engine/models/model-worker.ts';
import { companions, savedConfig } from '../../engine/models/save-model.ts';
import type { TensorToWrite } from '../../engine/weights/safetensors.ts';
import { copiedTokensOf } from '../../method/objectives/copied.ts';
import { type ObjectivePlan, otherPassNames, reachesWithoutHistory } from '../../method/objectives/plan.ts';
import type { ScoredPrompt } from '../../method/prompts/collate.ts';
import { otherPrompts, type PromptPair } from '../../method/prompts/pair.ts';
import { recipeOf } from '../../method/runs/manifest.ts';
import type { RunInfo } from '../../method/runs/run-info.ts';
import type { FixedEstimates } from '../../method/training/estimators.ts';
import type { TokenEstimate } from '../../method/training/given-effects.ts';
import type { HeldOut } from '../../method/training/held-out.ts';
import { fillInitial } from '../../method/training/initial-adapter.ts';
import type { ResolvedSettings } from '../../method/training/settings.ts';
import { plannedSteps, totalSteps } from '../../method/training/trainer.ts';
import type { ComputeSpec, ModelSpec, ObjectiveSpec, Quantity, TrainSpec } from './spec.ts';
import { column, ragged, writeSpec } from './spec-folder.ts';

/** What a training is made of. */
export interface TrainingParts {
  readonly settings: ResolvedSettings;
  readonly model: Model;
  /** How the user named the model. */
  readonly modelSource: string;
  readonly pairs: readonly PromptPair[];
  /** Prompts with other users' histories for each pair, where weights are made of C and nobody has estimated B yet. */
  readonly others?: readonly (readonly ScoredPrompt[])[] | undefined;
  /** Effects that were computed before training. */
  readonly fixed?: FixedEstimates | undefined;
  readonly heldOut?: HeldOut | undefined;
  readonly compute: ComputeSpec;
  /** Content of nextquill.json beside the result. */
  readonly info: RunInfo;
  /** Of this package. */
  readonly version: string;
}

/** Writes `spec/` of a run. @throws {EngineError} when the disk is full or the place cannot be written to */
export async function writeTrainSpec(run: string, parts: TrainingParts): Promise<TrainSpec> {
  const { settings, model, modelSource, pairs, others, fixed, heldOut, compute, version } = parts;
  const { objective, lora, seed } = settings;
  const { estimatorDecay, checkpointEvery, checkpointMinutes, keepCheckpoints, recompute } = settings;
  return writeSpec<TrainSpec>(
    run,
    {
      formatVersion: 1,
      task: 'train',
      model: modelSpec(model, modelSource),
      recipe: recipeOfWorker(settings),
      objective: objectiveSpec(objective),
      estimator: { kind: objective.estimator, model: null, adapter: null, decay: estimatorDecay },
      totalSteps: totalSteps(pairs.length, settings),
      compute: { ...compute, recompute },
      checkpoint: { every: checkpointEvery, minutes: checkpointMinutes, keep: keepCheckpoints },
      result: await resultSpec(parts),
      nextquill: version,
    },
    {
      'pairs.safetensors': pairTensors(pairs),
      'plan.safetensors': planTensors(pairs, settings),
      ...(lora && { 'initial.safetensors': initialTensors(model, lora, seed) }),
      ...(others && fixed === undefined && { 'placebos.safetensors': placeboTensors(others) }),
      ...(fixed && { 'estimates.safetensors': estimateTensors(fixed.estimates) }),
      ...(heldOut && { 'validation.safetensors': heldOutTensors(heldOut) }),
    },
  );
}

/** Which examples meet is in the plan, and how rows are made is the worker's own matter. */
function recipeOfWorker(settings: ResolvedSettings): TrainSpec['recipe'] {
  const { packing: _, groupByPrefix: __, ...recipe } = recipeOf(settings);
  return recipe as unknown as TrainSpec['recipe'];
}

/** A model as a worker opens it. */
export function modelSpec({ folder, config, hash, tokenizer }: WorkerModel, source: string): ModelSpec {
  return {
    source,
    path: folder,
    hash,
    tokenizerHash: tokenizer.hash,
    type: config.modelType,
    vocabularySize: config.vocabularySize,
    padId: tokenizer.padId,
    tiedHead: config.tiedHead,
  };
}

/** What stands beside the weights of the result, the same as where this package trains. */
async function resultSpec({ settings: { lora }, model, modelSource, info }: TrainingParts) {
  const shared = { 'nextquill.json': { ...info } };
  if (lora === undefined)
    return {
      folder: 'weights' as const,
      files: { 'config.json': await savedConfig(model), ...shared },
      copies: [...companions],
    };
  const { baseModel, revision } = adapterBase(modelSource);
  return {
    folder: 'adapter' as const,
    files: { 'adapter_config.json': peftConfig(lora, baseModel, revision), ...shared },
    copies: [],
  };
}

/** The rules that an objective's name and options stand for. */
export function objectiveSpec(plan: ObjectivePlan): ObjectiveSpec {
  const { fit, rule, difference, preference, asksPreferenceTokens, passes, needs } = plan;
  const readsRatios = asksPreferenceTokens || needs.placeboMost || !['uniform', 'divergence'].includes(rule);
  const ofEffects: Quantity[] = [
    ...(rule === 'divergence' ? (['divergence'] as const) : []),
    ...(readsRatios ? (['logProbWithHistory', 'logProbWithoutHistory'] as const) : []),
  ];
  return {
    fit,
    weights: rule,
    difference,
    ...(preference && { preference: true }),
    passes,
    gradientWithoutHistory: reachesWithoutHistory(plan),
    needs: [
      ...ofEffects,
      ...(needs.generic ? (['generic'] as const) : []),
      ...(needs.placeboMost ? (['placeboMost'] as const) : []),
      ...(needs.anchor ? (['anchor'] as const) : []),
    ],
  };
}

/** The ids of a pair, and what is known of the response's. */
export type PairIds = WorkerPair &
  Pick<PromptPair, 'fitted' | 'copied' | 'otherHistoryIds' | 'furtherHistoryIds'>;

/** Both prompts and the response of each pair, what is known of response tokens, and whether a history shows. */
export function pairTensors(pairs: readonly PairIds[]): TensorToWrite[] {
  return [
    ...ragged(
      'withHistory',
      pairs.map(({ withHistoryIds }) => withHistoryIds),
    ),
    ...ragged(
      'withoutHistory',
      pairs.map(({ withoutHistoryIds }) => withoutHistoryIds),
    ),
    ...ragged(
      'response',
      pairs.map(({ responseIds }) => responseIds),
    ),
    ...flagColumns(pairs),
    column(
      'hasHistory',
      'U8',
      pairs.map(({ hasHistory }) => Number(hasHistory)),
    ),
    ...(pairs.some(({ otherHistoryIds }) => otherHistoryIds !== undefined) ? otherTensors(pairs) : []),
  ];
}

/** Prompts with other users' histories, the own prompt again where a pair is compared with nobody's, and which pairs are. */
const otherTensors = (pairs: readonly PairIds[]): TensorToWrite[] => [
  ...otherPassNames(Math.max(...pairs.map((pair) => otherPrompts(pair).length))).flatMap((pass, place) =>
    ragged(
      pass,
      pairs.map((pair) => otherPrompts(pair)[place] ?? pair.withHistoryIds),
    ),
  ),
  column(
    'isCompared',
    'U8',
    pairs.map(({ otherHistoryIds }) => Number(otherHistoryIds !== undefined)),
  ),
];

type TokenFlags = readonly boolean[] | undefined;

/** One number for each response token of all pairs, by the offsets of the responses. */
const tokenColumn = <P extends Pick<PairIds, 'responseIds'>>(
  name: string,
  pairs: readonly P[],
  { of, absent }: { of: (pair: P) => TokenFlags; absent: boolean },
) =>
  column(
    name,
    'U8',
    pairs.flatMap((pair) => pair.responseIds.map((_, t) => Number(of(pair)?.[t] ?? absent))),
  );

/** Of response tokens, where a pair says it: which are fitted, and which stand in runs that the shown history holds. */
const flagColumns = (pairs: readonly Pick<PairIds, 'responseIds' | 'fitted' | 'copied'>[]) => [
  ...(pairs.some(({ fitted }) => fitted !== undefined)
    ? [tokenColumn('fitted', pairs, { of: ({ fitted }) => fitted, absent: true })]
    : []),
  ...(pairs.some(({ copied }) => copied !== undefined)
    ? [tokenColumn('copied', pairs, { of: copiedTokensOf, absent: false })]
    : []),
];

function planTensors(pairs: readonly PromptPair[], settings: ResolvedSettings): TensorToWrite[] {
  const steps = [...plannedSteps(pairs, settings)];
  const rows = steps.flatMap(({ step, epoch, microbatches }) =>
    microbatches.flatMap((examples, microbatch) =>
      examples.map((example) => ({ step, epoch, microbatch, example })),
    ),
  );
  return [
    ...(['step', 'epoch', 'microbatch', 'example'] as const).map((name) =>
      column(
        name,
        'I32',
        rows.map((row) => row[name]),
      ),
    ),
    ...(['learningRate', 'effectScale'] as const).map((name) =>
      column(
        name,
        'F64',
        steps.map((step) => step[name]),
      ),
    ),
  ];
}

function initialTensors(
  model: Model,
  lora: NonNullable<ResolvedSettings['lora']>,
  seed: number,
): TensorToWrite[] {
  return adapterShapes(model, lora).map((matrix) => {
    const data = new Float32Array(matrix.shape.reduce((a, b) => a * b, 1));
    fillInitial(data, matrix, seed);
    return { ...matrix, dtype: 'F32', data };
  });
}

function placeboTensors(others: readonly (readonly ScoredPrompt[])[]): TensorToWrite[] {
  const rows = others.flatMap((prompts, pair) => prompts.map(({ promptIds }) => ({ promptIds, pair })));
  return [
    ...ragged(
      'prompt',
      rows.map(({ promptIds }) => promptIds),
    ),
    column(
      'pair',
      'I32',
      rows.map(({ pair }) => pair),
    ),
  ];
}

/** One number for each response token, by the offsets of the responses. */
function estimateTensors(estimates: readonly TokenEstimate[]): TensorToWrite[] {
  const names = Object.keys(estimates[0]!) as (keyof TokenEstimate)[];
  return names.map((name) =>
    column(
      name,
      'F32',
      estimates.flatMap((estimate) => [...estimate[name]!]),
    ),
  );
}

/** As pairs, without the prompt that is not asked for; `user` numbers the users, over whom the loss is a mean. */
function heldOutTensors({ pairs, users }: HeldOut): TensorToWrite[] {
  const numbers = new Map([...new Set(users)].map((user, i) => [user, i]));
  return [
    ...ragged(
      'prompt',
      pairs.map(({ withHistoryIds }) => withHistoryIds),
    ),
    ...ragged(
      'response',
      pairs.map(({ responseIds }) => responseIds),
    ),
    ...flagColumns(pairs),
    column(
      'user',
      'I32',
      users.map((user) => numbers.get(user)!),
    ),
  ];
}
