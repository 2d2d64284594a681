/** @file The effects of every response token of some examples as flat rows: what the `effects` command writes. */
import { pauses } from '../../base/breathe.ts';
import { mean } from '../../base/statistics/mean.ts';
import type { Example } from '../data/example.ts';
import { namedEffects } from '../effects/named-effects.ts';
import { planObjective } from '../objectives/plan.ts';
import { checkOthers } from '../others/matching.ts';
import { promptOf } from '../prompts/collate.ts';
import {
  type ComparedPrompts,
  comparedPrompts,
  hiddenOthers,
  lacksOthers,
} from '../prompts/compared-prompts.ts';
import {
  type LeftOut,
  leftOutCounter,
  noHistoryNotice,
  tooLongNotice,
  unlessTooLong,
} from '../prompts/left-out.ts';
import { hiddenHistories, type PromptPair, type Prompts, type ShownItems } from '../prompts/pair.ts';
import type { PairEffects } from './pair-effects.ts';
import type { ScoredModel } from './scored-model.ts';
import { type ComparingScorerOptions, createScorer } from './scorer.ts';

/** One response token; natural logarithms. Scripts rely on the names of these fields. */
export interface EffectRow {
  readonly example: string;
  readonly user: string;
  /** Counts response tokens; the last one is the end-of-turn token, with start = end = length. */
  readonly position: number;
  readonly tokenId: number;
  readonly token: string;
  /** UTF-16 offsets in the response. */
  readonly start: number;
  readonly end: number;
  readonly logProbWithHistory: number;
  readonly logProbWithoutHistory: number;
  readonly effectProbability: number;
  readonly effectLogRatio: number;
  /** NaN, in JSON null, where a server scored: it gives no distributions. */
  readonly effectDivergence: number;
  /** Only where a server scored: what the divergence is at least, by the likeliest tokens; NaN, in JSON null, where it gave none. */
  readonly effectDivergenceAtLeast?: number;
  /**
   * B: mean log ratio of other users' histories; where others were asked for. 0 without a history, as every effect;
   * absent where no other user's history fits.
   */
  readonly effectPlacebo?: number;
  /** C = log ratio − B. */
  readonly effectUserSpecific?: number;
  /** What the token counts for in the objective's fit, its plain share included; sums to 1, uniform when no objective is named. */
  readonly weight: number;
  /** On the first row of an example, where prompts were asked for. */
  readonly promptIdsWithHistory?: readonly number[];
  readonly promptIdsWithoutHistory?: readonly number[];
  readonly responseIds?: readonly number[];
}

/** Notices come once each, at the end: how many histories did not fit, how many texts are compared with nobody. */
export interface EffectRowsOptions extends ComparingScorerOptions {
  /** Other users' histories for each example, matched in period, domain and length; 0 by default. */
  readonly others?: number;
  readonly withPrompts?: boolean;
  /** Refuses a text that is too long in place of leaving it out; false by default. */
  readonly strict?: boolean;
  /** Told at the end which examples were left out: those whose texts are too long. */
  readonly onLeftOut?: (leftOut: LeftOut) => void;
}

/** An example with its prompts and the effects of its tokens. */
export interface ExampleEffects {
  readonly example: Example;
  readonly pair: PromptPair & ShownItems;
  readonly effects: PairEffects;
  /**
   * Mean over other users v of log p(y_t | h_v), f32[S], nats; where others were asked for. Without a history there is
   * nothing to compare with another's: it is then log p(y_t | ∅), so that B and C are 0 as every effect is. Absent, too,
   * where a history shows and no other user's fits: B and C are then not known.
   */
  readonly logProbWithOthers?: Float32Array;
}

/** Examples scored together, so that runs are full and rows still come while later examples are computed. */
const EXAMPLES_TOGETHER = 64;

/** The same for a worker, whose runs are of prompts of like lengths: the more it has to choose from, the less is padding. */
const EXAMPLES_OF_A_WORKER = 512;

/**
 * Scores examples and yields them in order, except for those whose texts are too long.
 * @throws {DataError} when none fits, one does not and the caller is strict, or too few users have a history
 */
export async function* exampleEffects(
  scored: ScoredModel,
  examples: readonly Example[],
  options: EffectRowsOptions,
): AsyncGenerator<ExampleEffects> {
  const { prompt, others: count = 0, pool = examples, othersBy, seed = 0, onProgress, onNotice } = options;
  const { strict = false, signal } = options;
  checkOthers(count, 0);
  const marksCopied = planObjective(options.objective ?? 'sft', options.objectiveOptions).needs.copied;
  await using scorer = createScorer(scored, options);
  const { tokenizer } = scored.model;
  // Of all examples no more is kept than the notices need.
  const shown: Pick<Prompts, 'hasHistory'>[] = [];
  const lacking: Example[] = [];
  const used: Example[] = [];
  const leftOut = leftOutCounter();
  const pause = pauses(signal);
  const comparing = (example: Example) =>
    comparedPrompts(example, tokenizer, prompt, {
      pool,
      others: count,
      seed,
      marksCopied,
      ...(othersBy && { othersBy }),
    });
  const together = scored.model.worker === undefined ? EXAMPLES_TOGETHER : EXAMPLES_OF_A_WORKER;
  for (let start = 0; start < examples.length; start += together) {
    const group: Example[] = [];
    const compared: ComparedPrompts[] = [];
    for (const example of examples.slice(start, start + together)) {
      const prompts = unlessTooLong(() => comparing(example), strict);
      if (prompts === undefined) leftOut.add('tooLong', example);
      else {
        group.push(example);
        compared.push(prompts);
      }
      await pause();
    }
    used.push(...group);
    shown.push(...compared.map(({ pair: { hasHistory } }) => ({ hasHistory })));
    if (count > 0) lacking.push(...group.filter((_, i) => lacksOthers(compared[i]!)));
    const scoredBefore = start;
    const effects = await scorer.effects(
      compared.map(({ pair }) => pair),
      (done) =>
        onProgress?.({
          stage: 'effects',
          done: scoredBefore + done,
          total: examples.length,
          unit: 'examples',
        }),
    );
    const ofOthers = compared.flatMap(({ others }, i) => others.map((pair) => ({ i, pair })));
    const logProbabilities = await scorer.logProbabilities(ofOthers.map(({ pair }) => promptOf(pair)));
    for (const [i, example] of group.entries()) {
      const { pair } = compared[i]!;
      const mine = logProbabilities.filter((_, p) => ofOthers[p]!.i === i);
      const meanOf = (_: number, t: number) => mean(mine.map((values) => values[t]!));
      const logProbWithOthers = pair.hasHistory ? mine[0]?.map(meanOf) : effects[i]!.logProbWithoutHistory;
      yield {
        example,
        pair,
        effects: effects[i]!,
        ...(count > 0 && logProbWithOthers && { logProbWithOthers }),
      };
    }
  }
  const notices = [
    tooLongNotice(leftOut.result(), examples.length, prompt),
    noHistoryNotice(used, 'effects-zero'),
    hiddenHistories(used, shown, prompt),
    hiddenOthers(lacking, used.length, prompt, 'effects-unknown'),
  ];
  if (used.length === 0 && examples.length > 0) comparing(examples[0]!);
  options.onLeftOut?.(leftOut.result());
  for (const notice of notices) if (notice !== undefined) onNotice?.(notice);
}

/**
 * One row for each response token, in order; a server is asked for what bounds the divergence, too. Cost: two passes an example, and one for each
 * other history.
 */
export async function* effectRows(
  scored: ScoredModel,
  examples: readonly Example[],
  options: EffectRowsOptions,
): AsyncGenerator<EffectRow> {
  const { tokenizer } = scored.model;
  for await (const { example, pair, effects, logProbWithOthers } of exampleEffects(scored, examples, {
    divergenceBound: true,
    ...options,
  })) {
    for (const [position, tokenId] of pair.responseIds.entries()) {
      const named =
        logProbWithOthers &&
        namedEffects({
          own: effects.logProbWithHistory[position]!,
          none: effects.logProbWithoutHistory[position]!,
          others: [logProbWithOthers[position]!],
        });
      yield {
        example: example.id,
        user: example.user,
        position,
        tokenId,
        token: tokenizer.tokenText(tokenId),
        start: pair.responseStarts[position]!,
        end: pair.responseEnds[position]!,
        logProbWithHistory: effects.logProbWithHistory[position]!,
        logProbWithoutHistory: effects.logProbWithoutHistory[position]!,
        effectProbability: effects.probability[position]!,
        effectLogRatio: effects.logRatio[position]!,
        effectDivergence: effects.divergence[position]!,
        ...(effects.divergenceAtLeast && {
          effectDivergenceAtLeast: effects.divergenceAtLeast[position]!,
        }),
        ...(named && { effectPlacebo: named.generic, effectUserSpecific: named.userSpecific }),
        weight: effects.weight[position]!,
        ...(options.withPrompts && position === 0
          ? {
              promptIdsWithHistory: pair.withHistoryIds,
              promptIdsWithoutHistory: pair.withoutHistoryIds,
              responseIds: pair.responseIds,
            }
          : {}),
      };
    }
  }
}
