/** @file The memory of a run: what it has needed, what it will need, and what the machine can give. */
import { freemem } from 'node:os';
import { bytesOfBase } from '../../../engine/quantisation/layout.ts';
import type { PassName } from '../../objectives/plan.ts';
import { packedRows, type RowCost } from '../../prompts/packed-rows.ts';
import type { PromptPair } from '../../prompts/pair.ts';
import { tokensOf } from '../../prompts/shared-prefixes.ts';
import { promptsOfPass, type TrainingBatch, trainingBatch, withEachPass } from '../batch.ts';
import { packedMicrobatches, trainingRowCost } from '../packing.ts';
import { epochPlans, type StepOptions } from '../plan.ts';
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
  /**
   * How much of it lies on a graphics card: all but the process itself and what is trained, whose master copy the processor
   * keeps and updates. 0 on the processor. What the card has, ONNX Runtime does not tell: nothing is refused by it.
   */
  readonly onCard: number;
}

/** Weights, gradients and two moments, f32. */
const TRAINED_BYTES = 4 * 4;

/** What decides about the size of microbatches. */
export interface BatchShape extends StepOptions {
  readonly epochs: number;
  /** Whether rows are packed; false by default. */
  readonly packing?: boolean;
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
  const rowCost = shape.packing ? trainingRowCost(model) : undefined;
  const microbatches = largestMicrobatches(pairs, shape, passes, rowCost).map((batch) =>
    batch.map((index) => pairs[index]!),
  );
  const runs = microbatches.map((rows) => {
    const batch = silentNoise(trainingBatch(rows, passes, model.tokenizer.padId, rowCost));
    return { feeds: feeds(batch, rows.length), beside: anchorBytes(batch) };
  });
  const { weights, activations, graph } = sessionMemory(outputs, runs);
  const parts = {
    process: process.memoryUsage.rss() + LOADED_LATER_BYTES,
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
  const total = Object.values(all).reduce((sum, bytes) => sum + bytes, 0);
  const isOnCard = (model.device ?? 'cpu') !== 'cpu';
  return { ...all, total, onCard: isOnCard ? total - parts.process - parts.trained : 0 };
}

/**
 * What a process takes after the prediction that no value of the graph holds: ONNX Runtime's library (13 MB when it is loaded) and what
 * making its graph leaves behind. Fresh runs of the embedded model needed 57 to 90 MB more than was predicted without it.
 */
const LOADED_LATER_BYTES = 30e6;

const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** The microbatches with the most padded tokens of each pass, and with the most response tokens. */
function largestMicrobatches(
  pairs: readonly PromptPair[],
  shape: BatchShape,
  passes: readonly PassName[],
  rowCost: RowCost | undefined,
): number[][] {
  const { batchSize, epochs } = shape;
  const sizes: ((index: number) => number)[] = passes.map((pass) => (index) => {
    const { promptIds, responseIds } = promptsOfPass([pairs[index]!], pass)[0]!;
    return promptIds.length + responseIds.length;
  });
  const padded = (indices: readonly number[], pass: number) => {
    if (rowCost === undefined) return indices.length * Math.max(...indices.map(sizes[pass]!));
    const some = indices.map((index) => pairs[index]!);
    const { layout, length } = packedRows(promptsOfPass(some, passes[pass]!).map(tokensOf), rowCost);
    return layout.length * length;
  };
  const responses = (index: number) => pairs[index]!.responseIds.length;
  const measures = [
    ...passes.map((_, pass) => (indices: readonly number[]) => padded(indices, pass)),
    (indices: readonly number[]) => indices.reduce((sum, index) => sum + responses(index), 0),
  ];
  /** What no microbatch of these examples exceeds. */
  const bounds = [...sizes, responses].map(
    (size) => (indices: readonly number[]) => batchSize * Math.max(...indices.map(size)),
  );
  const largest = measures.map(() => ({ size: 0, batch: [] as readonly number[] }));
  const planOf = epochPlans(pairs, shape);
  for (let epoch = 0; epoch < epochs; epoch++)
    for (const drawn of planOf(epoch)) {
      const step = drawn.flat();
      if (bounds.every((bound, i) => bound(step) <= largest[i]!.size)) continue;
      const microbatches = rowCost ? packedMicrobatches(drawn, pairs, { ...shape, passes, rowCost }) : drawn;
      for (const batch of microbatches)
        measures.forEach((measure, i) => {
          const size = measure(batch);
          if (size > largest[i]!.size) largest[i] = { size, batch };
        });
    }
  return [...new Set(largest.map(({ batch }) => batch))].map((batch) => [...batch]);
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
