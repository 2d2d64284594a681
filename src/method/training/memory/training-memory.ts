/** @file The memory of a run: what it has needed, what it will need, and what the machine can give. */
import { freemem } from 'node:os';
import { bytesOfBase } from '../../../engine/quantisation/layout.ts';
import type { PromptPair } from '../../prompts/pair.ts';
import { type TrainingBatch, withEachPass } from '../batch.ts';
import { planEpoch } from '../plan.ts';
import { trainingBatch } from '../trainer.ts';
import { type TrainingGraphOptions, trainingExpressions } from '../training-graph.ts';
import { estimatorMemory, evaluationMemory } from './estimator-memory.ts';
import { sessionMemory } from './session-memory.ts';

/**
 * Peak resident size of this process since it began, bytes. Pages of mapped weight files that were touched count too,
 * and so does whatever the process did before the run.
 */
export function peakMemoryBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

/** Bytes that a run needs at its peak, by what needs them. */
export interface MemoryPrediction {
  /** Resident before the run: the program itself, the data, the tokenizer. */
  readonly process: number;
  /** Pages of the frozen weights' file: shared between processes, and taken back by the system when it must. */
  readonly mappedWeights: number;
  /** Trained tensors, their gradients and both moments of AdamW. */
  readonly trained: number;
  /** What the largest microbatch keeps for the backward pass, logits, and what ONNX Runtime's arena adds. */
  readonly activations: number;
  /** The compiled graph. */
  readonly graph: number;
  /** What the sessions of an estimator add to the peak; 0 without one. */
  readonly estimator: number;
  /** What the session that measures the held-out loss adds; 0 without one. */
  readonly evaluation: number;
  readonly total: number;
}

/** Weights, gradients and two moments, f32. */
const TRAINED_BYTES = 4 * 4;

/** What decides about the size of microbatches. */
export interface BatchShape {
  readonly batchSize: number;
  readonly gradientAccumulation: number;
  readonly epochs: number;
  readonly seed: number;
}

/**
 * Predicts the peak of a run from its graph and its largest microbatches.
 * @param heldOut what its held-out loss is measured on
 * Cost: builds the graph's expressions, and walks them for each of three microbatches at most.
 */
export function predictMemory(
  options: TrainingGraphOptions,
  pairs: readonly PromptPair[],
  shape: BatchShape,
  heldOut: readonly PromptPair[] = [],
): MemoryPrediction {
  const { model } = options;
  const { outputs, trainable, passes, feeds } = trainingExpressions(options);
  const trainedCount = [...trainable.values()].reduce((sum, { shape }) => sum + count(shape as number[]), 0);
  // The starting model's logits, as they come out and as they go in.
  const { needs, estimator } = options.objective;
  const anchorBytes = ({ withoutHistory }: TrainingBatch) =>
    needs.anchor ? 2 * 4 * withoutHistory!.targets.length * model.config.vocabularySize : 0;
  const microbatches = largestMicrobatches(pairs, shape).map((batch) => batch.map((index) => pairs[index]!));
  const runs = microbatches.map((rows) => {
    const batch = silentNoise(trainingBatch(rows, passes, model.tokenizer.padId));
    return { feeds: feeds(batch, rows.length), beside: anchorBytes(batch) };
  });
  const { weights, activations, graph } = sessionMemory(outputs, runs);
  const parts = {
    process: process.memoryUsage.rss(),
    mappedWeights: model.quantised === undefined ? weights : bytesOfBase(model.quantised, model.parameters),
    trained: (TRAINED_BYTES + (estimator === 'moving-average' ? 4 : 0)) * trainedCount,
    activations,
    graph,
  };
  const { during, before } = estimatorMemory(options, pairs, microbatches);
  const evaluation = evaluationMemory(options, heldOut);
  // What runs before the first step is gone by then.
  const sessions = during + Math.max(0, before - during - evaluation - parts.trained - activations - graph);
  const all = { ...parts, estimator: sessions, evaluation };
  return { ...all, total: Object.values(all).reduce((sum, bytes) => sum + bytes, 0) };
}

const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** The microbatches with the most tokens with history, without, and with the most response tokens. */
function largestMicrobatches(pairs: readonly PromptPair[], shape: BatchShape): number[][] {
  const lengths = pairs.map((pair) => pair.withHistoryIds.length + pair.responseIds.length);
  const shorter = pairs.map((pair) => pair.withoutHistoryIds.length + pair.responseIds.length);
  const most = (of: (index: number) => number) => (batch: readonly number[]) =>
    batch.length * Math.max(...batch.map(of));
  const measures = [
    most((index) => lengths[index]!),
    most((index) => shorter[index]!),
    (batch: readonly number[]) => batch.reduce((sum, index) => sum + pairs[index]!.responseIds.length, 0),
  ];
  const largest = measures.map(() => ({ size: 0, batch: [] as number[] }));
  for (let epoch = 0; epoch < shape.epochs; epoch++)
    for (const batch of planEpoch({ ...shape, lengths }, epoch).flat())
      measures.forEach((measure, i) => {
        const size = measure(batch);
        if (size > largest[i]!.size) largest[i] = { size, batch };
      });
  return [...new Set(largest.map(({ batch }) => batch))];
}

/** For graphs that drop: sizes are all that is asked. */
function silentNoise(batch: TrainingBatch): TrainingBatch {
  return withEachPass(batch, (pass) => ({ ...pass, noise: new BigInt64Array(pass.batch * pass.length) }));
}

/** Bytes that this process may have in all: what it has, and what the machine or its container has left. */
export function memoryLimit(): number {
  // The container's limit; absent before Node 20.13 and where there is none.
  const contained = process.availableMemory?.() ?? Number.POSITIVE_INFINITY;
  return process.memoryUsage.rss() + Math.min(freemem(), contained);
}
