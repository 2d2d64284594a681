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

/**
 * The items that a run of at most `maxSteps` steps can see: all of them, or where one epoch is more, as many as the steps
 * take, drawn by the seed and in their own order. Prompts are then made of these alone.
 */
export function itemsOfRun<T>(
  items: readonly T[],
  {
    maxSteps,
    batchSize,
    gradientAccumulation,
    seed,
  }: Pick<PlanOptions, 'batchSize' | 'gradientAccumulation' | 'seed'> & { readonly maxSteps?: number },
): readonly T[] {
  const seen = (maxSteps ?? Number.POSITIVE_INFINITY) * batchSize * gradientAccumulation;
  if (seen >= items.length) return items;
  const drawn = randomStream(seed, 'training/items').shuffle(items.map((_, index) => index));
  return drawn
    .slice(0, seen)
    .sort((a, b) => a - b)
    .map((index) => items[index]!);
}

/** Number of steps of one epoch over some examples. */
export function stepsPerEpoch(
  examples: number,
  { batchSize, gradientAccumulation }: Pick<PlanOptions, 'batchSize' | 'gradientAccumulation'>,
): number {
  return Math.ceil(examples / (batchSize * gradientAccumulation));
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}
