/** @file What an audit shows, as codes and numbers: whether the history matters, for whom, where, and what to distrust. */

import { type Estimate, FEWEST_FOR_INTERVAL, shownSide } from '../../base/statistics/estimate.ts';
import { FEW_USERS, type FindingKind, type Side } from '../evaluation/findings.ts';
import { type StrengthFinding, strengthFinding } from '../evaluation/strength-finding.ts';
import { type LeftOutReason, leftOutReasons } from '../prompts/left-out.ts';
import { type ItemKind, itemKinds } from '../scoring/item-kinds.ts';
import { LARGEST_DOSE } from './plan.ts';
import type { AuditResult } from './results.ts';

/** Discriminated by `code`. */
export type AuditFinding = { readonly kind: FindingKind } & (
  | {
      /** Whether the history matters: the sides of A and of C. */
      readonly code: 'history';
      readonly total: Side;
      readonly userSpecific: Side;
    }
  | { readonly code: 'one-user' }
  | {
      readonly code: 'for-whom';
      readonly users: number;
      /** Users whose C is above 0. */
      readonly gain: number;
      /** Users with enough texts for an interval, and those of them whose C is shown to be above 0. */
      readonly judged: number;
      readonly certain: number;
    }
  | {
      /** The part of the texts with the largest C. */
      readonly code: 'part';
      readonly name: string;
      readonly userSpecific: Estimate;
    }
  | { readonly code: 'tokens'; readonly share: Estimate }
  | {
      /** What the latest item alone does, as a share of what `items` do. */
      readonly code: 'dose';
      readonly share: number;
      readonly items: number;
      /** Whether `items` is where the curve was cut, and histories are longer. */
      readonly isCut: boolean;
    }
  | StrengthFinding
  | {
      /** Items that were taken out one at a time, each judged on one text. */
      readonly code: 'items';
      readonly counts: Readonly<Record<ItemKind, number>>;
      readonly items: number;
      readonly texts: number;
    }
  | {
      readonly code: 'left-out';
      readonly reason: LeftOutReason;
      readonly count: number;
      /** Id of the first one; absent where the audit is redacted. */
      readonly first?: string;
    }
  | { readonly code: 'few-users'; readonly users: number }
  | { readonly code: 'items-differ'; readonly own: number; readonly others: number }
  | { readonly code: 'one-other' }
  | { readonly code: 'tokens-tested'; readonly others: number; readonly level: number }
  | { readonly code: 'one-domain'; readonly texts: number }
);

/** A difference in items shown that could pass for a difference between users. */
const ITEMS_DIFFER = 0.1;

/** Share of texts that must show the largest dose before it is compared with the smallest: else most points are the same texts. */
const MOST_TEXTS = 0.5;

/** All findings: what was left out first, then the answer, then what else to know. */
export function auditFindings(audit: AuditResult): AuditFinding[] {
  return [...leftOutFindings(audit), ...answerFindings(audit), ...caveatFindings(audit)];
}

function* leftOutFindings({ leftOut }: AuditResult): Generator<AuditFinding> {
  for (const reason of leftOutReasons) {
    const first = leftOut.first[reason];
    if (leftOut[reason] > 0)
      yield {
        kind: 'warning',
        code: 'left-out',
        reason,
        count: leftOut[reason],
        ...(first !== undefined && { first }),
      };
  }
}

function* answerFindings(audit: AuditResult): Generator<AuditFinding> {
  const { users, effects, byUser, where, dose, maps, prompt, texts } = audit;
  const total = shownSide(effects.total, users);
  const userSpecific = shownSide(effects.userSpecific, users);
  yield {
    kind: total === 0 && userSpecific === 0 ? 'open' : 'shown',
    code: 'history',
    total,
    userSpecific,
  };
  if (users === 1) yield { kind: 'open', code: 'one-user' };
  else {
    const several = byUser.filter((user) => user.texts >= FEWEST_FOR_INTERVAL);
    const certain = several.filter((user) => shownSide(user.userSpecific, user.texts) > 0).length;
    yield {
      kind: certain > 0 ? 'shown' : 'open',
      code: 'for-whom',
      users,
      gain: byUser.filter((user) => user.userSpecific.value > 0).length,
      judged: several.length,
      certain,
    };
  }
  const strongest = where.thirds.reduce((best, third) =>
    third.userSpecific.value > best.userSpecific.value ? third : best,
  );
  yield {
    kind: shownSide(strongest.userSpecific, users) > 0 ? 'shown' : 'open',
    code: 'part',
    name: strongest.name,
    userSpecific: strongest.userSpecific,
  };
  if (where.personal !== undefined) {
    const { share } = where.personal;
    yield { kind: share.value > 0 ? 'shown' : 'open', code: 'tokens', share };
  }
  const [first, last] = [dose[1], dose.at(-1)];
  if (
    first &&
    last &&
    dose.length > 2 &&
    shownSide(last.effect, users) > 0 &&
    last.texts >= MOST_TEXTS * texts
  )
    yield {
      kind: 'shown',
      code: 'dose',
      share: first.effect.value / last.effect.value,
      items: last.items,
      isCut: last.items === LARGEST_DOSE && prompt.maxHistory > LARGEST_DOSE,
    };
  if (audit.strength !== undefined) yield strengthFinding(audit.strength);
  const mapped = [...maps.most, ...maps.least];
  const kinds = mapped.flatMap(({ items = [] }) => items.map(({ kind }) => kind));
  if (kinds.length > 0) {
    const counts = Object.fromEntries(
      itemKinds.map((kind) => [kind, kinds.filter((each) => each === kind).length]),
    ) as Record<ItemKind, number>;
    yield { kind: 'open', code: 'items', counts, items: kinds.length, texts: mapped.length };
  }
}

function* caveatFindings(audit: AuditResult): Generator<AuditFinding> {
  const { users, itemsShown, others, where, byDomain, texts } = audit;
  if (users < FEW_USERS) yield { kind: 'warning', code: 'few-users', users };
  if (itemsShown.others < (1 - ITEMS_DIFFER) * itemsShown.own)
    yield { kind: 'warning', code: 'items-differ', own: itemsShown.own, others: itemsShown.others };
  if (others < 2) yield { kind: 'open', code: 'one-other' };
  else if (where.personal !== undefined)
    yield { kind: 'open', code: 'tokens-tested', others, level: where.personal.level };
  if (byDomain.length === 1) yield { kind: 'open', code: 'one-domain', texts };
}
