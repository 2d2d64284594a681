/** @file Choices by likelihood, with the history and without: LaMP-1 to -3 and PersonaMem without generation. */
import { ConfigError, DataError } from '../../base/errors.ts';
import type { ProgressListener } from '../../base/progress.ts';
import type { BootstrapOptions } from '../../base/statistics/bootstrap.ts';
import { meanByUser } from '../../base/statistics/by-user.ts';
import { type Estimate, intervalOfEnough } from '../../base/statistics/estimate.ts';
import type { Example } from '../data/example.ts';
import { promptOf } from '../prompts/collate.ts';
import { type PromptSettings, promptPair } from '../prompts/pair.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';
import { createScorer, type ScorerOptions } from '../scoring/scorer.ts';

/** A question with the texts to choose among: an example whose response is one of them. */
export interface ChoiceItem extends Omit<Example, 'response' | 'causes'> {
  /** At least two, all different; the same labels for each item of a classification. */
  readonly choices: readonly string[];
  /** Index of the right choice, where it is known. */
  readonly answer?: number;
}

/**
 * What makes a choice: `likelihood`, log p of all its tokens and the end of turn, which suits labels; `per-token`, its mean,
 * for options of different lengths; `effect`, how much the history raises log p, which leaves out what the model likes anyway.
 */
export type ChoiceRule = 'likelihood' | 'per-token' | 'effect';

export const choiceRules: readonly ChoiceRule[] = ['likelihood', 'per-token', 'effect'];

/** One choice; nats. */
export interface ScoredChoice {
  readonly choice: string;
  /** log p of all response tokens, the end of turn included. */
  readonly logProbWithHistory: number;
  readonly logProbWithoutHistory: number;
  readonly tokens: number;
}

/** The choices of one item, and which of them is made. */
export interface ScoredChoices {
  readonly id: string;
  readonly user: string;
  readonly choices: readonly ScoredChoice[];
  /** Index of the choice made with the history; the first one among equals. */
  readonly chosen: number;
  /** Index of the choice made without; by `likelihood` where the rule is `effect`. */
  readonly chosenWithoutHistory: number;
  /** False when no item of the history fits: both prompts are then the same. */
  readonly hasHistory: boolean;
  readonly answer?: number;
}

/** How answers to choose from are scored. */
export interface ScoreChoicesOptions extends Omit<ScorerOptions, 'objective' | 'objectiveOptions'> {
  readonly prompt: PromptSettings;
  /** Default `likelihood`. */
  readonly rule?: ChoiceRule;
  readonly onProgress?: ProgressListener;
}

/**
 * The choices that a model makes, in the order of `items`.
 * @throws {ConfigError} when the reference value is `placebo`: choices are compared with no history at all
 * @throws {DataError} when an item has fewer than two choices, the same one twice, an answer that is none of them, or a
 *   prompt that does not fit even without history
 * Cost: two passes a choice; equal prompts once.
 */
export async function scoreChoices(
  scored: ScoredModel,
  items: readonly ChoiceItem[],
  options: ScoreChoicesOptions,
): Promise<ScoredChoices[]> {
  const { prompt, rule = 'likelihood', onProgress } = options;
  if (prompt.reference === 'placebo')
    throw new ConfigError('scoreChoices: reference: expected removed or none-text, got placebo', {
      code: 'config/reference',
      hint: 'Score the items with another user’s history to compare with it.',
    });
  items.forEach(checkItem);
  const pairs = items.map(({ choices, answer: _, ...item }) =>
    choices.map((response) => promptPair({ ...item, response }, scored.model.tokenizer, prompt)),
  );
  await using scorer = createScorer(scored, options);
  const prompts = pairs.flat().flatMap((pair) => [promptOf(pair), promptOf(pair, 'withoutHistoryIds')]);
  const logProbabilities = await scorer.logProbabilities(prompts, (done) =>
    onProgress?.({ stage: 'choices', done, total: prompts.length, unit: 'prompts' }),
  );
  let place = 0;
  const next = () => logProbabilities[place++]!.reduce((sum, value) => sum + value, 0);
  return items.map(({ id, user, choices, answer }, n) => {
    const results = choices.map((choice, c): ScoredChoice => {
      const [logProbWithHistory, logProbWithoutHistory] = [next(), next()];
      return { choice, logProbWithHistory, logProbWithoutHistory, tokens: pairs[n]![c]!.responseIds.length };
    });
    return {
      id,
      user,
      choices: results,
      chosen: greatest(results.map(SCORES[rule])),
      chosenWithoutHistory: greatest(results.map(SCORES_WITHOUT[rule])),
      hasHistory: pairs[n]!.some(({ hasHistory }) => hasHistory),
      ...(answer !== undefined && { answer }),
    };
  });
}

/** How often a model chooses rightly; means over users, with intervals where users are enough. */
export interface ChoiceAccuracy {
  readonly withHistory: Estimate;
  readonly withoutHistory: Estimate;
  /** With minus without, of the same items. */
  readonly difference: Estimate;
  /** Items with an answer, which these numbers are of. */
  readonly items: number;
}

/** Accuracy of choices whose answer is known. @throws {DataError} when none is */
export function choiceAccuracy(
  results: readonly ScoredChoices[],
  bootstrap: BootstrapOptions = {},
): ChoiceAccuracy {
  const known = results.filter(({ answer }) => answer !== undefined);
  const users = new Set(known.map(({ user }) => user)).size;
  const byUser = (value: (result: ScoredChoices) => number) => {
    const rows = known.map((result) => ({ user: result.user, value: value(result) }));
    return intervalOfEnough(meanByUser(rows, bootstrap), users);
  };
  const right = ({ chosen, answer }: ScoredChoices) => Number(chosen === answer);
  const rightWithout = ({ chosenWithoutHistory, answer }: ScoredChoices) =>
    Number(chosenWithoutHistory === answer);
  return {
    withHistory: byUser(right),
    withoutHistory: byUser(rightWithout),
    difference: byUser((result) => right(result) - rightWithout(result)),
    items: known.length,
  };
}

const SCORES: Readonly<Record<ChoiceRule, (choice: ScoredChoice) => number>> = {
  likelihood: ({ logProbWithHistory }) => logProbWithHistory,
  'per-token': ({ logProbWithHistory, tokens }) => logProbWithHistory / tokens,
  effect: ({ logProbWithHistory, logProbWithoutHistory }) => logProbWithHistory - logProbWithoutHistory,
};

const SCORES_WITHOUT: typeof SCORES = {
  likelihood: ({ logProbWithoutHistory }) => logProbWithoutHistory,
  'per-token': ({ logProbWithoutHistory, tokens }) => logProbWithoutHistory / tokens,
  effect: ({ logProbWithoutHistory }) => logProbWithoutHistory,
};

function greatest(values: readonly number[]): number {
  return values.indexOf(Math.max(...values));
}

function checkItem({ id, choices, answer }: ChoiceItem): void {
  const fail = (expected: string, got: string) =>
    new DataError(`item ${id}: expected ${expected}, got ${got}`, {
      code: 'data/choices',
      hint: 'Give each item two choices or more, all different, and the index of the right one.',
    });
  if (choices.length < 2) throw fail('at least two choices', `${choices.length}`);
  if (new Set(choices).size < choices.length) throw fail('different choices', 'one of them twice');
  if (answer !== undefined && !(answer in choices))
    throw fail(`an answer from 0 to ${choices.length - 1}`, String(answer));
}
