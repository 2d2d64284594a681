/** @file Which examples each step sees: a pure function of the seed, so that a resumed run needs no saved state. */
import { groupBy } from '../../base/group-by.ts';
import { type RandomStream, randomStream } from '../../base/random.ts';
import type { PromptPair } from '../prompts/pair.ts';
import { groupsByPrefix } from '../prompts/shared-prefixes.ts';

export interface PlanOptions {
  /** Length of each example in tokens: examples of like length share a microbatch. */
  readonly lengths: readonly number[];
  /** Examples of one microbatch. */
  readonly batchSize: number;
  /** Microbatches of one step. */
  readonly gradientAccumulation: number;
  readonly seed: number;
  /** All examples in groups that are kept in one step where they fit; each is drawn by itself when absent. */
  readonly groups?: readonly (readonly number[])[] | undefined;
}

/** What the steps of a run follow from, beside its pairs. */
export interface StepOptions extends Pick<PlanOptions, 'batchSize' | 'gradientAccumulation' | 'seed'> {
  /** Keeps examples whose prompts with history begin alike in one step; false by default. */
  readonly groupByPrefix?: boolean;
}

/** The steps of any epoch over some pairs. */
export function epochPlans(
  pairs: readonly PromptPair[],
  options: StepOptions,
): (epoch: number) => number[][][] {
  const lengths = pairs.map((pair) => pair.withHistoryIds.length + pair.responseIds.length);
  const groups = options.groupByPrefix
    ? groupsByPrefix(pairs.map(({ withHistoryIds }) => Int32Array.from(withHistoryIds)))
    : undefined;
  return (epoch) => planEpoch({ ...options, lengths, groups }, epoch);
}

/** Steps whose examples are sorted by length together before they are cut into microbatches. */
const STEPS_SORTED_TOGETHER = 8;

/**
 * The steps of one epoch, each a list of microbatches of example indices; every example occurs once.
 * The last step may hold fewer examples.
 * @param epoch 0 for the first; each has its own order
 */
export function planEpoch(
  { lengths, batchSize, gradientAccumulation, seed, groups }: PlanOptions,
  epoch: number,
): number[][][] {
  const random = randomStream(seed, `training/order/${epoch}`);
  if (groups !== undefined)
    return stepsOfGroups(groups, batchSize * gradientAccumulation, random).map((step) =>
      chunks(byLength(step, lengths), batchSize),
    );
  const order = random.shuffle(lengths.map((_, index) => index));
  const perStep = batchSize * gradientAccumulation;
  const steps: number[][][] = [];
  for (let start = 0; start < order.length; start += perStep * STEPS_SORTED_TOGETHER) {
    // Shuffled, then sorted by length: examples of a microbatch need little padding, and which ones meet is random.
    const window = order.slice(start, start + perStep * STEPS_SORTED_TOGETHER);
    const batches = chunks(byLength(window, lengths), batchSize);
    // The incomplete microbatch, if any, stays last so that all steps but the last are full.
    const incomplete = batches.at(-1)!.length < batchSize ? batches.splice(-1) : [];
    steps.push(...chunks([...random.shuffle(batches), ...incomplete], gradientAccumulation));
  }
  return steps;
}

const byLength = (examples: readonly number[], lengths: readonly number[]) =>
  examples.toSorted((a, b) => lengths[a]! - lengths[b]! || a - b);

/** Steps of whole groups, in random order; a group is cut where no other one fills what is left of a step. */
function stepsOfGroups(
  groups: readonly (readonly number[])[],
  perStep: number,
  random: RandomStream,
): number[][] {
  const drawn = random.shuffle(groups.flatMap((group) => chunks(group, perStep)));
  // By size, each in the order drawn: the last is the next.
  const waiting = groupBy(
    drawn.map((group, turn) => ({ group, turn })).reverse(),
    ({ group }) => group.length,
  );
  const next = (room: number) => {
    const firsts = [...waiting].filter(([size, of]) => size <= room && of.length > 0);
    const size = firsts.toSorted(([, a], [, b]) => a.at(-1)!.turn - b.at(-1)!.turn)[0]?.[0];
    return size === undefined ? undefined : waiting.get(size)!.pop()!.group;
  };
  const steps: number[][] = [];
  let left = drawn.reduce((sum, { length }) => sum + length, 0);
  let rest: readonly number[] = [];
  while (left > 0) {
    const step = [...rest];
    rest = [];
    while (step.length < Math.min(perStep, left)) {
      const room = perStep - step.length;
      const group = next(room) ?? next(perStep)!;
      step.push(...group.slice(0, room));
      rest = group.slice(room);
    }
    left -= step.length;
    steps.push(step);
  }
  return steps;
}

/**
 * The items that a run of at most `maxSteps` steps can see: all of them, or where one epoch is more, as many as the steps
 * take, drawn by the seed and in their own order. Prompts are then made of these alone.
 * @param userOf whose item it is: with `groupByPrefix` all items of a user are drawn together
 */
export function itemsOfRun<T>(
  items: readonly T[],
  {
    maxSteps,
    batchSize,
    gradientAccumulation,
    seed,
    groupByPrefix = false,
  }: StepOptions & { readonly maxSteps?: number },
  userOf: (item: T) => string,
): readonly T[] {
  const seen = (maxSteps ?? Number.POSITIVE_INFINITY) * batchSize * gradientAccumulation;
  if (seen >= items.length) return items;
  const indices = items.map((_, index) => index);
  const together = groupByPrefix
    ? [...groupBy(indices, (index) => userOf(items[index]!)).values()]
    : indices.map((index) => [index]);
  return randomStream(seed, 'training/items')
    .shuffle(together)
    .flat()
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
