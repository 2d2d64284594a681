/** @file Results for tests: one evaluation whose every number can be replaced. */
import type { Estimate } from '../../../src/base/statistics/estimate.ts';
import type { Evaluation, PairedDifference, SystemResult } from '../../../src/method/evaluation/results.ts';

/** An estimate with a symmetric interval. */
export function about(value: number, half: number): Estimate {
  return { value, low: value - half, high: value + half };
}

export function exampleSystem(name: string, nll: number): SystemResult {
  return {
    name,
    nllWithHistory: about(nll, 0.1),
    nllWithoutHistory: about(nll + 0.3, 0.1),
    nllOtherHistory: about(nll + 0.2, 0.1),
    authorIdentification: { ...about(0.6, 0.1), k: 4, matching: { years: { most: 5, median: 2 } } },
  };
}

export function exampleEvaluation(extra: Partial<Evaluation> = {}): Evaluation {
  return {
    name: 'Simulated users',
    users: 30,
    examples: 90,
    systems: [exampleSystem('sft', 3), exampleSystem('nextquill', 2.9)],
    ...extra,
  };
}

export function difference(
  measure: PairedDifference['measure'],
  estimate: Estimate,
  baseline = 'sft',
): PairedDifference {
  return { system: 'nextquill', baseline, measure, estimate, pValue: 0.004 };
}
