/** @file What the numbers of an evaluation show: a sign counts as shown where its interval excludes 0 (or chance). No words. */

import { type Estimate, shownSide, sideOf } from '../../base/statistics/estimate.ts';
import type { AuthorIdentification, Evaluation, Measure, PairedDifference } from './results.ts';

/** `shown`: an interval supports it, good or bad; `open`: nothing was shown; `warning`: who pays, or why to distrust. */
export type FindingKind = 'shown' | 'open' | 'warning';

/**
 * Nats a token by which text without history must have become less likely to be worth a warning; ours: 1 % of perplexity. Smaller
 * changes have no cost that a new user could notice, and an objective that does not touch that pass makes them, too: the interval
 * of two equal models excludes 0 where rounding alone is left.
 */
export const SMALLEST_WORTH_WARNING = 0.01;

/** Whether text became less likely by its whole interval, and by {@link SMALLEST_WORTH_WARNING} at least. */
export const isLessLikely = (change: Estimate): boolean =>
  sideOf(change) > 0 && change.value >= SMALLEST_WORTH_WARNING;

/** A number of a system. */
export interface SystemEstimate<E extends Estimate = Estimate> {
  readonly system: string;
  readonly estimate: E;
}

/** 1 where the whole interval lies above 0 (or chance), −1 below, 0 where it was not shown. */
export type Side = -1 | 0 | 1;

interface Found {
  readonly kind: FindingKind;
  /** Name of the evaluation. */
  readonly about: string;
  /** Held-out users that the numbers rest on. */
  readonly users: number;
}

/** Which side of an effect's difference moved: only `own` is a gain for users. */
export type Moved = 'own' | 'other' | 'both' | 'unknown';

/** Discriminated by `code`. */
export type EvaluationFinding = Found &
  (
    | {
        /** A, C, and effects against known causes. */
        readonly code: 'total' | 'user-specific' | 'known-causes';
        readonly side: Side;
        readonly systems: readonly SystemEstimate[];
      }
    | {
        readonly code: 'author';
        readonly side: Side;
        readonly systems: readonly SystemEstimate<AuthorIdentification>[];
      }
    | {
        readonly code: 'difference';
        readonly side: Side;
        /** Absent where the measure alone does not say what is better: see {@link Moved}. */
        readonly isBetter?: boolean;
        /** Of an effect that differs: which of its two likelihoods does. */
        readonly moved?: Moved;
        readonly difference: PairedDifference;
      }
    | { readonly code: 'cold-start'; readonly side: Side; readonly difference: PairedDifference }
    | { readonly code: 'few-users' }
  );

export interface FindingsOptions {
  /** The system that training started from; its no-history NLL is what the cold-start guard compares with. Default `base`. */
  readonly baseSystem?: string;
}

/** With fewer users bootstrap intervals are too narrow. */
export const FEW_USERS = 20;

/**
 * The findings of evaluations, in the order: history effects, effects against known causes, author identification,
 * differences between systems, cold-start guard, number of users. A worse result is a finding, too.
 */
export function evaluationFindings(
  evaluations: readonly Evaluation[],
  { baseSystem = 'base' }: FindingsOptions = {},
): EvaluationFinding[] {
  return evaluations.flatMap((evaluation) => [...findingsOf(evaluation, baseSystem)]);
}

function* findingsOf(evaluation: Evaluation, baseSystem: string): Generator<EvaluationFinding> {
  const { name: about, users, systems, historyEffects = [], effectAuc = [], differences = [] } = evaluation;
  const named = (code: 'total' | 'user-specific' | 'known-causes', all: SystemEstimate[], reference = 0) =>
    bySide(all, users, reference).map(({ side, systems }) => ({
      kind: kindOf(side),
      code,
      side,
      about,
      users,
      systems,
    }));
  yield* named(
    'total',
    historyEffects.map(({ system, total }) => ({ system, estimate: total })),
  );
  yield* named(
    'user-specific',
    historyEffects.map(({ system, userSpecific }) => ({ system, estimate: userSpecific })),
  );
  yield* named(
    'known-causes',
    effectAuc.map((estimate) => ({ system: estimate.system, estimate })),
    0.5,
  );
  // Systems are compared with the same candidates; should they not be, each number of them is judged by its own chance.
  const identified = systems.flatMap(({ name, authorIdentification: estimate }) =>
    estimate === undefined ? [] : [{ system: name, estimate }],
  );
  for (const k of new Set(identified.map(({ estimate }) => estimate.k)))
    for (const { side, systems } of bySide(
      identified.filter(({ estimate }) => estimate.k === k),
      users,
      1 / k,
    ))
      yield { kind: kindOf(side), code: 'author', side, about, users, systems };
  for (const difference of differences) {
    const side = shownSide(difference.estimate, users);
    if (difference.measure === 'nllWithoutHistory' && difference.baseline === baseSystem)
      yield {
        kind: side > 0 && isLessLikely(difference.estimate) ? 'warning' : kindOf(side),
        code: 'cold-start',
        side,
        about,
        users,
        difference,
      };
    else yield { ...differenceFinding(difference, side, differences, users), about, users };
  }
  if (users < FEW_USERS) yield { kind: 'warning', code: 'few-users', about, users };
}

const kindOf = (side: Side): FindingKind => (side === 0 ? 'open' : 'shown');

function differenceFinding(
  difference: PairedDifference,
  side: Side,
  differences: readonly PairedDifference[],
  users: number,
) {
  const better = improvement(difference.measure);
  const moved = side === 0 ? undefined : movedOf(difference, differences, users);
  return {
    kind: kindOf(side),
    code: 'difference' as const,
    side,
    ...(side !== 0 && better !== undefined && { isBetter: better === side }),
    ...(moved !== undefined && { moved }),
    difference,
  };
}

/** The side that is better for a user with a history; undefined where the measure does not say. */
function improvement(measure: Measure): Side | undefined {
  if (measure === 'nllWithHistory') return -1;
  return measure === 'authorIdentification' ? 1 : undefined;
}

/** What each effect is the difference of, the likelihood with the own history taken from it. */
const comparedWith: Readonly<Partial<Record<Measure, Measure>>> = {
  totalEffect: 'nllWithoutHistory',
  userSpecificEffect: 'nllOtherHistory',
};

/** Which of the two likelihoods made an effect larger or smaller, as far as the same comparison shows. */
function movedOf(
  { system, baseline, measure, estimate }: PairedDifference,
  differences: readonly PairedDifference[],
  users: number,
): Moved | undefined {
  const other = comparedWith[measure];
  if (other === undefined) return undefined;
  const sideOf = (wanted: Measure) => {
    const found = differences.find(
      (each) => each.system === system && each.baseline === baseline && each.measure === wanted,
    );
    return found && shownSide(found.estimate, users);
  };
  const grew = estimate.value > 0 ? 1 : -1;
  // The effect is other − own: it grows where the own NLL falls, or the other one rises.
  const byOwn = sideOf('nllWithHistory') === -grew;
  const byOther = sideOf(other) === grew;
  if (byOwn && byOther) return 'both';
  if (byOwn) return 'own';
  return byOther ? 'other' : 'unknown';
}

/** Entries in groups by where their whole interval lies: above, below, not shown. */
function bySide<E extends SystemEstimate>(
  entries: readonly E[],
  users: number,
  reference: number,
): { side: Side; systems: E[] }[] {
  return ([1, -1, 0] as const).flatMap((side) => {
    const systems = entries.filter(({ estimate }) => shownSide(estimate, users, reference) === side);
    return systems.length === 0 ? [] : [{ side, systems }];
  });
}
