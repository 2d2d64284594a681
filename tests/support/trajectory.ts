/** @file Steps of training on given token ids, as the goldens of PyTorch's trajectories take them. */
import type { Adapter } from '../../src/engine/lora/adapter-folder.ts';
import type { Model } from '../../src/engine/models/model.ts';
import { createAdamW } from '../../src/engine/optim/adamw.ts';
import { viewsOf } from '../../src/engine/optim/flat-parameters.ts';
import type { ObjectiveOptions } from '../../src/method/objectives/objective-options.ts';
import type { ObjectiveName } from '../../src/method/objectives/objectives.ts';
import { planObjective } from '../../src/method/objectives/plan.ts';
import type { PromptPair } from '../../src/method/prompts/pair.ts';
import { trainingBatch } from '../../src/method/training/batch.ts';
import { createTrainingGraph } from '../../src/method/training/training-graph.ts';

/** What a golden of a trajectory says about its steps: one batch each. */
export interface TrajectoryGolden {
  readonly settings: { learningRate: number; weightDecay: number; maxNorm: number };
  readonly batches: Pick<
    PromptPair,
    'withHistoryIds' | 'withoutHistoryIds' | 'responseIds' | 'otherHistoryIds' | 'furtherHistoryIds'
  >[][];
}

export interface TrajectoryOptions {
  readonly model: Model;
  readonly objective: ObjectiveName;
  readonly objectiveOptions?: ObjectiveOptions;
  /** What training starts from; all weights of the model are trained when absent. */
  readonly adapter?: Adapter | undefined;
  /** Moves every label by so many tokens: a fault that must show. */
  readonly shift?: number;
  /** 1 by default. */
  readonly threads?: number;
}

const pairOf = (ids: TrajectoryGolden['batches'][number][number]): PromptPair => ({
  ...ids,
  responseStarts: [],
  responseEnds: [],
  historyItemsUsed: 1,
  hasHistory: true,
});

/** Losses before each update, gradient norms before clipping, and the trained tensors at the end. */
export async function trainTrajectory(
  { settings, batches }: TrajectoryGolden,
  { model, objective, objectiveOptions, adapter, shift = 0, threads = 1 }: TrajectoryOptions,
) {
  await using graph = await createTrainingGraph({
    model,
    objective: planObjective(objective, objectiveOptions),
    seed: 0,
    threads,
    ...(adapter === undefined ? {} : { lora: adapter.lora }),
  });
  // PyTorch decays every tensor, norms too.
  const parameters = { ...graph.parameters, decayed: graph.parameters.size };
  const tensors = viewsOf(parameters, parameters.weights);
  for (const [name, { data }] of Object.entries(adapter?.tensors ?? {})) tensors[name]!.data.set(data);
  await using optimizer = await createAdamW({
    weightDecay: settings.weightDecay,
    maxGradientNorm: settings.maxNorm,
    threads,
  });
  const losses: number[] = [];
  const norms: number[] = [];
  for (const [index, batch] of batches.entries()) {
    parameters.gradients.fill(0);
    const pairs = batch.map(pairOf);
    const passes = trainingBatch(pairs, graph.passes, 0);
    for (const pass of [passes.withHistory, passes.withoutHistory])
      for (let s = 0; s < (pass?.responseRows.length ?? 0); s++) pass!.responseRows[s]! -= BigInt(shift);
    losses.push((await graph.accumulate(passes, pairs.length)).loss!);
    const norm = await optimizer.gradientNorm(parameters);
    norms.push(norm);
    await optimizer.update(parameters, index + 1, settings.learningRate, norm);
  }
  return { losses, norms, tensors };
}

/** The largest difference between numbers at the same place. */
export const largestGap = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
