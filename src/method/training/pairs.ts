/** @file The prompt pairs that a run trains on, and those with other users' histories where its weights ask for them. */
import { breathe } from '../../base/breathe.ts';
import { ConfigError, DataError } from '../../base/errors.ts';
import type { ProgressListener } from '../../base/progress.ts';
import type { Model } from '../../engine/models/model.ts';
import type { Example } from '../data/example.ts';
import type { Notice } from '../data/notice.ts';
import type { ObjectivePlan } from '../objectives/plan.ts';
import { promptOf, type ScoredPrompt } from '../prompts/collate.ts';
import {
  type ComparedPrompts,
  comparedPrompts,
  hiddenOthers,
  lacksOthers,
} from '../prompts/compared-prompts.ts';
import { noHistoryNotice } from '../prompts/left-out.ts';
import { hiddenHistories, otherPrompts, type PromptPair, type PromptSettings } from '../prompts/pair.ts';
import { measuredFor } from '../scoring/measured-retrieval.ts';

/** How the prompts of many examples are made. */
export interface TrainingPromptsOptions {
  /** Draws other users' histories. */
  readonly seed: number;
  /** Other users' histories for each example, where an objective compares effects with them; none by default. */
  readonly others?: number | undefined;
  /** Prompts with other users' histories that each pair holds, for an objective that compares them with the own one; none by default. */
  readonly compared?: number | undefined;
  /** Whether each pair says which response tokens are copied from the history that it shows; false by default. */
  readonly marksCopied?: boolean | undefined;
  /** Whether the objective compares text with the history and without it; false by default. */
  readonly isAboutHistory?: boolean | undefined;
  readonly onProgress?: ProgressListener | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a run shows the model; in the order of the examples. */
export interface TrainingPrompts {
  readonly pairs: readonly PromptPair[];
  /** Prompts with other users' histories, where they were asked for; none for an example that can be compared with nobody. */
  readonly others?: readonly (readonly ScoredPrompt[])[];
  /** What to tell of histories that do not show. */
  readonly notices: readonly Notice[];
}

/** Milliseconds of work between reports of progress; the process hears Ctrl-C then. */
const REPORT_MS = 250;

/**
 * The prompts of a run: one pair for each example, and those with other users' histories.
 * With the reference value `placebo` the prompt "without" history shows another user's, matched in period, domain and length.
 * @throws {DataError} when one does not fit, or too few users have a history
 * @throws {ConfigError} when the prompts may be longer than the model allows
 * @throws {AbortedError} when the signal says so
 */
export async function trainingPrompts(
  given: readonly Example[],
  model: Model,
  settings: PromptSettings,
  options: TrainingPromptsOptions,
): Promise<TrainingPrompts> {
  const { seed, others = 0, compared: held = 0, isAboutHistory = false, onProgress, signal } = options;
  const { marksCopied = false } = options;
  const count = Math.max(others, held);
  const { tokenizer, config } = model;
  if (settings.maxTokens > config.maxPositions)
    throw new ConfigError(
      `maxTokens: expected at most the model's ${config.maxPositions} positions, got ${settings.maxTokens}`,
      { code: 'training/max-tokens', hint: 'Lower maxTokens.' },
    );
  if (isAboutHistory && given.length > 0 && given.every(({ history }) => history.length === 0))
    throw new DataError(`examples: expected some with a history, got none among ${given.length}`, {
      code: 'data/no-history',
      hint: 'Give examples with histories, or train with the objective sft-no-history.',
    });
  // By the model that training begins from, on resuming as well.
  const examples = await measuredFor({ model }, given, {
    prompt: settings,
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
  });
  const asked = { pool: examples, others: count, seed, marksCopied };
  const compared: ComparedPrompts[] = [];
  let reportedAt = performance.now();
  let isReported = false;
  for (const example of examples) {
    compared.push(comparedPrompts(example, tokenizer, settings, asked));
    const isLast = compared.length === examples.length;
    if (performance.now() - reportedAt < REPORT_MS && !(isReported && isLast)) continue;
    onProgress?.({ stage: 'prompts', done: compared.length, total: examples.length, unit: 'examples' });
    isReported = true;
    await breathe(signal);
    reportedAt = performance.now();
  }
  const pairs = compared.map(
    ({ pair, others: found }): PromptPair => ({
      ...pair,
      ...heldOthers(found.slice(0, held)),
    }),
  );
  const lacking = count > 0 ? examples.filter((_, i) => lacksOthers(compared[i]!)) : [];
  const notices = [
    isAboutHistory ? noHistoryNotice(examples, 'trained-plainly') : undefined,
    hiddenHistories(examples, pairs, settings),
    hiddenOthers(lacking, examples.length, settings, held > 0 ? 'trained-plainly' : 'weighted-by-total'),
  ];
  return {
    pairs,
    ...(others > 0 && {
      others: compared.map(({ others: found }) => found.slice(0, others).map((pair) => promptOf(pair))),
    }),
    notices: notices.filter((notice) => notice !== undefined),
  };
}

/** The prompts with other users' histories, as a pair holds them. */
const heldOthers = ([first, ...further]: readonly PromptPair[]) => ({
  ...(first && { otherHistoryIds: first.withHistoryIds }),
  ...(further.length > 0 && { furtherHistoryIds: further.map(({ withHistoryIds }) => withHistoryIds) }),
});

/**
 * @throws {ConfigError} when the objective compares with other users' histories, and no pair holds prompts with them, or one holds
 *   fewer than it asks for
 */
export function checkCompared(pairs: readonly PromptPair[], { name, needs }: ObjectivePlan): void {
  if (needs.others === 0) return;
  const fail = (what: string) =>
    new ConfigError(`objective ${name}: ${what}`, {
      code: 'objective/no-others',
      hint: 'Give the prompts with other users’ histories, or train on examples of several users.',
    });
  const compared = pairs.map((pair) => otherPrompts(pair).length).filter((length) => length > 0);
  if (compared.length === 0)
    throw fail(`expected pairs with otherHistoryIds, got none among ${pairs.length}`);
  const fewest = Math.min(...compared);
  if (fewest < needs.others)
    throw fail(
      `expected ${needs.others} other users’ histories in each pair that has one (otherHistoryIds, furtherHistoryIds), got ${fewest}`,
    );
}

/**
 * Checks that there is something to learn from every pair, before anything is written.
 * @throws {DataError} when there are no pairs, or one has no response token (all labels masked) or no prompt
 */
export function checkPairs(pairs: readonly PromptPair[], ids: readonly string[], model: Model): void {
  if (pairs.length === 0)
    throw new DataError('examples: expected at least one to train on, got none', {
      code: 'data/no-examples',
      hint: 'Check the data, its splits and the limit on examples.',
    });
  pairs.forEach((pair, index) => {
    const { withHistoryIds, withoutHistoryIds, responseIds } = pair;
    const fail = (what: string, code: string, hint: string) =>
      new DataError(`example ${ids[index]}: ${what}`, { code, hint });
    if (responseIds.length === 0)
      throw fail(
        'response: expected at least one token to learn, got none (all labels masked)',
        'data/all-masked',
        'Remove the example: a loss over no token is no loss.',
      );
    const prompts = [withHistoryIds, withoutHistoryIds, ...otherPrompts(pair)];
    const lengths = prompts.map((ids) => ids.length);
    if (Math.min(...lengths) === 0)
      throw fail('prompt: expected at least one token, got none', 'data/empty-prompt', 'Give it a query.');
    const longest = Math.max(...lengths) + responseIds.length;
    if (longest > model.config.maxPositions)
      throw fail(
        `expected at most the model's ${model.config.maxPositions} positions, got ${longest} tokens`,
        'data/too-long',
        'Lower maxTokens or remove the example.',
      );
  });
}
