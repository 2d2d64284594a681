/** @file Which examples each step sees: a pure function of the seed, so that a resumed run needs no saved state. */
import { randomStream } from '../../base/random.ts';

export interface PlanOptions {
  /** Length of each example in tokens: examples of like length share a microbatch. */
  readonly lengths: readonly number[];
  /** Examples of one microbatch. */
  readonly batchSize: number;
  /** Microbatches of one step. */
  readonly gradientAccumulation: number;
  readonly seed: number;
}

/** Steps whose examples are sorted by length together before they are cut into microbatches. */
const STEPS_SORTED_TOGETHER = 8;

/**
 * The steps of one epoch, each a list of microbatches of example indices; every example occurs once.
 * The last step may hold fewer examples.
 * @param epoch 0 for the first; each has its own order
 */
export function planEpoch(
  { lengths, batchSize, gradientAccumulation, seed }: PlanOptions,
  epoch: number,
): number[][][] {
  const random = randomStream(seed, `training/order/${epoch}`);
  const order = random.shuffle(lengths.map((_, index) => index));
  const perStep = batchSize * gradientAccumulation;
  const steps: number[][][] = [];
  for (let start = 0; start < order.length; start += perStep * STEPS_SORTED_TOGETHER) {
    // Shuffled, then sorted by length: examples of a microbatch need little padding, and which ones meet is random.
    const window = order.slice(start, start + perStep * STEPS_SORTED_TOGETHER);
    const batches = chunks(
      window.toSorted((a, b) => lengths[a]! - lengths[b]! || a - b),
      batchSize,
    );
    // The incomplete microbatch, if any, stays last so that all steps but the last are full.
    const incomplete = batches.at(-1)!.length < batchSize ? batches.splice(-1) : [];
    steps.push(...chunks([...random.shuffle(batches), ...incomplete], gradientAccumulation));
  }
  return steps;
}

/** Number of steps of one epoch. */
export function stepsPerEpoch({
  lengths,
  batchSize,
  gradientAccumulation,
}: Omit<PlanOptions, 'seed'>): number {
  return Math.ceil(lengths.length / (batchSize * gradientAccumulation));
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}
