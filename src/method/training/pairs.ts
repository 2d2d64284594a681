/** @file The prompt pairs that a run trains on, and the placebo histories where the reference value asks for them. */
import { setImmediate } from 'node:timers/promises';
import { ConfigError, DataError, throwIfAborted } from '../../base/errors.ts';
import type { ProgressListener } from '../../base/progress.ts';
import type { Model } from '../../engine/models/model.ts';
import type { Example } from '../data/example.ts';
import { matchedCandidates } from '../data/matching.ts';
import type { ScoredPrompt } from '../effects/scorer.ts';
import { type PromptPair, type PromptSettings, promptPair } from '../prompts/pair.ts';

/** How the pairs of many examples are made. */
export interface PairsOptions {
  /** Matches the histories of the reference value `placebo`. */
  readonly seed: number;
  readonly onProgress?: ProgressListener | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds of work after which progress is told, and the process can hear of Ctrl-C. */
const BREATH_MS = 250;

/**
 * One pair for each example, in their order.
 * With the reference value `placebo` the prompt "without" history shows another user's, matched in period, domain and length.
 * @throws {DataError} when there are no examples, or one does not fit
 * @throws {ConfigError} when the prompts may be longer than the model allows
 * @throws {AbortedError} when the signal says so
 */
export async function trainingPairs(
  examples: readonly Example[],
  model: Model,
  settings: PromptSettings,
  { seed, onProgress, signal }: PairsOptions,
): Promise<PromptPair[]> {
  if (settings.maxTokens > model.config.maxPositions)
    throw new ConfigError(
      `maxTokens: expected at most the model's ${model.config.maxPositions} positions, got ${settings.maxTokens}`,
      { code: 'training/max-tokens', hint: 'Lower maxTokens.' },
    );
  const pairs: PromptPair[] = [];
  let breath = performance.now();
  for (const example of examples) {
    const needsPlacebo = settings.reference === 'placebo' && example.history.length > 0;
    const placebo = needsPlacebo
      ? matchedCandidates(examples, example, 2, { seed }).others[0]!.history
      : undefined;
    pairs.push(promptPair(example, model.tokenizer, settings, placebo === undefined ? {} : { placebo }));
    if (performance.now() - breath < BREATH_MS) continue;
    onProgress?.({ stage: 'prompts', done: pairs.length, total: examples.length, unit: 'examples' });
    await setImmediate();
    throwIfAborted(signal);
    breath = performance.now();
  }
  return pairs;
}

/**
 * Prompts with `count` other users' histories for each example, matched in period, domain and length; none for an example
 * whose own history does not fit.
 * @throws {DataError} when too few users have a history
 */
export function placeboPrompts(
  examples: readonly Example[],
  pairs: readonly PromptPair[],
  model: Model,
  settings: PromptSettings,
  { count, seed }: { readonly count: number; readonly seed: number },
): ScoredPrompt[][] {
  return examples.map((example, i) => {
    const { hasHistory, responseIds } = pairs[i]!;
    if (!hasHistory) return [];
    return matchedCandidates(examples, example, count + 1, { seed }).others.map(({ history }) => {
      const { withHistoryIds } = promptPair(
        example,
        model.tokenizer,
        { ...settings, reference: 'removed' },
        { history },
      );
      return { promptIds: withHistoryIds, responseIds };
    });
  });
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
  pairs.forEach(({ withHistoryIds, withoutHistoryIds, responseIds }, index) => {
    const fail = (what: string, code: string, hint: string) =>
      new DataError(`example ${ids[index]}: ${what}`, { code, hint });
    if (responseIds.length === 0)
      throw fail(
        'response: expected at least one token to learn, got none (all labels masked)',
        'data/all-masked',
        'Remove the example: a loss over no token is no loss.',
      );
    const shortest = Math.min(withHistoryIds.length, withoutHistoryIds.length);
    if (shortest === 0)
      throw fail('prompt: expected at least one token, got none', 'data/empty-prompt', 'Give it a query.');
    const longest = Math.max(withHistoryIds.length, withoutHistoryIds.length) + responseIds.length;
    if (longest > model.config.maxPositions)
      throw fail(
        `expected at most the model's ${model.config.maxPositions} positions, got ${longest} tokens`,
        'data/too-long',
        'Lower maxTokens or remove the example.',
      );
  });
}
