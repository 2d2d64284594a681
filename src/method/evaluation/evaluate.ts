/** @file Does a system personalise? Held-out likelihood with the user's history, without, and with other users'. */

import type { BootstrapOptions } from '../../base/statistics/bootstrap.ts';
import { type ExampleValue, meanByUser, pairedDifferenceByUser } from '../../base/statistics/by-user.ts';
import { mean } from '../../base/statistics/mean.ts';
import { pairedPermutationByUser } from '../../base/statistics/permutation.ts';
import type { Example } from '../data/example.ts';
import { type NamedEffects, namedEffects } from '../effects/named-effects.ts';
import { matchingOf } from '../others/matching.ts';
import { promptOf } from '../prompts/collate.ts';
import { comparedExamples } from '../prompts/compared-examples.ts';
import type { LeftOut } from '../prompts/left-out.ts';
import type { RemoteRecord } from '../scoring/remote-passes.ts';
import { memoryKeeper } from '../scoring/score-keeper.ts';
import { type ProductsRecord, productsRecord, type ScoredModel } from '../scoring/scored-model.ts';
import { type ComparingScorerOptions, createScorer } from '../scoring/scorer.ts';
import { givesStrengths, type HistoryStrength, historyStrength } from '../strength/history-strength.ts';
import type { HistoryEffect, Measure, PairedDifference, SystemResult } from './results.ts';

/** How a system is evaluated. */
export interface EvaluationOptions extends ComparingScorerOptions {
  /** Other users' histories for each example; 3 by default, or fewer where fewer users have one. */
  readonly others?: number;
  /** Strengths of the history that the loss is measured at, ascending, 1 among them; none by default. */
  readonly strengths?: readonly number[];
  /** Refuses a text that is too long in place of leaving it out; false by default. */
  readonly strict?: boolean;
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
export interface SystemEvaluation extends ProductsRecord {
  readonly system: SystemResult;
  readonly historyEffect: HistoryEffect;
  readonly scores: readonly ExampleScore[];
  /** How far the model should trust histories; where strengths were asked for and it gives logits. */
  readonly strength?: HistoryStrength;
  /** Examples that these measures say nothing about. */
  readonly leftOut: LeftOut;
  /** The server that scored, where one did. */
  readonly remote?: RemoteRecord;
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
  const { prompt, pool = examples, seed = 0, others: asked, othersBy, strict, signal, onProgress } = options;
  const bootstrap = { ...options.bootstrap, seed };
  const compared = await comparedExamples(examples, scored.model.tokenizer, prompt, {
    pool,
    others: asked,
    othersBy,
    seed,
    strict,
    signal,
    caller: 'evaluate',
  });
  const { compared: used, others: count, leftOut } = compared;
  const matches = used.flatMap(({ matched }) => matched ?? []);
  // For each example: own history, none, then the candidates of author identification with the true one first.
  const prompts = used.flatMap(({ pair, own, others }) => [
    promptOf(pair),
    promptOf(pair, 'withoutHistoryIds'),
    ...[own!, ...others].map((candidate) => promptOf(candidate)),
  ]);
  const perExample = 2 + 1 + count;
  const { strengths = [], keeper = memoryKeeper(), threads, tokensPerRun, cache, onTokens } = options;
  // First: the prompts with the own history and with none are scored on the way.
  const strength =
    strengths.length > 0 && givesStrengths(scored)
      ? await historyStrength(scored, used, {
          ...{ strengths, keeper, cache, bootstrap, onProgress, onTokens },
          ...(threads !== undefined && { threads }),
          ...(tokensPerRun !== undefined && { tokensPerRun }),
          ...(signal && { signal }),
        })
      : undefined;
  await using scorer = createScorer(scored, strength === undefined ? options : { ...options, keeper });
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
    ...(strength && { strength }),
    leftOut,
    ...(scored.remote && { remote: scored.remote.record() }),
    ...productsRecord(scored),
  };
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
