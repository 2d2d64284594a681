/** @file Marks of estimators on hand-made effects whose right answers are known. */
import { describe, expect, it } from 'vitest';
import type { Example } from '../../../src/method/data/example.ts';
import { scoreEstimator } from '../../../src/method/evaluation/estimator-scores.ts';
import type { ExampleEffects } from '../../../src/method/scoring/rows.ts';

/** Four words, one token each: `user` (truth 2), `neither`, `both` (truth 1), `query`; log ratios as given. */
function effectsOf(user: string, logRatio: readonly number[], placebo: readonly number[]): ExampleEffects {
  const example: Example = {
    id: user,
    user,
    query: 'q',
    response: 'aa bb cc dd',
    history: [],
    causes: [
      { start: 0, end: 2, cause: 'user', logRatio: 2 },
      { start: 2, end: 5, cause: 'neither' },
      { start: 5, end: 8, cause: 'both', logRatio: 1 },
      { start: 8, end: 11, cause: 'query' },
    ],
  };
  const ratios = Float32Array.from(logRatio);
  return {
    example,
    pair: {
      withHistoryIds: [1],
      withoutHistoryIds: [1],
      responseIds: [1, 2, 3, 4],
      responseStarts: [0, 2, 5, 8],
      responseEnds: [2, 5, 8, 11],
      shown: [],
      historyItemsUsed: 1,
      hasHistory: true,
    },
    effects: {
      logProbWithHistory: ratios.map((ratio) => ratio - 3),
      logProbWithoutHistory: ratios.map(() => -3),
      probability: ratios.map((ratio) => Math.exp(ratio - 3) - Math.exp(-3)),
      logRatio: ratios,
      divergence: ratios.map(Math.abs),
      weight: ratios.map(() => 0.25),
    },
    logProbWithOthers: Float32Array.from(placebo, (ratio) => ratio - 3),
  };
}

const users = Array.from({ length: 8 }, (_, u) =>
  effectsOf(`u${u}`, [2 + (u - 3.5) / 100, 0.1, 1 + (u - 3.5) / 50, 0.6], [1.9, 0, 0.9, 0.55]),
);

describe('marks of an estimator', () => {
  it('are those of the ranking, the threshold and the generator’s log ratio', () => {
    const score = scoreEstimator('logRatio', users);
    expect(score.auc.value).toBe(1);
    // Above half a nat: both positives and the word that the query decided.
    expect(score.precision.value).toBeCloseTo(2 / 3, 12);
    expect(score.recall.value).toBe(1);
    expect(score.f1.value).toBeCloseTo(0.8, 12);
    expect(score.bias!.value).toBeCloseTo(0, 6);
    expect(score.correlation!.value).toBeGreaterThan(0.99);
    expect(score.coverage).toBe(1);
  });

  it('of the user-specific effect compare with other users’ histories', () => {
    const score = scoreEstimator('userSpecific', users);
    expect(score.recall.value).toBe(0);
    expect(score.f1.value).toBe(0);
    expect(score.bias!.value).toBeCloseTo(-1.4, 6);
    expect(score.coverage).toBe(0);
    expect(score.precision.value).toBeNaN();
  });

  it('of the divergence leave out what has no unit of a log ratio', () => {
    const score = scoreEstimator('divergence', users);
    expect(score.correlation).toBeUndefined();
    expect(score.coverage).toBeUndefined();
    expect(score.auc.value).toBe(1);
  });
});
