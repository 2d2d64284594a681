/**
 * @file Scores one system on held-out texts as it would be used: with the user's own history, without, with matched strangers' and
 * with that of the most similar user, all by the system's own retrieval.
 */
import type { ProgressListener } from '../../base/progress.ts';
import { mean } from '../../base/statistics/mean.ts';
import type { Example } from '../data/example.ts';
import type { ExampleScore } from '../evaluation/evaluate.ts';
import { promptOf } from '../prompts/collate.ts';
import { type ComparedPrompts, comparedPrompts, lacksOthers } from '../prompts/compared-prompts.ts';
import type { PromptPair, PromptSettings } from '../prompts/pair.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';
import { createScorer } from '../scoring/scorer.ts';
import { logProbabilitiesAtStrengths, logProbabilitiesContrasted } from '../scoring/strengths.ts';
import { logProbabilitiesByReader, type ReadPrompt, type UserAdapters } from '../scoring/user-adapters.ts';
import type { BenchmarkSystem } from './systems.ts';

/**
 * What was measured on one text. A system that shows no history and has no adapters of users has one likelihood, whoever's history it
 * might have shown. Where users have adapters, another user's history comes with that user's adapter.
 */
export interface BenchmarkScore extends ExampleScore {
  /** With the history of the user whose words are most like the own ones. */
  readonly nllSimilarHistory: number;
  /** Tokens of the prompt as the system makes it. */
  readonly promptTokens: number;
}

export interface ScoreSystemOptions {
  /** Of all systems alike; the system's retrieval is added. */
  readonly prompt: PromptSettings;
  /** Where other users' histories come from. */
  readonly pool: readonly Example[];
  /** Matched strangers for each text. */
  readonly others: number;
  readonly seed: number;
  /** s of a system that scales something; 1 by default. */
  readonly strength?: number;
  /** Of users on the model: a history is read by its own user's adapter, and no history by none. */
  readonly adapters?: UserAdapters;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: ProgressListener;
}

/** The prompt settings of a system: those of all, its own retrieval, and its way to show the items. */
export const promptOfSystem = (
  { retrieval = 'latest', template }: Pick<BenchmarkSystem, 'retrieval' | 'template'>,
  prompt: PromptSettings,
): PromptSettings => ({ ...prompt, retrieval, ...(template && { template }) });

/** Prompts of one text that can be compared, or nothing. */
interface Prompted {
  readonly example: Example;
  readonly compared: ComparedPrompts;
  readonly similar: PromptPair;
  /** Whose history that is. */
  readonly similarUser: string;
}

/**
 * The scores of the texts whose history shows, and strangers' and the most similar user's beside it; the others are left out.
 * @throws {DataError} when too few users have a history, or a prompt does not fit
 * Cost: for K others K + 4 passes a text at most; one where no history is shown and no user has an adapter.
 */
export async function scoreSystem(
  scored: ScoredModel,
  system: BenchmarkSystem,
  examples: readonly Example[],
  options: ScoreSystemOptions,
): Promise<BenchmarkScore[]> {
  const { pool, others, seed, adapters, threads, signal, onProgress, strength = 1 } = options;
  const settings = promptOfSystem(system, options.prompt);
  const { tokenizer } = scored.model;
  const texts = examples.flatMap((example): Prompted[] => {
    const asked = { pool, seed };
    const compared = comparedPrompts(example, tokenizer, settings, { ...asked, others });
    if (!compared.pair.hasHistory || lacksOthers(compared)) return [];
    const {
      others: [similar],
      matched,
    } = comparedPrompts(example, tokenizer, settings, { ...asked, others: 1, othersBy: 'similar' });
    if (similar === undefined) return [];
    return [{ example, compared, similar, similarUser: matched!.others[0]!.user }];
  });
  const isShown = system.retrieval !== undefined;
  // An adapter of one's own is a history that has been learnt.
  const isPersonal = isShown || adapters !== undefined;
  const pairsOf = ({ compared: { pair, own, others: strangers }, similar }: Prompted) => [
    pair,
    own ?? pair,
    similar,
    ...strangers,
  ];
  const readersOf = ({ example, compared, similarUser }: Prompted) => [
    example.user,
    example.user,
    similarUser,
    ...compared.matched!.others.map(({ user }) => user),
  ];
  const running = { ...(threads !== undefined && { threads }), ...(signal && { signal }) };
  const onDone = (total: number) => (done: number) =>
    onProgress?.({ stage: 'scoring', done, total, unit: 'prompts' });
  const nll: number[][] = [];
  const { model, adapter } = scored;
  const isContrasted = system.scales === 'adapter' && adapter !== undefined && strength !== 1;
  const each = isPersonal ? 4 + others : 1;
  if (adapters !== undefined) {
    const prompts = texts.flatMap((text): ReadPrompt[] => {
      const readers = readersOf(text);
      return [
        { prompt: promptOf(text.compared.pair, 'withoutHistoryIds') },
        ...pairsOf(text).map((pair, p) => ({
          prompt: promptOf(
            isShown ? pair : text.compared.pair,
            isShown ? 'withHistoryIds' : 'withoutHistoryIds',
          ),
          reader: readers[p]!,
        })),
      ];
    });
    const reading = { ...running, ...(onProgress && { onProgress }) };
    const scores = await logProbabilitiesByReader(model, adapters, prompts, reading);
    texts.forEach((_, i) => {
      nll.push(scores.slice(i * each, (i + 1) * each).map((values) => -mean(values)));
    });
  } else if (isContrasted || !isShown || strength === 1) {
    const prompts = texts.flatMap((text) => [
      promptOf(text.compared.pair, 'withoutHistoryIds'),
      ...(isShown ? pairsOf(text).map((pair) => promptOf(pair)) : []),
    ]);
    const done = onDone(prompts.length);
    await using scorer = createScorer(scored, running);
    const means = isContrasted
      ? (
          await logProbabilitiesContrasted({ model, adapter }, prompts, [strength], {
            ...running,
            onDone: done,
          })
        ).map(([contrasted]) => contrasted!)
      : (await scorer.logProbabilities(prompts, done)).map((values) => mean(values));
    const values = means.map((value) => -value);
    texts.forEach((_, i) => {
      nll.push(values.slice(i * each, (i + 1) * each));
    });
  } else {
    const pairs = texts.flatMap((text) => [text.compared.pair, ...pairsOf(text)]);
    const at = await logProbabilitiesAtStrengths(scored, pairs, [0, strength], {
      ...running,
      onDone: onDone(pairs.length),
    });
    texts.forEach((_, i) => {
      nll.push(at.slice(i * each, (i + 1) * each).map(([zero, steered], p) => -(p === 0 ? zero! : steered!)));
    });
  }
  return texts.map(({ example, compared: { pair } }, i): BenchmarkScore => {
    const [none, ...rest] = nll[i]! as [number, ...number[]];
    const [full = none, own = none, similar = none, ...strangers] = rest;
    const best = Math.min(own, ...strangers);
    const ties = 1 + strangers.filter((value) => value === own).length;
    return {
      example: example.id,
      user: example.user,
      tokens: pair.responseIds.length,
      promptTokens: (isShown ? pair.withHistoryIds : pair.withoutHistoryIds).length,
      nllWithHistory: full,
      nllWithoutHistory: none,
      nllOtherHistory: isPersonal ? mean(strangers) : none,
      nllSimilarHistory: similar,
      identified: isPersonal ? (own === best ? 1 / ties : 0) : 1 / (others + 1),
    };
  });
}
