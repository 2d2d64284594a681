/** @file What the verdicts of a suite say together: whether there was an effect to refute at all, and whether it stands. */

import { FEWEST_FOR_INTERVAL } from '../../base/statistics/estimate.ts';
import type { FindingKind } from '../evaluation/findings.ts';
import type { Verdict } from './refutation-test.ts';
import type { Refutation } from './results.ts';
import { ROUNDING } from './verdict.ts';

/** The finding of a refutation. */
export interface RefutationFinding {
  readonly kind: FindingKind;
  /** `not-shown`: no user-specific effect was shown, so most tests have nothing to test. */
  readonly code: 'holds' | 'does-not-hold' | 'not-shown' | 'cannot-tell';
  /** Names of the tests by their verdicts. */
  readonly failed: readonly string[];
  readonly open: readonly string[];
  readonly passed: readonly string[];
}

/** The suite in one finding. */
export function refutationFinding({
  tests,
  userSpecific,
  users,
}: Pick<Refutation, 'tests' | 'userSpecific' | 'users'>): RefutationFinding {
  const named = (verdict: Verdict) =>
    tests.filter((test) => test.verdict === verdict).map(({ name }) => name);
  const verdicts = { failed: named('fails'), open: named('cannot tell'), passed: named('passes') };
  if (verdicts.failed.length > 0) return { kind: 'warning', code: 'does-not-hold', ...verdicts };
  if (users < FEWEST_FOR_INTERVAL || userSpecific.low <= ROUNDING)
    return { kind: 'open', code: 'not-shown', ...verdicts };
  if (verdicts.open.length > 0) return { kind: 'open', code: 'cannot-tell', ...verdicts };
  return { kind: 'shown', code: 'holds', ...verdicts };
}
