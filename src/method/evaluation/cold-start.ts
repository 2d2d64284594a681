/**
 * @file The cold-start guard: what became of held-out text with the history, without, and with other users', before
 * training and after. An objective that is paid for a difference between the two passes can win it by getting worse for
 * users who have no history yet; what to switch on is said here.
 */

import { decimal, signed } from '../../base/number-format.ts';
import type { ProgressListener } from '../../base/progress.ts';
import { type ExampleValue, meanByUser, pairedDifferenceByUser } from '../../base/statistics/by-user.ts';
import { type Estimate, FEWEST_FOR_INTERVAL, sideOf } from '../../base/statistics/estimate.ts';
import { mean } from '../../base/statistics/mean.ts';
import type { Example } from '../data/example.ts';
import { namedEffectsOfText } from '../effects/named-effects.ts';
import { type ObjectiveRecord, planOf } from '../objectives/plan.ts';
import { DEFAULT_OTHERS, isTooFewUsers, othersForAll } from '../others/others-histories.ts';
import type { Manifest } from '../runs/manifest.ts';
import { exampleEffects } from '../scoring/rows.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';

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

/** What the guard says, in words. */
export interface GuardWords {
  readonly findings: readonly string[];
  /** The loss for new users and its remedy, where there is one; told on the terminal too. */
  readonly warning?: string;
  readonly cautions: readonly string[];
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
 * Scores a model before training and after, and says what changed.
 * @throws {DataError} when a prompt does not fit
 * Cost: for each model two passes an example, and one for each of up to three other users' histories.
 */
export async function coldStart(
  before: ScoredModel,
  after: ScoredModel,
  guard: Guard,
  { recipe }: Pick<Manifest, 'recipe'>,
  options: GuardOptions = {},
): Promise<GuardWords> {
  const others = othersOf(guard);
  const score = (scored: ScoredModel) => scoreGuard(scored, guard, others, recipe, options);
  const scores = { before: await score(before), after: await score(after) };
  const change = (of: (scores: Scores) => readonly ExampleValue[]) => {
    const [first, last] = [of(scores.before), of(scores.after)];
    const difference = pairedDifferenceByUser(last, first, { seed: recipe.seed });
    const over = (values: readonly ExampleValue[]) => decimal(meanByUser(values).value, 3);
    return { text: `${over(first)} before, ${over(last)} after (${intervalText(difference)})`, difference };
  };
  const where = `On ${guard.rows.length} ${guard.kind} examples`;
  // As `evaluate` does: where no history shows there is nothing that it could give, and a 0 there would hide what it gives elsewhere.
  const size = scores.before.total.length;
  const whereShown =
    size === guard.rows.length ? where : `On ${size} ${guard.kind} examples whose history shows`;
  const compared = scores.before.userSpecific;
  const whereCompared =
    compared.length === size ? whereShown : `${whereShown}, ${compared.length} of them beside others’`;
  const withoutHistory = change(({ nll }) => nll.withoutHistory);
  const { difference } = withoutHistory;
  const users = new Set(guard.rows.map(({ user }) => user)).size;
  return {
    findings: [
      `${where}, NLL with the history, nats a token: ${change(({ nll }) => nll.withHistory).text}.`,
      `${where}, NLL without history, nats a token: ${withoutHistory.text}.`,
      size > 0
        ? `${whereShown}, what the history gives in all (A), nats a token: ${change(({ total }) => total).text}.`
        : 'What the history gives in all (A) is not shown: no example shows one.',
      compared.length > 0
        ? `${whereCompared}, what only the user’s own history gives, beside ${others} others’ (C), nats a token: ${change(({ userSpecific }) => userSpecific).text}.`
        : `What only the user’s own history gives (C) is not shown: ${size > 0 ? 'too few users have a history' : 'no example shows one'}.`,
    ],
    // Told of few users, too: a guard that waits for proof comes too late.
    ...(sideOf(difference) > 0 && {
      warning: `Warning: without a history the text became less likely: ${intervalText(difference)} nats a token. ${users < FEWEST_FOR_INTERVAL ? `So few users (${users}) may show this by chance; if it is so, new` : 'New'} users pay for this objective. ${remedy(recipe)}`,
    }),
    cautions:
      guard.kind === 'training'
        ? ['These examples were trained on: the data have no validation rows, so nothing here is held out.']
        : [],
  };
}

/** What to switch on against a loss without history, of what is not on already. */
export function remedy(recipe: ObjectiveRecord): string {
  const { difference, options } = planOf(recipe);
  const { stopGradient, anchorWeight, effectWeight } = options;
  const steps = [
    ...(difference !== 'none' && !stopGradient && effectWeight > 0
      ? ['stop the gradient into the pass without history (--objective-option stopGradient=true)']
      : []),
    anchorWeight > 0
      ? `hold that pass closer to the starting model (anchorWeight above ${anchorWeight})`
      : 'anchor that pass to the starting model (--objective-option anchorWeight=0.1)',
  ];
  return `To mend it, ${steps.join(', or ')}.`;
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

function intervalText({ value, low, high }: Estimate): string {
  return `${signed(value, 3)} [${signed(low, 3)}, ${signed(high, 3)}]`;
}
