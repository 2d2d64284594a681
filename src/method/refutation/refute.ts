/** @file Tries to refute the effect of the histories: every test of the suite, scored in one go and judged by intervals. */

import type { ProgressListener } from '../../base/progress.ts';
import type { BootstrapOptions } from '../../base/statistics/bootstrap.ts';
import { type ExampleValue, meanByUser, shareByUser } from '../../base/statistics/by-user.ts';
import { FEWEST_FOR_INTERVAL } from '../../base/statistics/estimate.ts';
import { mean } from '../../base/statistics/mean.ts';
import type { Tokenizer } from '../../engine/tokenizer/tokenizer.ts';
import type { Example } from '../data/example.ts';
import { checkOthers, matchingOf } from '../others/matching.ts';
import { DEFAULT_OTHERS } from '../others/others-histories.ts';
import type { OthersBy } from '../others/similar.ts';
import type { PromptSettings } from '../prompts/pair.ts';
import type { Scorer } from '../scoring/pair-effects.ts';
import { productsRecord, type ScoredModel } from '../scoring/scored-model.ts';
import { createScorer, type ScorerOptions } from '../scoring/scorer.ts';
import { ownHistory } from './own-history.ts';
import { type Control, contrast, type RefutationTest } from './refutation-test.ts';
import type { Refutation, RefutationResult } from './results.ts';
import { refutationSubjects } from './subjects.ts';
import { refutationTests } from './suite.ts';
import { ROUNDING } from './verdict.ts';

/** How effects are tried. */
export interface RefutationOptions extends Omit<ScorerOptions, 'objective' | 'objectiveOptions'> {
  readonly prompt: PromptSettings;
  /** Other users' histories for each example, at least 2: one stranger is compared with the rest; {@link DEFAULT_OTHERS} by default. */
  readonly others?: number;
  /** Which other users; `matched` by default. */
  readonly othersBy?: OthersBy;
  /** Where other users' histories come from; the examples themselves by default. */
  readonly pool?: readonly Example[];
  /** Refuses a text that is too long in place of leaving it out; false by default. */
  readonly strict?: boolean;
  /** Tests to run; all of {@link refutationTests} by default. */
  readonly tests?: readonly RefutationTest[];
  /** Draws others' histories, controls and intervals; 0 by default. */
  readonly seed?: number;
  /** How intervals are made; they are drawn by `seed`, too. */
  readonly bootstrap?: Omit<BootstrapOptions, 'seed'>;
  readonly onProgress?: ProgressListener;
}

/**
 * Runs the suite on a model.
 * @throws {ConfigError} when fewer than 2 others are asked for
 * @throws {DataError} when no example has a history that fits, or too few users have one
 * Cost: for k others about 6 (k + 1) passes an example.
 */
export async function refute(
  scored: ScoredModel,
  examples: readonly Example[],
  options: RefutationOptions,
): Promise<Refutation> {
  await using scorer = createScorer(scored, options);
  const { tests = refutationTests } = options;
  const { remote } = scored;
  if (remote === undefined) {
    const refutation = await refuteScores(scorer, scored.model.tokenizer, examples, options);
    return { ...refutation, ...productsRecord(scored) };
  }
  // Whether a server's numbers are at their own tokens was looked at when it was opened.
  const possible = tests.filter(({ needsLogits }) => needsLogits !== true);
  const refutation = await refuteScores(scorer, scored.model.tokenizer, examples, {
    ...options,
    tests: possible,
  });
  return { ...refutation, remote: remote.record() };
}

/** {@link refute} for whatever gives the scores. */
export async function refuteScores(
  scorer: Pick<Scorer, 'logProbabilities'>,
  tokenizer: Tokenizer,
  examples: readonly Example[],
  options: RefutationOptions,
): Promise<Refutation> {
  const { prompt, others = DEFAULT_OTHERS, pool = examples, seed = 0, onProgress } = options;
  const bootstrap = { ...options.bootstrap, seed };
  const { tests = refutationTests } = options;
  checkOthers(others, 2);
  const made = await refutationSubjects(examples, tokenizer, {
    prompt,
    others,
    pool,
    seed,
    strict: options.strict,
    signal: options.signal,
    ...(options.othersBy && { othersBy: options.othersBy }),
  });
  const { subjects } = made;
  const total: Plan = subjects.map(({ example, own }) =>
    contrast(made.prompt(example, own), [made.prompt(example, [])]),
  );
  const strangers: Plan = subjects.map(({ example, others: [a, b] }) =>
    distance(contrast(made.prompt(example, a!.history), [made.prompt(example, b!.history)])),
  );
  const planOf = (test: RefutationTest): Plan => subjects.map((subject) => test.control(subject, made));
  const values = await scorePlans(
    scorer,
    [total, strangers, planOf(ownHistory), ...tests.map(planOf)],
    onProgress,
  );

  const rows = values.map((effects) =>
    subjects.flatMap(({ example: { id, user } }, i): ExampleValue[] => {
      const value = effects[i];
      return value === undefined ? [] : [{ example: id, user, value }];
    }),
  );
  const [totalRows, strangerRows, claim, ...testRows] = rows as [
    ExampleValue[],
    ExampleValue[],
    ExampleValue[],
    ...ExampleValue[][],
  ];
  const distanceOfStrangers = meanByUser(strangerRows).value;
  const results = tests.map((test, t) => judged(test, testRows[t]!, claim, distanceOfStrangers, bootstrap));
  return {
    total: meanByUser(totalRows, bootstrap),
    userSpecific: meanByUser(claim, bootstrap),
    strangers: distanceOfStrangers,
    users: new Set(claim.map(({ user }) => user)).size,
    examples: claim.length,
    leftOut: made.leftOut,
    maxTokens: prompt.maxTokens,
    others,
    matching: matchingOf(subjects),
    tests: results,
    verdict:
      (['fails', 'cannot tell'] as const).find((bad) => results.some(({ verdict }) => verdict === bad)) ??
      'passes',
  };
}

/** The control of every subject, in their order. */
type Plan = readonly (Control | undefined)[];

/** The same prompts, and how far their scores are apart. */
function distance(control: Control | undefined): Control | undefined {
  return control && { ...control, effect: (scores) => Math.abs(control.effect(scores)) };
}

/** The effects of all plans; prompts that several of them share are scored once. */
async function scorePlans(
  scorer: Pick<Scorer, 'logProbabilities'>,
  plans: readonly Plan[],
  onProgress: ProgressListener | undefined,
): Promise<(number | undefined)[][]> {
  const prompts = plans.flatMap((plan) => plan.flatMap((control) => control?.prompts ?? []));
  const logProbabilities = await scorer.logProbabilities(prompts, (done) =>
    onProgress?.({ stage: 'refuting', done, total: prompts.length, unit: 'prompts' }),
  );
  const means = logProbabilities.map(mean);
  let at = 0;
  return plans.map((plan) => plan.map((control) => control?.effect(control.prompts.map(() => means[at++]!))));
}

function judged(
  test: RefutationTest,
  rows: readonly ExampleValue[],
  claim: readonly ExampleValue[],
  strangers: number,
  bootstrap: BootstrapOptions | undefined,
): RefutationResult {
  const { name, leaves } = test;
  const users = new Set(rows.map(({ user }) => user)).size;
  const row = { name, ...(leaves && { leaves }), users, examples: rows.length };
  if (rows.length === 0) return { ...row, verdict: 'cannot tell', reason: { code: 'no-example' } };
  if (users < FEWEST_FOR_INTERVAL)
    return { ...row, verdict: 'cannot tell', reason: { code: 'few-users', users } };
  const used = new Set(rows.map(({ example }) => example));
  const whole = claim.filter(({ example }) => used.has(example));
  const effect = meanByUser(rows, bootstrap);
  const isShown = meanByUser(whole, bootstrap).low > ROUNDING;
  const kept = test.leaves !== undefined && isShown ? shareByUser(rows, whole, bootstrap) : undefined;
  const shown = { effect, ...(kept && { kept }) };
  return { ...row, ...shown, ...test.judge({ ...shown, strangers }) };
}
