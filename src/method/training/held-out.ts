/** @file The held-out rows that a run measures its loss on: which they are, and the loss by the weights as they are. */
import { DataError } from '../../base/errors.ts';
import { meansOfUsers } from '../../base/statistics/by-user.ts';
import { mean } from '../../base/statistics/mean.ts';
import type { Model } from '../../engine/models/model.ts';
import { type FlatParameters, viewsOf } from '../../engine/optim/flat-parameters.ts';
import type { Tokenizer } from '../../engine/tokenizer/tokenizer.ts';
import type { Example } from '../data/example.ts';
import { takeAcrossUsers } from '../data/splits.ts';
import { promptOf } from '../prompts/collate.ts';
import { pairUnlessTooLong } from '../prompts/left-out.ts';
import type { PromptPair, PromptSettings } from '../prompts/pair.ts';
import { createScorer } from '../scoring/scorer.ts';
import type { ResolvedSettings } from './settings.ts';

/** Held-out rows as prompts; in the order of the data. */
export interface HeldOut {
  readonly pairs: readonly PromptPair[];
  /** Whose rows they are: the loss is a mean over users. */
  readonly users: readonly string[];
}

/**
 * The `validation` rows of the data.
 * @throws {DataError} where there are none, with what to do
 */
export function heldOutRows(examples: readonly Example[]): Example[] {
  const rows = examples.filter(({ split }) => split === 'validation');
  if (rows.length === 0) throw noValidation(`got ${examples.length} rows, none of them`);
  return rows;
}

/**
 * At most `limit` of the rows, taken in turn from every user ({@link takeAcrossUsers}), of those whose prompt fits: held-out
 * rows were never checked against the budget, and one that is too long must not fail a run.
 */
export function takeFitting(
  rows: readonly Example[],
  limit: number,
  tokenizer: Tokenizer,
  prompt: PromptSettings,
): Example[] {
  const fits = new Map<Example, boolean>();
  // The prompt without a history decides, and is the quickest to make.
  const bare = { ...prompt, maxHistory: 0 };
  const doesFit = (row: Example) => pairUnlessTooLong(row, tokenizer, bare) !== undefined;
  for (let left = rows; ; left = left.filter((row) => fits.get(row) !== false)) {
    const taken = takeAcrossUsers(left, limit);
    for (const row of taken) if (!fits.has(row)) fits.set(row, doesFit(row));
    // Without those that do not fit others have their turn.
    if (taken.every((row) => fits.get(row))) return taken;
  }
}

/** The error of a run that has nothing to measure its held-out loss on. */
export const noValidation = (got: string): DataError =>
  new DataError(`evalEvery: expected validation rows that fit into the prompt’s tokens, ${got}`, {
    code: 'data/no-validation',
    hint: 'Give rows "split": "validation" (nextquill data does, splitByUser too), or leave evalEvery out.',
  });

/** The loss of a run on its held-out rows. */
export interface Validation extends AsyncDisposable {
  /**
   * Mean over users of the mean negative log-likelihood of a response token with the history, nats, as `evaluate` has it; by the
   * weights as they are now, which it only reads.
   * @throws {AbortedError} when the signal says so
   */
  loss(): Promise<number>;
}

/**
 * The loss by the scorer of `evaluate`. Its session maps the same frozen weights and is fed the trained ones where they lie, so
 * that it holds no weights of its own; the training graph would give the objective's loss, with both passes and all gradients.
 * Cost: compiled when first used; one pass a row each time.
 */
export function createValidation(
  { lora, threads }: Pick<ResolvedSettings, 'lora' | 'threads'>,
  parameters: FlatParameters,
  model: Model,
  { pairs, users }: HeldOut,
  signal?: AbortSignal,
): Validation {
  const tensors = viewsOf(parameters, parameters.weights);
  const scorer = createScorer(
    { model, ...(lora === undefined ? { trained: tensors } : { adapter: { lora, tensors } }) },
    { threads, ...(signal && { signal }) },
  );
  const prompts = pairs.map((pair) => promptOf(pair));
  return {
    loss: async () => {
      const scores = await scorer.logProbabilities(prompts);
      const rows = scores.map((values, i) => {
        const { fitted } = pairs[i]!;
        return { user: users[i]!, value: -mean(fitted ? values.filter((_, t) => fitted[t]) : values) };
      });
      return mean(meansOfUsers(rows));
    },
    [Symbol.asyncDispose]: () => scorer[Symbol.asyncDispose](),
  };
}
