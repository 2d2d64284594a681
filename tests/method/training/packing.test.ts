/** @file Rows of training are packed: losses and gradients stay those of one row an example, by every architecture. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/base/errors.ts';
import { randomStream } from '../../../src/base/random.ts';
import { blockModules } from '../../../src/engine/lora/layers.ts';
import type { Model } from '../../../src/engine/models/model.ts';
import { viewsOf } from '../../../src/engine/optim/flat-parameters.ts';
import type { ObjectiveName } from '../../../src/method/objectives/objectives.ts';
import { planObjective } from '../../../src/method/objectives/plan.ts';
import type { RowCost } from '../../../src/method/prompts/packed-rows.ts';
import type { PromptPair } from '../../../src/method/prompts/pair.ts';
import { readManifest, writeManifest } from '../../../src/method/runs/manifest.ts';
import type { TrainEvent } from '../../../src/method/runs/run.ts';
import { readStepLog } from '../../../src/method/runs/step-log.ts';
import { resumePairs, type TrainPairsOptions, trainPairs } from '../../../src/method/runs/train.ts';
import { tokensOfBatch, trainingBatch } from '../../../src/method/training/batch.ts';
import { predictMemory } from '../../../src/method/training/memory/training-memory.ts';
import { packedMicrobatches } from '../../../src/method/training/packing.ts';
import { epochPlans, itemsOfRun } from '../../../src/method/training/plan.ts';
import { resolveSettings } from '../../../src/method/training/settings.ts';
import { createTrainingGraph } from '../../../src/method/training/training-graph.ts';
import { worst } from '../../support/engine.ts';
import { tinyModel } from '../../support/tiny-model.ts';
import { allEvents } from '../../support/train-runs.ts';

/** What was asked of losses and gradients: f32 sums over rows of other lengths. */
const TOLERANCE = 1e-5;

const random = randomStream(3, 'tests/packing');
// The smallest golden model knows 41 words and 16 positions.
const draw = (count: number) => Array.from({ length: count }, () => 3 + random.integer(38));
const header = draw(2);

/** The targets of one user whose history grows from one item on; the first is not fitted whole. */
function growing(targets: number): PromptPair[] {
  const items = Array.from({ length: targets }, () => draw(2));
  const stranger = draw(4);
  return items.map((_, target) => {
    const query = draw(1 + (target % 2));
    const response = [...draw(1 + (target % 3)), 2];
    return {
      withHistoryIds: [...header, ...items.slice(0, target + 1).flat(), ...query],
      withoutHistoryIds: [...header, ...query],
      ...(target !== 1 && { otherHistoryIds: [...header, ...stranger, ...query] }),
      responseIds: response,
      responseStarts: [],
      responseEnds: [],
      historyItemsUsed: target + 1,
      hasHistory: true,
      ...(target === 0 && { fitted: response.map((__, t) => t > 0) }),
    };
  });
}

const pairs = [growing(4), growing(2), growing(3)].flat();
/** What nine rows of one example each would not show: examples of three users, and short rows beside long ones. */
const mixed = [0, 4, 6, 1, 5, 7, 2, 8, 3].map((place) => pairs[place]!);

/** Rows as long as they like, so that as much is shared as can be. */
const linear = (tokens: number) => tokens;

/** Loss, its parts, and the gradient of each parameter, packed and one example a row. */
async function bothSteps(
  model: Model,
  objective: ObjectiveName,
  lora: { readonly rank: number; readonly loraAlpha: number } | undefined,
) {
  await using graph = await createTrainingGraph({
    model,
    objective: planObjective(objective),
    ...(lora && { lora: { ...lora, targetModules: blockModules(model) } }),
    seed: 0,
    threads: 1,
    accumulates: false,
  });
  const { parameters, passes } = graph;
  const away = randomStream(1, 'tests/away');
  parameters.weights.forEach((value, i, weights) => {
    weights[i] = value + away.normal() / 32;
  });
  const estimates = mixed.map(({ responseIds, fitted }) => ({
    startMargin: new Float32Array((fitted?.filter(Boolean) ?? responseIds).length),
  }));
  const stepOf = async (rowCost?: RowCost) => {
    const batch = trainingBatch(mixed, passes, 0, rowCost);
    const sums = await graph.accumulate({ ...batch, estimates }, mixed.length);
    const views = Object.entries(viewsOf(parameters, parameters.gradients));
    const gradients = new Map(views.map(([name, { data }]) => [name, (data as Float32Array).slice()]));
    return { sums, gradients, tokens: tokensOfBatch(batch, mixed, passes) };
  };
  return { packed: await stepOf(linear), apart: await stepOf() };
}

const norm = (values: Float32Array) => Math.hypot(...values);

describe('a packed step', () => {
  it.each<[string, ObjectiveName, 'adapters' | 'all weights']>([
    ['tiny-llama', 'nextquill-code', 'all weights'],
    ['tiny-llama', 'sft', 'adapters'],
    ['tiny-llama3', 'nextquill-code', 'adapters'],
    ['tiny-qwen2', 'nextquill-code', 'adapters'],
    ['tiny-qwen3', 'nextquill-code', 'adapters'],
    ['tiny-gemma3', 'mipo', 'adapters'],
    ['tiny-gpt2', 'nextquill-code', 'all weights'],
  ])('of %s has the loss and every gradient of %s with %s', async (name, objective, trained) => {
    const lora = trained === 'adapters' ? { rank: 4, loraAlpha: 8 } : undefined;
    const { packed, apart } = await bothSteps(await tinyModel(name), objective, lora);
    for (const [part, value] of Object.entries(apart.sums))
      expect(Math.abs(packed.sums[part]! - value) / (1 + Math.abs(value)), part).toBeLessThan(TOLERANCE);
    for (const [parameter, gradient] of apart.gradients) {
      const ours = packed.gradients.get(parameter)!;
      expect(Math.abs(norm(ours) - norm(gradient)) / (1 + norm(gradient)), parameter).toBeLessThan(TOLERANCE);
      expect(worst(ours, gradient), parameter).toBeLessThan(TOLERANCE);
    }
    expect([...apart.gradients.values()].some((gradient) => norm(gradient) > 1e-3)).toBe(true);
    const { tokensComputed, tokensSaved } = packed.tokens;
    expect(apart.tokens).toEqual({ tokensComputed: tokensComputed + tokensSaved, tokensSaved: 0 });
    expect(tokensSaved).toBeGreaterThan(0.25 * (tokensComputed + tokensSaved));
  });
});

const home = await mkdtemp(join(tmpdir(), 'nextquill-packing-'));
const model = await tinyModel();

/** 24 users of three targets each: 72 examples. */
const users = Array.from({ length: 24 }, () => growing(3));
const shared: Omit<TrainPairsOptions, 'out'> = {
  model,
  modelSource: 'tiny-llama',
  dataSource: 'growing histories',
  pairs: users.flat(),
  objective: 'nextquill-code',
  lora: { rank: 4, loraAlpha: 8, targetModules: ['q_proj', 'v_proj'] },
  learningRate: 1e-3,
  batchSize: 3,
  gradientAccumulation: 4,
  maxSteps: 4,
  checkpointEvery: 2,
  threads: 1,
  seed: 1,
};
let places = 0;
async function trained(changes: Partial<TrainPairsOptions>) {
  const out = join(home, `run-${places++}`);
  await allEvents(trainPairs({ ...shared, ...changes, out }));
  return { out, manifest: await readManifest(out), steps: await readStepLog(out) };
}

describe('a run whose rows are packed', () => {
  it('takes the steps of one that packs none, with fewer tokens, and records both', async () => {
    const packed = await trained({ groupByPrefix: true });
    const apart = await trained({ groupByPrefix: true, packing: false });
    expect(packed.manifest.recipe).toMatchObject({ packing: true, groupByPrefix: true });
    expect(apart.manifest.recipe).toMatchObject({ packing: false, groupByPrefix: true });
    for (const [i, step] of apart.steps.entries()) {
      const ours = packed.steps[i]!;
      expect(Math.abs(ours.loss - step.loss)).toBeLessThan(TOLERANCE);
      expect(Math.abs(ours.gradientNorm - step.gradientNorm)).toBeLessThan(TOLERANCE);
      expect(ours.examples).toBe(step.examples);
      expect(ours.tokens).toBe(step.tokens);
      expect(step.tokensSaved).toBe(0);
      expect(ours.tokensComputed! + ours.tokensSaved!).toBe(ours.tokens);
      expect(ours.tokensSaved! / ours.tokens).toBeGreaterThan(0.25);
    }
    const saved = packed.steps.reduce((sum, step) => sum + step.tokensSaved!, 0);
    expect(packed.manifest.summary).toMatchObject({ tokensSaved: saved });
  });

  it('is resumed as it was begun, also when it was begun before rows were packed', async () => {
    for (const packing of [true, false]) {
      const whole = await trained({ packing });
      const out = join(home, `run-${places++}`);
      const controller = new AbortController();
      const events = trainPairs({ ...shared, packing, out, signal: controller.signal });
      const stopped = (async () => {
        for await (const event of events as AsyncIterable<TrainEvent>)
          if (event.type === 'step' && event.step === 2) controller.abort();
      })();
      await expect(stopped).rejects.toMatchObject({ code: 'aborted' });
      const manifest = await readManifest(out);
      if (!packing) {
        // Manifests of 0.2.0 and before hold neither key.
        const { packing: _, groupByPrefix: __, ...recipe } = manifest.recipe;
        await writeManifest(out, { ...manifest, recipe: recipe as typeof manifest.recipe });
      }
      await allEvents(resumePairs(out, { model, pairs: shared.pairs }));
      const resumed = await readStepLog(out);
      expect(resumed.map(({ loss, gradientNorm }) => [loss, gradientNorm])).toEqual(
        whole.steps.map(({ loss, gradientNorm }) => [loss, gradientNorm]),
      );
      expect(resumed.every(({ tokensSaved }) => tokensSaved! > 0)).toBe(packing);
    }
  });

  it('packs nothing under dropout, and refuses to be asked for it', () => {
    const lora = { rank: 4, loraAlpha: 8, dropout: 0.1 };
    expect(resolveSettings({ lora }, model).packing).toBe(false);
    expect(resolveSettings({ lora: { ...lora, dropout: 0 } }, model).packing).toBe(true);
    expect(() => resolveSettings({ lora, packing: true }, model)).toThrow(ConfigError);
  });

  it('is predicted to need less memory than one that packs none', () => {
    const options = {
      model,
      objective: planObjective('nextquill-code'),
      lora: { rank: 4, loraAlpha: 8, targetModules: blockModules(model) },
      seed: 0,
    };
    const shape = { batchSize: 3, gradientAccumulation: 4, epochs: 1, seed: 0, groupByPrefix: true };
    const predicted = (packing: boolean) =>
      predictMemory(options, shared.pairs, { ...shape, packing }).activations;
    expect(predicted(true)).toBeLessThan(predicted(false));
  });
});

describe('the microbatches of a step', () => {
  const options = {
    passes: ['withHistory', 'withoutHistory'] as const,
    batchSize: 3,
    rowCost: linear,
  };

  it('are made of examples that begin alike, and hold each example of the step once', () => {
    const some = users.slice(0, 4).flat();
    // As drawn, each microbatch has one target of three users.
    const drawn = [0, 1, 2, 3].map((place) => [place, place + 4, place + 8]);
    const packed = packedMicrobatches(drawn, some, options);
    expect(packed.flat().sort((a, b) => a - b)).toEqual([...some.keys()]);
    expect(packed.every((indices) => new Set(indices.map((index) => Math.floor(index / 3))).size === 1)).toBe(
      true,
    );
  });

  it('stay as they were drawn where examples share nothing', () => {
    const strangers = Array.from(
      { length: 12 },
      (_, i): PromptPair => ({
        ...pairs[0]!,
        withHistoryIds: [3 + i, ...draw(5)],
        withoutHistoryIds: [3 + i, ...draw(2)],
      }),
    );
    const drawn = [0, 1, 2, 3].map((place) => [place, place + 4, place + 8]);
    expect(packedMicrobatches(drawn, strangers, options)).toBe(drawn);
  });
});

describe('groupByPrefix', () => {
  it('keeps the targets of a user in one step, every step but the last full, each example once an epoch', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 4 }), fc.integer(), (targets, batchSize, seed) => {
        const userOf = targets.flatMap((count, user) => new Array<number>(count).fill(user));
        // Each user's items begin with a token of the user's own, after what all prompts begin with.
        const some = userOf.map(
          (user, i): PromptPair => ({
            ...pairs[0]!,
            withHistoryIds: [1, 2, 100 + user, ...new Array<number>(1 + (i % 3)).fill(7)],
          }),
        );
        const perStep = batchSize * 2;
        const plan = epochPlans(some, { batchSize, gradientAccumulation: 2, seed, groupByPrefix: true });
        const steps = plan(0).map((microbatches) => microbatches.flat());
        expect(steps.flat().sort((a, b) => a - b)).toEqual([...some.keys()]);
        expect(steps.slice(0, -1).every(({ length }) => length === perStep)).toBe(true);
        expect(plan(0)).toEqual(plan(0));
        if (targets.length > 1 && targets.every((count) => perStep % count === 0 && count === targets[0]))
          for (const step of steps)
            expect(new Set(step.map((i) => userOf[i])).size).toBe(step.length / targets[0]!);
      }),
    );
  });

  it('draws the examples of a short run by user', () => {
    const items = Array.from({ length: 30 }, (_, i) => ({ user: `u${i % 10}`, i }));
    const options = { maxSteps: 1, batchSize: 3, gradientAccumulation: 2, seed: 4 };
    const usersOf = (groupByPrefix: boolean) =>
      new Set(itemsOfRun(items, { ...options, groupByPrefix }, ({ user }) => user).map(({ user }) => user))
        .size;
    expect(usersOf(true)).toBe(2);
    expect(usersOf(false)).toBeGreaterThan(2);
  });
});
