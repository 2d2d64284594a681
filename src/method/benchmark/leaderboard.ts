/** @file A leaderboard of scores: rows with intervals by user, and paired tests against one baseline, corrected for their number. */
import { type ExampleValue, meanByUser, pairedDifferenceByUser } from '../../base/statistics/by-user.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import { mean } from '../../base/statistics/mean.ts';
import { holmAdjusted } from '../../base/statistics/p-value.ts';
import { pairedPermutationByUser } from '../../base/statistics/permutation.ts';
import type { BenchmarkScore } from './score-system.ts';

/** A number of one text. */
export const benchmarkMeasures = {
  nllWithHistory: (s: BenchmarkScore) => s.nllWithHistory,
  nllWithoutHistory: (s: BenchmarkScore) => s.nllWithoutHistory,
  nllOtherHistory: (s: BenchmarkScore) => s.nllOtherHistory,
  nllSimilarHistory: (s: BenchmarkScore) => s.nllSimilarHistory,
  /** A. */
  total: (s: BenchmarkScore) => s.nllWithoutHistory - s.nllWithHistory,
  /** B. */
  generic: (s: BenchmarkScore) => s.nllWithoutHistory - s.nllOtherHistory,
  /** C. */
  userSpecific: (s: BenchmarkScore) => s.nllOtherHistory - s.nllWithHistory,
  /** C beside the most similar user alone. */
  userSpecificBesideSimilar: (s: BenchmarkScore) => s.nllSimilarHistory - s.nllWithHistory,
  identified: (s: BenchmarkScore) => s.identified,
} as const;

export type BenchmarkMeasure = keyof typeof benchmarkMeasures;

/** What is tested against the baseline. */
export const testedMeasures = ['nllWithHistory', 'nllWithoutHistory', 'userSpecific'] as const;

/** The scores of one system under one seed. */
export interface SeedScores {
  readonly seed: number;
  readonly scores: readonly BenchmarkScore[];
}

export interface SystemScores {
  readonly system: string;
  readonly runs: readonly SeedScores[];
}

export interface LeaderboardRow {
  readonly system: string;
  readonly seeds: readonly number[];
  readonly means: Readonly<Record<BenchmarkMeasure, Estimate>>;
  readonly promptTokens: number;
  /** The mean of each seed alone: how far they agree. */
  readonly nllBySeed: readonly number[];
}

/** `system` − `baseline`. */
export interface LeaderboardTest {
  readonly system: string;
  readonly measure: (typeof testedMeasures)[number];
  readonly difference: Estimate;
  /** Of the paired permutation test by user, two-sided. */
  readonly pValue: number;
  /** Corrected for all tests of the leaderboard (Holm). */
  readonly adjusted: number;
}

export interface Leaderboard {
  readonly baseline: string;
  readonly examples: number;
  readonly users: number;
  /** Texts that some system could not be scored on: left out for all. */
  readonly leftOut: number;
  readonly rows: readonly LeaderboardRow[];
  readonly tests: readonly LeaderboardTest[];
}

/**
 * The leaderboard of some systems on the texts that all of them have. Seeds of a system are averaged by text first, so that a user
 * counts once.
 * @throws {DataError} when no text is common to all systems
 */
export function leaderboard(systems: readonly SystemScores[], baseline: string, seed = 0): Leaderboard {
  const lists = systems.flatMap(({ runs }) => runs.map(({ scores }) => scores));
  const all = new Set(lists.flatMap((scores) => scores.map(({ example }) => example)));
  const isCommon = [...all].filter((example) =>
    lists.every((scores) => scores.some((score) => score.example === example)),
  );
  const common = new Set(isCommon);
  const cut = systems.map(({ system, runs }) => ({
    system,
    runs: runs.map(({ seed: of, scores }) => ({
      seed: of,
      scores: scores.filter(({ example }) => common.has(example)),
    })),
  }));
  const averaged = new Map(cut.map(({ system, runs }) => [system, runs.map(({ scores }) => scores)]));
  const valuesOf = (system: string, measure: BenchmarkMeasure): ExampleValue[] => {
    const [first, ...rest] = averaged.get(system)!;
    const byExample = rest.map((scores) => new Map(scores.map((score) => [score.example, score])));
    return first!.map((score) => ({
      example: score.example,
      user: score.user,
      value: mean([score, ...byExample.map((of) => of.get(score.example)!)].map(benchmarkMeasures[measure])),
    }));
  };
  const rows = cut.map(({ system, runs }): LeaderboardRow => {
    const measures = Object.keys(benchmarkMeasures) as BenchmarkMeasure[];
    return {
      system,
      seeds: runs.map((run) => run.seed),
      means: Object.fromEntries(
        measures.map((measure) => [measure, meanByUser(valuesOf(system, measure), { seed })]),
      ) as LeaderboardRow['means'],
      promptTokens: mean(runs.flatMap(({ scores }) => scores.map((score) => score.promptTokens))),
      nllBySeed: runs.map(
        ({ scores }) => meanByUser(scores.map(({ user, nllWithHistory: value }) => ({ user, value }))).value,
      ),
    };
  });
  const tests = cut
    .filter(({ system }) => system !== baseline && averaged.has(baseline))
    .flatMap(({ system }) =>
      testedMeasures.map((measure) => {
        const sides = [valuesOf(system, measure), valuesOf(baseline, measure)] as const;
        return {
          system,
          measure,
          difference: pairedDifferenceByUser(...sides, { seed }),
          pValue: pairedPermutationByUser(...sides, { seed }).pValue,
        };
      }),
    );
  const adjusted = holmAdjusted(tests.map(({ pValue }) => pValue));
  const shown = cut[0]?.runs[0]?.scores ?? [];
  return {
    baseline,
    examples: shown.length,
    users: new Set(shown.map(({ user }) => user)).size,
    leftOut: all.size - common.size,
    rows,
    tests: tests.map((test, t) => ({ ...test, adjusted: adjusted[t]! })),
  };
}
