/**
 * @file Audit without training: does the history change what a model says, for whom, where, and by how much more than
 * another user's history would. The named effects A, B, C and D_i (effects/named-effects.ts), with intervals by user.
 */

import { ConfigError } from '../../base/errors.ts';
import type { ProgressListener } from '../../base/progress.ts';
import type { BootstrapOptions } from '../../base/statistics/bootstrap.ts';
import { mean } from '../../base/statistics/mean.ts';
import type { Example } from '../data/example.ts';
import { type ExplainOptions, explainAll } from '../explain/explain.ts';
import { matchingOf } from '../others/matching.ts';
import type { OthersBy } from '../others/similar.ts';
import { comparedExamples } from '../prompts/compared-examples.ts';
import type { PromptSettings } from '../prompts/pair.ts';
import { memoryKeeper } from '../scoring/score-keeper.ts';
import { productsRecord, type ScoredModel } from '../scoring/scored-model.ts';
import type { ScorerOptions } from '../scoring/scorer.ts';
import { givesStrengths, historyStrength } from '../strength/history-strength.ts';
import { doseCurve } from './dose.ts';
import { effectsByDomain, effectsByUser, meanEffects, textEffects } from './groups.ts';
import { auditText, dosesOf } from './plan.ts';
import type { AuditResult } from './results.ts';
import { scoreFile } from './score-store.ts';
import { scoreTexts, type TextScores } from './scores.ts';
import { whereInText } from './where.ts';

/** How an audit is made. */
export interface AuditOptions
  extends Pick<ScorerOptions, 'threads' | 'tokensPerRun' | 'signal' | 'cache' | 'onTokens'> {
  readonly prompt: PromptSettings;
  /** The name of the model in the result. */
  readonly modelName: string;
  /** Other users' histories for each text; 3 by default, or fewer where fewer users have one. */
  readonly others?: number;
  /** Which other users; `matched` by default. */
  readonly othersBy?: OthersBy;
  /** Where other users' histories come from; the examples themselves by default. */
  readonly pool?: readonly Example[];
  /** Refuses a text that is too long in place of leaving it out; false by default. */
  readonly strict?: boolean;
  /** Heat maps of the most and the least personal texts, with the effects of their items; 4 by default. */
  readonly maps?: number;
  /**
   * Strengths of the history that the loss is measured at, ascending, 1 among them; those of {@link historyStrength} by default, none
   * where the list is empty. A server and a worker give no logits: there is then no strength.
   */
  readonly strengths?: readonly number[];
  /** Random subsets of the other items for each item of those texts; 16 by default. */
  readonly subsets?: number;
  /** A file that keeps the scores: what it has is not computed again. None by default. */
  readonly store?: string;
  /** Of resamples and subsets; 0 by default. */
  readonly seed?: number;
  /** Resamples of the users for each interval; 2000 by default. */
  readonly resamples?: number;
  readonly onProgress?: ProgressListener;
}

const DEFAULT_MAPS = 4;

/**
 * Audits a model on examples.
 * @throws {ConfigError} for the reference value `placebo`, against which B would be measured
 * @throws {DataError} when no example shows a history, or too few users have one
 * Cost: a text takes 2 passes, one for each other history and up to 3 for the dose curve; a heat map those of its items, too.
 */
export async function audit(
  scored: ScoredModel,
  examples: readonly Example[],
  options: AuditOptions,
): Promise<AuditResult> {
  const {
    prompt,
    pool = examples,
    others: asked,
    othersBy,
    seed = 0,
    resamples,
    strengths,
    store: path,
  } = options;
  const { onProgress, signal, threads, tokensPerRun, cache, onTokens } = options;
  if (prompt.reference === 'placebo')
    throw new ConfigError('reference: expected removed or none-text for an audit, got placebo', {
      code: 'config/reference',
      hint: 'Another user’s history is what the audit compares with; choose the reference removed.',
    });
  const { tokenizer, hash } = scored.model;
  const { compared, others, leftOut } = await comparedExamples(examples, tokenizer, prompt, {
    pool,
    others: asked,
    othersBy,
    seed,
    strict: options.strict,
    signal,
    caller: 'audit',
  });
  const doses = dosesOf(compared.map(({ pair }) => pair));
  const texts = compared.map((each) => auditText(each.example, each, doses, tokenizer, prompt));
  const running = {
    ...(threads !== undefined && { threads }),
    ...(tokensPerRun !== undefined && { tokensPerRun }),
    ...(signal !== undefined && { signal }),
    ...(cache !== undefined && { cache }),
    ...(onTokens !== undefined && { onTokens }),
    ...(onProgress !== undefined && { onProgress }),
  };
  await using store = path === undefined ? undefined : await scoreFile(path, scored);
  const kept = { ...running, keeper: store ?? memoryKeeper() };
  const bootstrap: BootstrapOptions = { seed, ...(resamples !== undefined && { resamples }) };
  // First: the prompts with the own history and with none are scored on the way.
  const strength =
    givesStrengths(scored) && strengths?.length !== 0
      ? await historyStrength(scored, compared, {
          ...kept,
          bootstrap,
          ...(strengths && { strengths }),
        })
      : undefined;
  const scores = await scoreTexts(scored, texts, kept);
  const maps = await extremeMaps(scored, scores, { ...options, pool, others }, kept);

  const effects = scores.map((score) => textEffects(score));
  return {
    format: 'nextquill/audit',
    version: 1,
    model: options.modelName,
    modelHash: hash,
    ...(scored.remote && { remote: scored.remote.record() }),
    ...productsRecord(scored),
    prompt,
    seed,
    others,
    matching: matchingOf(compared.flatMap(({ matched }) => matched ?? [])),
    itemsShown: {
      own: mean(texts.map(({ pair }) => pair.historyItemsUsed)),
      others: mean(texts.flatMap(({ others }) => others.map((pair) => pair.historyItemsUsed))),
    },
    users: new Set(effects.map(({ user }) => user)).size,
    texts: scores.length,
    tokens: scores.reduce((sum, { own }) => sum + own.length, 0),
    effects: meanEffects(effects, bootstrap),
    byUser: effectsByUser(effects, bootstrap),
    byDomain: effectsByDomain(scores, bootstrap),
    dose: doseCurve(scores, doses, bootstrap),
    ...(strength && { strength }),
    where: whereInText(scores, tokenText(scored), bootstrap),
    leftOut,
    maps,
  };
}

/** A token of a response as it was written; the end of turn as the tokenizer calls it. */
function tokenText({ model }: ScoredModel): (score: TextScores, position: number) => string {
  return ({ example, pair }, t) => {
    const [start, end] = [pair.responseStarts[t]!, pair.responseEnds[t]!];
    return end > start ? example.response.slice(start, end) : model.tokenizer.tokenText(pair.responseIds[t]!);
  };
}

/** Heat maps of the texts with the largest C, then of those with the smallest. */
async function extremeMaps(
  scored: ScoredModel,
  scores: readonly TextScores[],
  { maps = DEFAULT_MAPS, subsets, seed, prompt, pool, others, modelName }: AuditOptions,
  running: Omit<ScorerOptions, 'objective' | 'objectiveOptions'> & Pick<ExplainOptions, 'onProgress'>,
): Promise<AuditResult['maps']> {
  const order = scores
    .map(({ example }, i) => ({ example, userSpecific: textEffects(scores[i]!).userSpecific }))
    .sort((a, b) => b.userSpecific - a.userSpecific);
  const most = Math.min(Math.ceil(maps / 2), order.length);
  const least = Math.min(Math.floor(maps / 2), order.length - most);
  const chosen = [...order.slice(0, most), ...order.slice(order.length - least)];
  const drawn = await explainAll(
    scored,
    chosen.map(({ example }) => example),
    {
      ...running,
      prompt,
      modelName,
      ...(pool !== undefined && { pool }),
      ...(others !== undefined && { others }),
      ...(seed !== undefined && { seed }),
      items: { ...(subsets !== undefined && { subsets }) },
    },
  );
  return { most: drawn.slice(0, most), least: drawn.slice(most) };
}
