/** @file The area under the ROC curve, alone and pooled over the tokens of all users with an interval by user. */
import { DataError } from '../errors.ts';
import { type BootstrapOptions, bootstrapUsers } from './bootstrap.ts';
import { type Estimate, requireFinite } from './estimate.ts';

/** A scored token of a user; `positive` is the truth that the score should recover. */
export interface UserScore {
  readonly user: string;
  readonly score: number;
  readonly positive: boolean;
}

/**
 * The area under the ROC curve: the chance that a positive scores above a negative, ties counted half (Mann–Whitney).
 * @param scores one for each item, finite
 * @param positives the truth of each item
 * @throws {DataError} when lengths differ, a score is not finite, or one of the two classes is missing
 */
export function auc(scores: ArrayLike<number>, positives: ArrayLike<boolean>): number {
  if (scores.length !== positives.length) {
    throw new DataError(`auc: expected ${scores.length} labels, one a score, got ${positives.length}`, {
      code: 'data/length',
      hint: 'Give one label for each score.',
    });
  }
  const rows = Array.from(scores, (score, i) => ({ user: '', score, positive: positives[i]! }));
  const { concordance, positiveCounts, negativeCounts } = concordanceByUser(rows);
  return concordance[0]! / (positiveCounts[0]! * negativeCounts[0]!);
}

/**
 * The AUC pooled over the tokens of all users, with a bootstrap interval over users.
 * Pairs are counted once for each (user of the positive, user of the negative), so that a resample is a U × U sum;
 * a resample that happens to hold one class only is left out.
 * @param rows one for each token, scores finite, both classes present
 * @throws {DataError} when there are no rows, a score is not finite, or one of the two classes is missing
 */
export function aucByUser(rows: readonly UserScore[], options: BootstrapOptions = {}): Estimate {
  const { concordance, positiveCounts, negativeCounts } = concordanceByUser(rows);
  const users = positiveCounts.length;
  const drawn = new Int32Array(users);
  const pooled = (counts: Int32Array) => {
    let positives = 0;
    let negatives = 0;
    let distinct = 0;
    for (let u = 0; u < users; u++) {
      if (counts[u] === 0) continue;
      drawn[distinct++] = u;
      positives += counts[u]! * positiveCounts[u]!;
      negatives += counts[u]! * negativeCounts[u]!;
    }
    let pairs = 0;
    for (let i = 0; i < distinct; i++) {
      const u = drawn[i]!;
      let row = 0;
      for (let j = 0; j < distinct; j++) row += counts[drawn[j]!]! * concordance[u * users + drawn[j]!]!;
      pairs += counts[u]! * row;
    }
    return pairs / (positives * negatives);
  };
  return bootstrapUsers(users, pooled, options);
}

/** concordance[u · U + v]: pairs (positive of u, negative of v) in the right order, ties half. Cost: O(N log N + P · U). */
function concordanceByUser(rows: readonly UserScore[]): {
  concordance: Float64Array;
  positiveCounts: Int32Array;
  negativeCounts: Int32Array;
} {
  requireFinite(
    'auc',
    rows.map((row) => row.score),
  );
  const index = new Map<string, number>();
  for (const user of [...new Set(rows.map((row) => row.user))].sort()) index.set(user, index.size);
  const users = index.size;
  const positiveCounts = new Int32Array(users);
  const negativeCounts = new Int32Array(users);
  const concordance = new Float64Array(users * users);
  const sorted = [...rows].sort((a, b) => a.score - b.score);
  // `credit` of a user: negatives seen below the score in hand, plus half of those that tie with it.
  const credit = new Float64Array(users);
  for (let start = 0; start < sorted.length; ) {
    let end = start;
    while (end < sorted.length && sorted[end]!.score === sorted[start]!.score) end++;
    const tied = sorted.slice(start, end);
    const tiedNegatives = tied.filter((row) => !row.positive).map((row) => index.get(row.user)!);
    for (const v of tiedNegatives) {
      credit[v]! += 0.5;
      negativeCounts[v]! += 1;
    }
    for (const row of tied) {
      if (!row.positive) continue;
      const u = index.get(row.user)!;
      positiveCounts[u]! += 1;
      for (let v = 0; v < users; v++) concordance[u * users + v]! += credit[v]!;
    }
    for (const v of tiedNegatives) credit[v]! += 0.5;
    start = end;
  }
  const positives = positiveCounts.reduce((sum, count) => sum + count, 0);
  if (positives === 0 || positives === rows.length) {
    throw new DataError(
      `auc: expected positives and negatives, got ${positives} and ${rows.length - positives}`,
      { code: 'data/one-class', hint: 'Score examples that hold tokens of both kinds.' },
    );
  }
  return { concordance, positiveCounts, negativeCounts };
}
