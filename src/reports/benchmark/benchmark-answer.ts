/** @file One sentence that answers a leaderboard: which system is best, and whether that is more than chance. */
import { decimal, signed } from '../../base/number-format.ts';
import type { BenchmarkBoard } from '../../method/benchmark/results.ts';
import type { FindingKind } from '../../method/evaluation/findings.ts';

/** Adjusted p-values below this are findings. */
const LEVEL = 0.05;

export function benchmarkAnswer({ leaderboard }: Pick<BenchmarkBoard, 'leaderboard'>): {
  readonly kind: FindingKind;
  readonly sentence: string;
} {
  const { rows, tests, baseline } = leaderboard;
  const best = rows.reduce((least, row) =>
    row.means.nllWithHistory.value < least.means.nllWithHistory.value ? row : least,
  );
  const nll = `${decimal(best.means.nllWithHistory.value, 3)} nats a token`;
  const found = tests.filter(({ measure, adjusted }) => measure === 'nllWithHistory' && adjusted < LEVEL);
  const better = found.filter(({ difference }) => difference.value < 0).map(({ system }) => system);
  const worse = found.filter(({ difference }) => difference.value > 0).map(({ system }) => system);
  const list = (names: readonly string[]) => (names.length === 0 ? 'none' : names.join(', '));
  const test = tests.find(({ system, measure }) => system === best.system && measure === 'nllWithHistory');
  const lead =
    best.system === baseline
      ? `The baseline ${baseline} has the least loss (${nll}).`
      : `${best.system} has the least loss (${nll}), ${signed(test?.difference.value ?? Number.NaN, 3)} beside ${baseline}.`;
  return {
    kind: found.length > 0 ? 'shown' : 'open',
    sentence: `${lead} After correction for all tests, better than ${baseline}: ${list(better)}; worse: ${list(worse)}.`,
  };
}
