/**
 * @file The cold-start guard: what became of held-out text with the history, without, and with other users', before
 * training and after. An objective that is paid for a difference between the two passes can win it by getting worse for
 * users who have no history yet; what to switch on against it is named here.
 */

import type { ProgressListener } from '../../base/progress.ts';
import { type ExampleValue, meanByUser, pairedDifferenceByUser } from '../../base/statistics/by-user.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import { mean } from '../../base/statistics/mean.ts';
import type { Example } from '../data/example.ts';
import type { ColdStartRemedy, Notice } from '../data/notice.ts';
import { namedEffectsOfText } from '../effects/named-effects.ts';
import { comparesWithNone, type EffectLoss, type ObjectiveRecord, planOf } from '../objectives/plan.ts';
import { DEFAULT_OTHERS, isTooFewUsers, othersForAll } from '../others/others-histories.ts';
import type { Manifest } from '../runs/manifest.ts';
import { exampleEffects } from '../scoring/rows.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';
import { isLessLikely } from './findings.ts';

/** The examples that the guard scores. */
export interface Guard {
  readonly rows: readonly Example[];
  /** What the rows are, such as `validation`. */
  readonly kind: 'validation' | 'training';
  /** Where other users' histories come from. */
  readonly pool: readonly Example[];
}

export interface GuardOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: ProgressListener;
}

/** A number before training and after, and what changed, paired by user; nats a token. */
export interface Change {
  readonly before: Estimate;
  readonly after: Estimate;
  readonly change: Estimate;
}

/** What the guard found. */
export interface ColdStart {
  readonly kind: Guard['kind'];
  readonly examples: number;
  readonly users: number;
  /** Examples whose history shows: only of these can an effect of it be told. */
  readonly shown: number;
  /** Those of them that were compared with other users' histories. */
  readonly compared: number;
  /** Other users' histories that each was compared with. */
  readonly others: number;
  readonly nllWithHistory: Change;
  readonly nllWithoutHistory: Change;
  /** A; absent where no history shows. */
  readonly total?: Change;
  /** C; absent where nothing could be compared. */
  readonly userSpecific?: Change;
  /**
   * Whether text without history became less likely, as {@link isLessLikely} has it. Told of few users, too: a guard that
   * waits for proof comes too late.
   */
  readonly isWorseWithoutHistory: boolean;
  readonly remedies: readonly ColdStartRemedy[];
}

/** The notice of users without history who pay for the training; undefined where none do. */
export function coldStartNotice({
  isWorseWithoutHistory,
  nllWithoutHistory,
  users,
  remedies,
}: ColdStart): Notice | undefined {
  if (!isWorseWithoutHistory) return undefined;
  const { value, low, high } = nllWithoutHistory.change;
  return { code: 'evaluation/cold-start', change: value, low, high, users, remedies };
}

/** The guard's numbers under one model. */
interface Scores {
  readonly nll: Readonly<Record<'withHistory' | 'withoutHistory', readonly ExampleValue[]>>;
  /** A of the examples whose history shows: only of these can an effect of it be told. */
  readonly total: readonly ExampleValue[];
  /** C of those beside which another user's history shows. */
  readonly userSpecific: readonly ExampleValue[];
}

/**
 * Scores a model before training and after, and measures what changed.
 * @throws {DataError} when a prompt does not fit
 * Cost: for each model two passes an example, and one for each of up to three other users' histories.
 */
export async function coldStart(
  before: ScoredModel,
  after: ScoredModel,
  guard: Guard,
  { recipe }: Pick<Manifest, 'recipe'>,
  options: GuardOptions = {},
): Promise<ColdStart> {
  const others = othersOf(guard);
  const score = (scored: ScoredModel) => scoreGuard(scored, guard, others, recipe, options);
  const scores = { before: await score(before), after: await score(after) };
  const change = (of: (scores: Scores) => readonly ExampleValue[]): Change => {
    const [first, last] = [of(scores.before), of(scores.after)];
    return {
      before: meanByUser(first),
      after: meanByUser(last),
      change: pairedDifferenceByUser(last, first, { seed: recipe.seed }),
    };
  };
  // As `evaluate` does: where no history shows there is nothing that it could give, and a 0 there would hide what it gives elsewhere.
  const shown = scores.before.total.length;
  const compared = scores.before.userSpecific.length;
  const nllWithoutHistory = change(({ nll }) => nll.withoutHistory);
  return {
    kind: guard.kind,
    examples: guard.rows.length,
    users: new Set(guard.rows.map(({ user }) => user)).size,
    shown,
    compared,
    others,
    nllWithHistory: change(({ nll }) => nll.withHistory),
    nllWithoutHistory,
    ...(shown > 0 && { total: change(({ total }) => total) }),
    ...(compared > 0 && { userSpecific: change(({ userSpecific }) => userSpecific) }),
    isWorseWithoutHistory: isLessLikely(nllWithoutHistory.change),
    remedies: remediesFor(recipe),
  };
}

/** What to switch on against a loss without history, of what is not on already. */
export function remediesFor(recipe: ObjectiveRecord): ColdStartRemedy[] {
  const { effectLosses, options } = planOf(recipe);
  const { stopGradient, anchorWeight, effectWeight } = options;
  const reachesPass = (loss: EffectLoss) =>
    comparesWithNone(loss, options) && (loss !== 'difference' || effectWeight > 0);
  const isOpen = !stopGradient && effectLosses.some(reachesPass);
  return [...(isOpen ? [{ code: 'stop-gradient' } as const] : []), { code: 'anchor', above: anchorWeight }];
}

/** As many other users' histories as every row can be given, {@link DEFAULT_OTHERS} at most. */
function othersOf({ rows, pool }: Guard): number {
  const withHistory = rows.filter(({ history }) => history.length > 0);
  if (withHistory.length === 0) return 0;
  try {
    return othersForAll(withHistory, pool, DEFAULT_OTHERS);
  } catch (error) {
    if (isTooFewUsers(error)) return 0;
    throw error;
  }
}

async function scoreGuard(
  scored: ScoredModel,
  { rows, pool }: Guard,
  others: number,
  { prompt, threads, seed }: Manifest['recipe'],
  { signal, onProgress }: GuardOptions,
): Promise<Scores> {
  const nll: Record<keyof Scores['nll'], ExampleValue[]> = { withHistory: [], withoutHistory: [] };
  const total: ExampleValue[] = [];
  const userSpecific: ExampleValue[] = [];
  const effects = exampleEffects(scored, rows, {
    // No history at all, whatever the reference value of training: a new user has none.
    prompt: { ...prompt!, reference: 'removed' },
    threads,
    pool,
    others,
    seed,
    ...(signal !== undefined && { signal }),
    onProgress: (progress) => onProgress?.({ ...progress, stage: 'report' }),
  });
  for await (const { example, pair, effects: values, logProbWithOthers } of effects) {
    const row = (value: number): ExampleValue => ({ example: example.id, user: example.user, value });
    const { logProbWithHistory: own, logProbWithoutHistory: none } = values;
    nll.withHistory.push(row(-mean(own)));
    nll.withoutHistory.push(row(-mean(none)));
    if (!pair.hasHistory) continue;
    const named = namedEffectsOfText({ own, none, others: logProbWithOthers ? [logProbWithOthers] : [] });
    total.push(row(named.total));
    if (logProbWithOthers !== undefined) userSpecific.push(row(named.userSpecific));
  }
  return { nll, total, userSpecific };
}
