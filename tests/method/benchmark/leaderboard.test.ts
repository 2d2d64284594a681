/** @file Leaderboards of made-up scores: what is common, what is averaged, what is tested. */
import { describe, expect, it } from 'vitest';
import { leaderboard } from '../../../src/method/benchmark/leaderboard.ts';
import type { BenchmarkScore } from '../../../src/method/benchmark/score-system.ts';

const score = (example: string, nll: number): BenchmarkScore => ({
  example,
  user: example,
  tokens: 10,
  promptTokens: 100,
  nllWithHistory: nll,
  nllWithoutHistory: 3,
  nllOtherHistory: nll + 0.5,
  nllSimilarHistory: nll + 0.2,
  identified: 1,
});
const scores = (nll: number, count = 12) =>
  Array.from({ length: count }, (_, i) => score(`u${i}`, nll + (i % 3) / 10));

describe('leaderboard', () => {
  const board = leaderboard(
    [
      { system: 'base', runs: [{ seed: 0, scores: scores(2) }] },
      {
        system: 'better',
        runs: [
          { seed: 1, scores: scores(1.6) },
          { seed: 2, scores: scores(1.8).toReversed() },
        ],
      },
      { system: 'same', runs: [{ seed: 1, scores: [...scores(2, 11), score('stranger', 9)] }] },
    ],
    'base',
  );

  it('compares what all systems have, and counts the rest', () => {
    expect(board.examples).toBe(11);
    expect(board.users).toBe(11);
    expect(board.leftOut).toBe(2);
  });

  it('averages seeds by text before users, and shows each', () => {
    const [base, better] = board.rows;
    expect(better!.means.nllWithHistory.value).toBeCloseTo(base!.means.nllWithHistory.value - 0.3, 12);
    expect(better!.nllBySeed[1]! - better!.nllBySeed[0]!).toBeCloseTo(0.2, 12);
    expect(better!.means.userSpecific.value).toBeCloseTo(0.5, 12);
    expect(better!.means.userSpecificBesideSimilar.value).toBeCloseTo(0.2, 12);
    expect(better!.means.generic.value).toBeCloseTo(
      better!.means.total.value - better!.means.userSpecific.value,
      12,
    );
  });

  it('tests against the baseline, each p-value corrected for all of them', () => {
    expect(board.tests).toHaveLength(6);
    const found = board.tests.filter(({ adjusted }) => adjusted < 0.05);
    expect(found.map(({ system, measure }) => [system, measure])).toEqual([['better', 'nllWithHistory']]);
    expect(found[0]!.difference.value).toBeCloseTo(-0.3, 12);
    // The smallest of six p-values counts six times.
    expect(found[0]!.adjusted).toBeCloseTo(6 * found[0]!.pValue, 12);
  });
});
