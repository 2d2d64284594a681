/** @file The training loop: steps of microbatches, clipping, the optimizer and its schedule. No I/O of its own. */
import { breathe } from '../../base/breathe.ts';
import { EngineError, throwIfAborted } from '../../base/errors.ts';
import { randomStream } from '../../base/random.ts';
import type { LoraOptions } from '../../engine/models/parameters.ts';
import { createAdamW } from '../../engine/optim/adamw.ts';
import { learningRateAt, type Schedule } from '../../engine/optim/learning-rate.ts';
import type { ObjectivePlan } from '../objectives/plan.ts';
import type { RowCost } from '../prompts/packed-rows.ts';
import type { PromptPair } from '../prompts/pair.ts';
import { addTokens, type TokenCount } from '../scoring/token-count.ts';
import { type TrainingBatch, tokensOfBatch, trainingBatch } from './batch.ts';
import { withNoise } from './dropout-noise.ts';
import type { Estimator } from './estimators.ts';
import { ofFitted } from './given-effects.ts';
import { packedMicrobatches } from './packing.ts';
import { epochPlans, type StepOptions, stepsPerEpoch } from './plan.ts';
import type { TrainingGraph } from './training-graph.ts';

/** Numbers of the loop; defaults are the reference code's where it has one. */
export interface LoopOptions extends StepOptions {
  readonly learningRate: number;
  readonly schedule: Schedule;
  readonly warmupRatio: number;
  readonly weightDecay: number;
  readonly maxGradientNorm: number;
  /** AdamW's second decay; 0.999 by default. */
  readonly beta2?: number;
  /** The adapter; its dropout takes masks with each microbatch. */
  readonly lora?: LoraOptions;
  readonly epochs: number;
  /** Ends the run earlier; the schedule ends with it. */
  readonly maxSteps?: number;
  readonly threads?: number;
  /** The last step that has been taken already; 0 for a fresh run. */
  readonly startStep?: number;
  readonly padId: number;
  /** Its losses on effects may begin late and grow over the steps. */
  readonly objective?: ObjectivePlan;
  /** Who estimates the effects of tokens, where the model in training does not alone. */
  readonly tokenEstimator?: Estimator;
  /** What a row costs, where rows are packed: see packing.ts. Without, every example has a row of its own. */
  readonly rowCost?: RowCost | undefined;
  readonly signal?: AbortSignal;
}

/** What one step did. The count of tokens is absent where another engine took the step. */
export interface StepRecord extends Partial<TokenCount> {
  /** 1 for the first. */
  readonly step: number;
  readonly totalSteps: number;
  readonly epoch: number;
  /** Loss of the step and its parts, nats, means over examples. */
  readonly loss: number;
  readonly parts: Readonly<Record<string, number>>;
  readonly learningRate: number;
  readonly gradientNorm: number;
  readonly examples: number;
  /** Tokens of the examples in all passes, padding not counted, whether they were computed or saved. */
  readonly tokens: number;
}

/** Steps of a run of `examples` examples. */
export function totalSteps(
  examples: number,
  options: Pick<LoopOptions, 'batchSize' | 'gradientAccumulation' | 'epochs' | 'maxSteps'>,
): number {
  const { maxSteps = Number.POSITIVE_INFINITY, epochs } = options;
  return Math.min(maxSteps, stepsPerEpoch(examples, options) * epochs);
}

/** What is fixed of a step before it is taken. */
export interface PlannedStep {
  /** 1 for the first. */
  readonly step: number;
  readonly epoch: number;
  /** Indices of pairs. */
  readonly microbatches: readonly (readonly number[])[];
  readonly learningRate: number;
  /** Factor of losses on effects. */
  readonly effectScale: number;
}

/** The steps after `startStep`: a function of the pairs, the numbers of the loop and the seed alone. */
export function* plannedSteps(
  pairs: readonly PromptPair[],
  options: Omit<LoopOptions, 'padId'>,
  startStep = 0,
): Generator<PlannedStep, void> {
  const total = totalSteps(pairs.length, options);
  const perEpoch = stepsPerEpoch(pairs.length, options);
  const planOf = epochPlans(pairs, options);
  let plan: number[][][] = [];
  for (let step = startStep + 1; step <= total; step++) {
    const epoch = Math.floor((step - 1) / perEpoch);
    const place = (step - 1) % perEpoch;
    if (place === 0 || plan.length === 0) plan = planOf(epoch);
    yield {
      step,
      epoch,
      microbatches: plan[place]!,
      learningRate: learningRateAt(step, { ...options, totalSteps: total }),
      effectScale: effectScaleAt(step, total, options),
    };
  }
}

/**
 * Trains in place and yields each step after its update.
 * A run that starts at `startStep` with the weights and moments of that step continues exactly as one never stopped.
 * @throws {EngineError} when the loss or the gradients are not finite; the weights are then those of the step before
 * @throws {AbortedError} between steps, when the signal says so
 */
export async function* trainingLoop(
  graph: TrainingGraph,
  pairs: readonly PromptPair[],
  options: LoopOptions,
): AsyncGenerator<StepRecord, void> {
  const { startStep = 0, signal, tokenEstimator, rowCost, batchSize } = options;
  const { passes } = graph;
  const total = totalSteps(pairs.length, options);
  await using optimizer = await createAdamW(options);
  /** The microbatch as the graph takes it in a step: passes, masks of dropout, estimates. */
  const batchOf = async (microbatch: readonly number[], step: number): Promise<TrainingBatch> => {
    const rows = microbatch.map((index) => pairs[index]!);
    const plain = trainingBatch(rows, passes, options.padId, rowCost);
    const estimates = await tokenEstimator?.estimates(microbatch);
    const batch =
      (options.lora?.dropout ?? 0) > 0
        ? withNoise(plain, (row) => randomStream(options.seed, `lora/dropout/${step}/${microbatch[row]}`))
        : plain;
    if (estimates === undefined) return batch;
    return { ...batch, estimates: estimates.map((estimate, i) => ofFitted(estimate, rows[i]!)) };
  };
  for (const planned of plannedSteps(pairs, options, startStep)) {
    throwIfAborted(signal);
    const { step, epoch, microbatches: drawn, learningRate, effectScale } = planned;
    const examples = drawn.reduce((sum, microbatch) => sum + microbatch.length, 0);
    const microbatches = rowCost ? packedMicrobatches(drawn, pairs, { passes, batchSize, rowCost }) : drawn;
    if (graph.accumulates) graph.parameters.gradients.fill(0);
    const sums: Record<string, number> = {};
    let tokens: TokenCount = { tokensComputed: 0, tokensSaved: 0 };
    for (const microbatch of microbatches) {
      const batch = await batchOf(microbatch, step);
      for (const [name, share] of Object.entries(await graph.accumulate(batch, examples, effectScale)))
        sums[name] = (sums[name] ?? 0) + share;
      const rows = microbatch.map((index) => pairs[index]!);
      tokens = addTokens(tokens, tokensOfBatch(batch, rows, passes));
      await breathe(signal);
    }
    const gradientNorm = checkedNorm(await optimizer.gradientNorm(graph.parameters), step);
    await optimizer.update(graph.parameters, step, learningRate, gradientNorm);
    tokenEstimator?.afterStep();
    const { loss, ...parts } = sums;
    yield {
      step,
      totalSteps: total,
      epoch,
      loss: loss!,
      parts,
      learningRate,
      gradientNorm,
      examples,
      tokens: tokens.tokensComputed + tokens.tokensSaved,
      ...tokens,
    };
  }
}

function checkedNorm(norm: number, step: number): number {
  if (Number.isFinite(norm)) return norm;
  throw new EngineError(`step ${step}: gradient norm: expected a finite number, got ${norm}`, {
    code: 'training/nan-gradient',
    hint: 'Lower the learning rate and resume from the last checkpoint.',
  });
}

/** Factor of losses on effects in a step: 0 over a share of all steps, growing over another, 1 from there on. */
export function effectScaleAt(
  step: number,
  total: number,
  { objective }: Pick<LoopOptions, 'objective'>,
): number {
  if (objective === undefined) return 1;
  const { effectStart, effectWarmup } = objective.options;
  const taken = step - effectStart * total;
  const warmup = effectWarmup * total;
  if (taken <= 0) return 0;
  return warmup > 0 ? Math.min(1, taken / warmup) : 1;
}
