/** @file Scoring pairs: what must not change the numbers, and what must. */
import { beforeAll, describe, expect, it } from 'vitest';
import { withPlannedBase } from '../../../src/engine/quantisation/quantised-base.ts';
import type { ObjectiveChoice } from '../../../src/method/objectives/objectives.ts';
import type { PromptPair } from '../../../src/method/prompts/pair.ts';
import type { PairEffects } from '../../../src/method/scoring/pair-effects.ts';
import { memoryKeeper } from '../../../src/method/scoring/score-keeper.ts';
import { scoredHash } from '../../../src/method/scoring/scored-hash.ts';
import type { ScoredModel } from '../../../src/method/scoring/scored-model.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { worst } from '../../support/engine.ts';
import { randomPairs, tinyModel } from '../../support/tiny-model.ts';

/** f32 sums over rows of other lengths. */
const TOLERANCE = 1e-5;

let scored: ScoredModel;
const pairs = randomPairs(9, 3);

beforeAll(async () => {
  scored = { model: await tinyModel() };
});

async function effectsOf(some: readonly PromptPair[], tokensPerRun?: number): Promise<PairEffects[]> {
  await using scorer = createScorer(scored, {
    threads: 1,
    ...(tokensPerRun === undefined ? {} : { tokensPerRun }),
  });
  return await scorer.effects(some);
}

describe('effects of pairs', () => {
  it('do not depend on which pairs are scored together', async () => {
    const together = await effectsOf(pairs);
    const alone = await effectsOf(pairs, 1);
    for (const [i, effects] of together.entries()) {
      for (const name of Object.keys(effects) as (keyof PairEffects)[])
        expect(worst(effects[name]!, alone[i]![name]!), name).toBeLessThan(TOLERANCE);
    }
  });

  it('are exactly zero everywhere for an empty history', async () => {
    const empty = pairs.filter((pair) => !pair.hasHistory);
    expect(empty.length).toBeGreaterThan(0);
    for (const {
      probability,
      logRatio,
      divergence,
      logProbWithHistory,
      logProbWithoutHistory,
    } of await effectsOf(empty)) {
      expect([...probability, ...logRatio, ...divergence].every((value) => value === 0)).toBe(true);
      expect(logProbWithHistory).toEqual(logProbWithoutHistory);
    }
  });

  it('change their sign when the prompts are swapped, but for the divergence', async () => {
    const some = pairs.filter((pair) => pair.hasHistory);
    const swap = (pair: PromptPair) => ({
      ...pair,
      withHistoryIds: pair.withoutHistoryIds,
      withoutHistoryIds: pair.withHistoryIds,
    });
    const straight = await effectsOf(some);
    const swapped = await effectsOf(some.map(swap));
    for (const [i, effects] of straight.entries()) {
      const other = swapped[i]!;
      expect(
        worst(
          effects.logRatio,
          other.logRatio.map((v) => -v),
        ),
      ).toBeLessThan(TOLERANCE);
      expect(
        worst(
          effects.probability,
          other.probability.map((v) => -v),
        ),
      ).toBeLessThan(TOLERANCE);
      expect(worst(effects.divergence, other.divergence)).toBeLessThan(TOLERANCE);
      expect(Math.max(...effects.logRatio.map(Math.abs))).toBeGreaterThan(0.01);
    }
  });

  it('agree with the log-probabilities of single passes', async () => {
    await using scorer = createScorer(scored, { threads: 1 });
    const effects = await scorer.effects(pairs);
    const single = await scorer.logProbabilities(
      pairs.map((pair) => ({ promptIds: pair.withHistoryIds, responseIds: pair.responseIds })),
    );
    for (const [i, values] of single.entries())
      expect(worst(values, effects[i]!.logProbWithHistory)).toBeLessThan(TOLERANCE);
  });

  it('are others when the labels are shifted by one', async () => {
    const shifted = pairs.map((pair) => ({
      ...pair,
      responseIds: [...pair.responseIds.slice(1), pair.responseIds[0]!],
    }));
    const straight = await effectsOf(pairs);
    const wrong = await effectsOf(shifted);
    const total = (effects: PairEffects[]) =>
      effects.map((e) => e.logProbWithHistory.reduce((a, b) => a + b, 0));
    expect(worst(total(straight), total(wrong))).toBeGreaterThan(0.1);
  });
});

describe('scores that are no numbers', () => {
  it('are an error that names prompt and token, and are not kept', async () => {
    // They were once drawn as no effect, and kept by the cache.
    const { model } = scored;
    const rank = 1;
    const layer = 'base_model.model.model.layers.1.self_attn.q_proj';
    const tensors = {
      [`${layer}.lora_A.weight`]: { data: new Float32Array(32).fill(Number.NaN), shape: [rank, 32] },
      [`${layer}.lora_B.weight`]: { data: new Float32Array(32), shape: [32, rank] },
    };
    const others = Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => [
        name.replace('layers.1', 'layers.0'),
        { ...tensor, data: new Float32Array(32) },
      ]),
    );
    const adapter = {
      lora: { rank, loraAlpha: 1, targetModules: ['q_proj'] },
      tensors: { ...tensors, ...others },
    };
    const kept: number[] = [];
    const cache = {
      read: async () => new Map(),
      add: async (_: unknown, { size }: ReadonlyMap<string, unknown>) => {
        kept.push(size);
      },
    };
    const scorer = createScorer({ model, adapter }, { threads: 1, cache });
    const failure = { name: 'EngineError', code: 'scoring/nan' };
    const prompts = pairs.map(({ withHistoryIds: promptIds, responseIds }) => ({ promptIds, responseIds }));
    await expect(scorer.effects(pairs)).rejects.toMatchObject(failure);
    await expect(scorer.logProbabilities(prompts)).rejects.toMatchObject({
      ...failure,
      message: expect.stringMatching(/logProbability of prompt \d of 9, response token 1: expected a finite/),
    });
    await scorer[Symbol.asyncDispose]();
    expect(kept).toEqual([]);
  });
});

describe('the hash of a scored model', () => {
  it('is another over a base of fewer bits', async () => {
    // Effects over f32 were once found in the cache for a model of 4 bits.
    const { model } = scored;
    const hashes = [model, withPlannedBase(model, 8), withPlannedBase(model, 4)].map((base) =>
      scoredHash({ model: base }),
    );
    expect(new Set(hashes).size).toBe(3);
  });
});

describe('weights', () => {
  it('sum to one over each example, uniform without an objective', async () => {
    await using scorer = createScorer(scored, { threads: 1, objective: 'nextquill-code' });
    const sum = (values: Float32Array) => values.reduce((a, b) => a + b, 0);
    for (const { weight } of await scorer.effects(pairs)) expect(sum(weight)).toBeCloseTo(1, 5);
    for (const { weight } of await effectsOf(pairs)) expect(weight.every((w) => w === weight[0])).toBe(true);
  });

  it('are those of the objective that an alias stands for', async () => {
    // The default objective was once a TypeError here.
    const weightsOf = async (objective: ObjectiveChoice) => {
      await using scorer = createScorer(scored, { threads: 1, objective });
      return (await scorer.effects(pairs.slice(0, 2))).map(({ weight }) => [...weight]);
    };
    expect(await weightsOf('cft')).toEqual(await weightsOf('nextquill-model-side'));
    const unknown = { objective: 'nextquil' as 'nextquill' };
    expect(() => createScorer(scored, unknown)).toThrowError(
      expect.objectContaining({ code: 'objective/unknown' }),
    );
  });

  it('are those of the fit: the plain share of an objective is in them', async () => {
    const weightsOf = async (plainWeight: number) => {
      await using scorer = createScorer(scored, {
        threads: 1,
        objective: 'perce',
        objectiveOptions: { plainWeight },
      });
      return (await scorer.effects(pairs)).map(({ weight }) => weight);
    };
    const weighted = await weightsOf(0);
    const fitted = await weightsOf(0.8);
    for (const [i, weights] of fitted.entries())
      expect(
        worst(
          weights,
          weighted[i]!.map((w) => 0.2 * w + 0.8 / weights.length),
        ),
      ).toBeLessThan(1e-6);
  });

  it('of tokens that are copied are those of tokens without effect, where an objective discounts them', async () => {
    const objective = {
      threads: 1,
      objective: 'nextquill-js',
      objectiveOptions: { copyDiscount: 1 },
    } as const;
    const pair = pairs.find(({ hasHistory }) => hasHistory)!;
    const copied = pair.responseIds.map((_, t) => t % 2 === 0);
    const keeper = memoryKeeper();
    const weightsOf = async (marked: PromptPair) => {
      await using scorer = createScorer(scored, { ...objective, keeper });
      return (await scorer.effects([marked]))[0]!;
    };
    // One keeper: what is copied is part of what a pair is known by.
    const none = await weightsOf({ ...pair, copied: copied.map(() => false) });
    const { weight, divergence } = await weightsOf({ ...pair, copied });
    const counted = divergence.map((effect, t) => (copied[t] ? 0 : effect));
    const sum = counted.reduce((a, b) => a + b, 0);
    expect(
      worst(
        weight,
        counted.map((w) => w / sum),
      ),
    ).toBeLessThan(1e-6);
    expect(worst(none.divergence, divergence)).toBeLessThan(TOLERANCE);
    expect(worst(none.weight, weight)).toBeGreaterThan(1e-3);
    await expect(weightsOf(pair)).rejects.toMatchObject({ code: 'objective/no-copied' });
    const short = { ...pair, copied: copied.slice(1) };
    await expect(weightsOf(short)).rejects.toMatchObject({ code: 'objective/copied' });
  });
});
