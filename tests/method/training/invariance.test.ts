/** @file What must not change a training step: how examples are cut into microbatches, padded, or met by others. */
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/base/random.ts';
import type { ObjectiveName } from '../../../src/method/objectives/objectives.ts';
import { planObjective } from '../../../src/method/objectives/plan.ts';
import { collate } from '../../../src/method/prompts/collate.ts';
import type { PromptPair } from '../../../src/method/prompts/pair.ts';
import { type PassBatch, type TrainingBatch, trainingBatch } from '../../../src/method/training/batch.ts';
import { withNoise } from '../../../src/method/training/dropout-noise.ts';
import { createTrainingGraph, type TrainingGraph } from '../../../src/method/training/training-graph.ts';
import { largestDifference } from '../../support/engine.ts';
import { randomPairs, tinyModel } from '../../support/tiny-model.ts';

/** The same f32 numbers in other orders of summation. */
const TOLERANCE = 1e-6;

const model = await tinyModel();
const pairs = randomPairs(6);
const bothPasses = ['withHistory', 'withoutHistory'] as const;

/** Loss, parts and gradients of one step over microbatches. */
async function stepOf(graph: TrainingGraph, batches: readonly TrainingBatch[], examples: number) {
  graph.parameters.gradients.fill(0);
  const sums: Record<string, number> = {};
  for (const batch of batches)
    for (const [name, value] of Object.entries(await graph.accumulate(batch, examples)))
      sums[name] = (sums[name] ?? 0) + value;
  const { gradients, size } = graph.parameters;
  return { sums, gradients: { data: gradients.slice(), shape: [size] } };
}

function expectEqual(a: Awaited<ReturnType<typeof stepOf>>, b: Awaited<ReturnType<typeof stepOf>>) {
  expect(Object.keys(a.sums)).toEqual(Object.keys(b.sums));
  for (const [name, value] of Object.entries(a.sums))
    expect(Math.abs(value - b.sums[name]!) / (1 + Math.abs(value)), name).toBeLessThan(TOLERANCE);
  expect(largestDifference(a.gradients, b.gradients)).toBeLessThan(TOLERANCE);
  expect(a.gradients.data.some((value) => value !== 0)).toBe(true);
}

/** Moves B of adapters away from its start, where nothing depends on A. */
function awayFromStart({ parameters }: TrainingGraph): void {
  const random = randomStream(1, 'tests/away');
  parameters.weights.forEach((value, i, weights) => {
    weights[i] = value + random.normal() / 8;
  });
}

function padded(rows: readonly PromptPair[], side: 'left' | 'right'): TrainingBatch {
  const pass = (ids: 'withHistoryIds' | 'withoutHistoryIds') =>
    collate(
      rows.map((pair) => ({ promptIds: pair[ids], responseIds: pair.responseIds })),
      { padId: 0, side },
    );
  return {
    hasHistory: rows.map((pair) => pair.hasHistory),
    withHistory: pass('withHistoryIds'),
    withoutHistory: pass('withoutHistoryIds'),
  };
}

describe.each<ObjectiveName>([
  'sft',
  'sft-no-history',
  'nextquill-code',
  'nextquill-paper',
  'nextquill-js',
  'perce',
])('a step of %s', (objective) => {
  const open = () => createTrainingGraph({ model, objective: planObjective(objective), seed: 0, threads: 1 });
  const cut = (graph: TrainingGraph, rows: readonly PromptPair[]) => trainingBatch(rows, graph.passes, 0);

  it('is the same in one batch as in microbatches of any size', async () => {
    await using graph = await open();
    const whole = await stepOf(graph, [cut(graph, pairs)], 6);
    const ones = pairs.map((pair) => cut(graph, [pair]));
    expectEqual(await stepOf(graph, ones, 6), whole);
    const uneven = [cut(graph, pairs.slice(0, 1)), cut(graph, pairs.slice(1, 6))];
    expectEqual(await stepOf(graph, uneven, 6), whole);
  });

  it('is the same padded on the left as on the right', async () => {
    await using graph = await open();
    const right = await stepOf(graph, [padded(pairs, 'right')], 6);
    expectEqual(await stepOf(graph, [padded(pairs, 'left')], 6), right);
  });

  it('is the same whatever the order of its examples', async () => {
    await using graph = await open();
    const given = await stepOf(graph, [cut(graph, pairs)], 6);
    expectEqual(await stepOf(graph, [cut(graph, pairs.toReversed())], 6), given);
  });
});

describe('a step over examples without history', () => {
  const bare = pairs.map((pair) => ({
    ...pair,
    withHistoryIds: pair.withoutHistoryIds,
    hasHistory: false,
    historyItemsUsed: 0,
  }));

  it.each<ObjectiveName>(['nextquill-code', 'nextquill-paper', 'nextquill-js', 'perce'])(
    'is plain cross-entropy for %s, with no difference term',
    async (objective) => {
      await using graph = await createTrainingGraph({
        model,
        objective: planObjective(objective),
        seed: 0,
        threads: 1,
      });
      await using plain = await createTrainingGraph({
        model,
        objective: planObjective('sft'),
        seed: 0,
        threads: 1,
      });
      const ours = await stepOf(graph, [trainingBatch(bare, graph.passes, 0)], 6);
      const theirs = await stepOf(plain, [trainingBatch(bare, plain.passes, 0)], 6);
      expect(ours.sums.loss).toBeCloseTo(theirs.sums.loss!, 5);
      expect(largestDifference(ours.gradients, theirs.gradients)).toBeLessThan(TOLERANCE);
      expect(ours.sums.logitDifference ?? 0).toBe(0);
    },
  );
});

describe('a step of adapters with dropout', () => {
  const lora = { rank: 4, loraAlpha: 8, targetModules: ['q_proj', 'down_proj'], dropout: 0.5 };
  const open = () =>
    createTrainingGraph({ model, objective: planObjective('nextquill-code'), lora, seed: 0, threads: 1 });
  const cut = (rows: readonly number[], step = 1) =>
    withNoise(
      trainingBatch(
        rows.map((row) => pairs[row]!),
        bothPasses,
        0,
      ),
      (row) => randomStream(0, `lora/dropout/${step}/${rows[row]}`),
    );
  const everything = [0, 1, 2, 3, 4, 5];

  it('is the same in one batch as in microbatches, and has other masks in the next step', async () => {
    await using graph = await open();
    awayFromStart(graph);
    const whole = await stepOf(graph, [cut(everything)], 6);
    expectEqual(await stepOf(graph, [cut([4]), cut([0, 5, 2]), cut([3, 1])], 6), whole);
    expect(await stepOf(graph, [cut(everything)], 6)).toEqual(whole);
    const next = await stepOf(graph, [cut(everything, 2)], 6);
    expect(largestDifference(next.gradients, whole.gradients)).toBeGreaterThan(100 * TOLERANCE);
  });

  it('hides the same from a response token in both passes, and something else from every other token', () => {
    const { withHistory, withoutHistory } = cut(everything);
    const seen = ({ noise, responseRows }: PassBatch) => [...responseRows].map((row) => noise![Number(row)]!);
    expect(seen(withHistory!)).toEqual(seen(withoutHistory!));
    const tokens = [...withHistory!.noise!].filter((_, i) => withHistory!.attentionMask[i] === 1);
    expect(new Set(tokens).size).toBe(tokens.length);
  });
});

describe('a step whose layers are computed again', () => {
  const lora = { rank: 4, loraAlpha: 8, targetModules: ['q_proj', 'down_proj'], dropout: 0.5 };
  const batch = withNoise(trainingBatch(pairs, bothPasses, 0), (row) => randomStream(0, `again/${row}`));

  it.each([
    ['all weights', undefined],
    ['adapters with dropout', lora],
  ])('has the same gradients of %s', async (_, adapter) => {
    const stepWith = async (recompute: boolean) => {
      const options = { model, objective: planObjective('nextquill-code'), seed: 0, threads: 1, recompute };
      await using graph = await createTrainingGraph(
        adapter === undefined ? options : { ...options, lora: adapter },
      );
      if (adapter !== undefined) awayFromStart(graph);
      return await stepOf(graph, [batch, batch], 6);
    };
    expectEqual(await stepWith(true), await stepWith(false));
  });
});
