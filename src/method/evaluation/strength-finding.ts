/** @file What the strength of least loss shows of a model: whether it makes too much or too little of histories. No words. */
import { shownSide } from '../../base/statistics/estimate.ts';
import type { HistoryStrength } from '../strength/history-strength.ts';
import type { BestStrength } from '../strength/strength-curve.ts';
import type { FindingKind, Side } from './findings.ts';

export interface StrengthFinding {
  readonly code: 'strength';
  readonly kind: FindingKind;
  /** −1 where the whole interval of s* lies below 1: histories count for too much; 1 where they count for too little. */
  readonly side: Side;
  readonly best: BestStrength;
  /** The largest strength tried. */
  readonly largest: number;
}

export function strengthFinding({ best, curve, users }: HistoryStrength): StrengthFinding {
  const side = shownSide(best, users, 1);
  return {
    code: 'strength',
    kind: side === 0 ? 'open' : 'shown',
    side,
    best,
    largest: curve.at(-1)!.strength,
  };
}
