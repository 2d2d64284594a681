/** @file Scores by a worker that a stand-in plays: the same rows as by any scorer, what follows from them computed here. */
import { describe, expect, it } from 'vitest';
import { torchWorker } from '../../../src/app/launch/torch-scorer.ts';
import type { Model } from '../../../src/engine/models/model.ts';
import { openSession } from '../../../src/engine/models/pass.ts';
import { scoresHash } from '../../../src/method/scoring/scored-hash.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { fakeTorch, misbehaving } from '../../support/fake-torch.ts';
import { randomPairs, tinyModel } from '../../support/tiny-model.ts';

const plain = await tinyModel();
const model: Model = { ...plain, worker: torchWorker({ ...fakeTorch, version: '1' }) };
const pairs = randomPairs(5);

describe('a scorer over a worker', () => {
  it('gives log-probabilities in the order asked for, each prompt asked of the worker once', async () => {
    await using scorer = createScorer({ model });
    const prompts = [
      { promptIds: [3, 4], responseIds: [10, 20] },
      { promptIds: [5], responseIds: [30] },
      { promptIds: [3, 4], responseIds: [10, 20] },
    ];
    const done: number[] = [];
    const scores = await scorer.logProbabilities(prompts, (count) => done.push(count));
    expect(scores.map((values) => [...values].map((value) => Math.round(value * 1000)))).toEqual([
      [-10, -20],
      [-30],
      [-10, -20],
    ]);
    expect(done).toEqual([3]);
  });

  it('makes effects and weights of the two passes, none without a history', async () => {
    await using scorer = createScorer({ model }, { objective: 'nextquill-code' });
    const effects = await scorer.effects(pairs);
    for (const [i, { responseIds, hasHistory }] of pairs.entries()) {
      const { logRatio, probability, weight, logProbWithHistory } = effects[i]!;
      expect(weight.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 6);
      expect(logProbWithHistory).toHaveLength(responseIds.length);
      const own = Math.exp(-responseIds[0]! / 1000);
      expect(logRatio[0]).toBeCloseTo(hasHistory ? 0.5 : 0, 6);
      expect(probability[0]).toBeCloseTo(hasHistory ? own - own * Math.exp(-0.5) : 0, 6);
    }
  });

  it('has scores of its own in a cache', () => {
    expect(scoresHash({ model })).toBe(`${scoresHash({ model: plain })} torch cpu f32`);
  });

  it('refuses numbers that are not one for each token', async () => {
    await using scorer = createScorer({ model });
    const scores = misbehaving({ short: true }, () =>
      scorer.logProbabilities([{ promptIds: [3], responseIds: [4, 5] }]),
    );
    await expect(scores).rejects.toMatchObject({ code: 'worker/scores' });
  });
});

it('a model that a worker computes is never compiled here unseen', async () => {
  await expect(openSession(model, {})).rejects.toMatchObject({ code: 'engine/unsupported' });
});
