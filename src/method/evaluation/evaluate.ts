/** @file Does a system personalise? Held-out likelihood with the user's history, without, and with other users'. */

import { DataError } from '../../base/errors.ts';
import type { BootstrapOptions } from '../../base/statistics/bootstrap.ts';
import { type ExampleValue, meanByUser, pairedDifferenceByUser } from '../../base/statistics/by-user.ts';
import { mean } from '../../base/statistics/mean.ts';
import { pairedPermutationByUser } from '../../base/statistics/permutation.ts';
import type { Example } from '../data/example.ts';
import { type NamedEffects, namedEffects } from '../effects/named-effects.ts';
import { matchingOf } from '../others/matching.ts';
import { DEFAULT_OTHERS, othersForAll } from '../others/others-histories.ts';
import { promptOf } from '../prompts/collate.ts';
import { comparedPrompts, hiddenOthers, lacksOthers } from '../prompts/compared-prompts.ts';
import { type PromptSettings, promptPair } from '../prompts/pair.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';
import { type ComparingScorerOptions, createScorer } from '../scoring/scorer.ts';
import type { HistoryEffect, Measure, PairedDifference, SystemResult } from './results.ts';

export interface EvaluationOptions extends ComparingScorerOptions {
  /** Other users' histories for each example; {@link DEFAULT_OTHERS} by default, or fewer where fewer users have one. */
  readonly others?: number;
  /** How intervals are made; they are drawn by `seed`, too. */
  readonly bootstrap?: Omit<BootstrapOptions, 'seed'>;
}

/** What was measured on one example; nats a response token. */
export interface ExampleScore {
  readonly example: string;
  readonly user: string;
  readonly tokens: number;
  readonly nllWithHistory: number;
  readonly nllWithoutHistory: number;
  /** Mean over the others. */
  readonly nllOtherHistory: number;
  /** 1 where the user's own history makes the text likeliest, ties shared. */
  readonly identified: number;
}

/** A system's numbers, and the examples they come from. */
export interface SystemEvaluation {
  readonly system: SystemResult;
  readonly historyEffect: HistoryEffect;
  readonly scores: readonly ExampleScore[];
  /** Examples without a history that fits, which these measures say nothing about. */
  readonly withoutHistory: number;
  /** Examples whose history shows, and no other user's: left out too. */
  readonly withoutOthers: number;
}

/**
 * Scores examples with their own history, without, and with other users' (others/others-histories.ts). Author identification
 * chooses among these and the own history, cut to as many items.
 * @throws {DataError} when no example has a history that can be compared, or too few users have one
 * Cost: for k others k + 2 passes an example, one more where its history is longer than the others'.
 */
export async function evaluate(
  name: string,
  scored: ScoredModel,
  examples: readonly Example[],
  options: EvaluationOptions,
): Promise<SystemEvaluation> {
  const { prompt, pool = examples, seed = 0, othersBy, onProgress, onNotice } = options;
  const bootstrap = { ...options.bootstrap, seed };
  const { tokenizer } = scored.model;
  // Whether an item fits does not depend on the reference value.
  const showing = examples.filter(
    (example) => promptPair(example, tokenizer, { ...prompt, reference: 'removed' }).hasHistory,
  );
  if (showing.length === 0) throw noHistories(examples.length, prompt);
  const count = othersOf(showing, pool, options);
  const compared = showing.map((example) => ({
    example,
    ...comparedPrompts(example, tokenizer, prompt, {
      pool,
      others: count,
      seed,
      ...(othersBy && { othersBy }),
    }),
  }));
  const lacking = compared.filter(lacksOthers).map(({ example }) => example);
  const notice = hiddenOthers(lacking, showing.length, prompt, 'left-out');
  if (notice !== undefined) onNotice?.(notice);
  const used = compared.filter((each) => !lacksOthers(each));
  if (used.length === 0) throw noHistories(examples.length, prompt);
  const matches = used.flatMap(({ matched }) => matched ?? []);
  // For each example: own history, none, then the candidates of author identification with the true one first.
  const prompts = used.flatMap(({ pair, own, others }) => [
    promptOf(pair),
    promptOf(pair, 'withoutHistoryIds'),
    ...[own!, ...others].map((candidate) => promptOf(candidate)),
  ]);
  const perExample = 2 + 1 + count;
  await using scorer = createScorer(scored, options);
  const logProbabilities = await scorer.logProbabilities(prompts, (done) =>
    onProgress?.({ stage: `evaluating ${name}`, done, total: prompts.length, unit: 'prompts' }),
  );
  const nll = logProbabilities.map((values) => -mean(values));
  const scores = used.map(({ example }, i): ExampleScore => {
    const [withHistory, withoutHistory, own, ...others] = nll.slice(i * perExample, (i + 1) * perExample) as [
      number,
      number,
      number,
      ...number[],
    ];
    const candidates = [own, ...others];
    const best = Math.min(...candidates);
    return {
      example: example.id,
      user: example.user,
      tokens: prompts[i * perExample]!.responseIds.length,
      nllWithHistory: withHistory,
      nllWithoutHistory: withoutHistory,
      nllOtherHistory: mean(others),
      identified: own === best ? 1 / candidates.filter((value) => value === best).length : 0,
    };
  });
  const byUser = (value: (score: ExampleScore) => number) =>
    meanByUser(
      scores.map((score) => ({ user: score.user, value: value(score) })),
      bootstrap,
    );
  return {
    system: {
      name,
      nllWithHistory: byUser((s) => s.nllWithHistory),
      nllWithoutHistory: byUser((s) => s.nllWithoutHistory),
      nllOtherHistory: byUser((s) => s.nllOtherHistory),
      authorIdentification: {
        ...byUser((s) => s.identified),
        k: count + 1,
        matching: matchingOf(matches),
      },
    },
    historyEffect: {
      system: name,
      total: byUser(measureOf.totalEffect),
      generic: byUser((s) => effectsOf(s).generic),
      userSpecific: byUser(measureOf.userSpecificEffect),
    },
    scores,
    withoutHistory: examples.length - showing.length,
    withoutOthers: lacking.length,
  };
}

/** Other users' histories of every example: as many as asked for, or else as every example can be given. */
function othersOf(
  examples: readonly Example[],
  pool: readonly Example[],
  { others, prompt }: EvaluationOptions,
): number {
  // One more user's history stands for none.
  const reference = prompt.reference === 'placebo' ? 1 : 0;
  const most = (others ?? DEFAULT_OTHERS) + reference;
  return othersForAll(examples, pool, most, others === undefined ? 1 + reference : most) - reference;
}

function noHistories(examples: number, { maxTokens }: PromptSettings): DataError {
  return new DataError(
    `evaluate: expected examples with a history that fits into ${maxTokens} tokens, and another user's beside it, got ${examples} without`,
    {
      code: 'data/no-history',
      hint: 'Give examples whose history is not empty and fits the budget.',
    },
  );
}

/** What each measure is of one example. */
export const measureOf: Readonly<Record<Measure, (score: ExampleScore) => number>> = {
  nllWithHistory: (s) => s.nllWithHistory,
  nllWithoutHistory: (s) => s.nllWithoutHistory,
  nllOtherHistory: (s) => s.nllOtherHistory,
  authorIdentification: (s) => s.identified,
  totalEffect: (s) => effectsOf(s).total,
  userSpecificEffect: (s) => effectsOf(s).userSpecific,
};

/** A, B and C of one example. */
function effectsOf({ nllWithHistory, nllWithoutHistory, nllOtherHistory }: ExampleScore): NamedEffects {
  return namedEffects({ own: -nllWithHistory, none: -nllWithoutHistory, others: [-nllOtherHistory] });
}

/** A system's name and its scores: all that a comparison reads of a {@link SystemEvaluation}. */
export interface ScoredSystem {
  readonly system: { readonly name: string };
  readonly scores: readonly ExampleScore[];
}

/**
 * `system` − `baseline` in the given measures, on the same examples, with intervals and paired permutation tests by user.
 * @param bootstrap its seed draws the sign patterns of the tests, too
 * @throws {DataError} when the systems were not scored on the same examples
 */
export function pairedDifferences(
  system: ScoredSystem,
  baseline: ScoredSystem,
  measures: readonly Measure[],
  bootstrap?: BootstrapOptions,
): PairedDifference[] {
  const values = (evaluation: ScoredSystem, measure: Measure): ExampleValue[] =>
    evaluation.scores.map((score) => ({
      example: score.example,
      user: score.user,
      value: measureOf[measure](score),
    }));
  const permutation = bootstrap?.seed === undefined ? {} : { seed: bootstrap.seed };
  return measures.map((measure) => {
    const sides = [values(system, measure), values(baseline, measure)] as const;
    return {
      system: system.system.name,
      baseline: baseline.system.name,
      measure,
      estimate: pairedDifferenceByUser(...sides, bootstrap),
      pValue: pairedPermutationByUser(...sides, permutation).pValue,
    };
  });
}
