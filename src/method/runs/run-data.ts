/** @file The data of a run: from examples and pairs to prompts, their record, and the held-out rows beside them. */
import type { ProgressListener } from '../../base/progress.ts';
import type { Model } from '../../engine/models/model.ts';
import type { Example } from '../data/example.ts';
import type { Notice } from '../data/notice.ts';
import { comparesWithOthers } from '../objectives/plan.ts';
import { examplesThatFit, tooLongNotice } from '../prompts/left-out.ts';
import type { PromptPair, PromptSettings } from '../prompts/pair.ts';
import { takeFitting } from '../training/held-out.ts';
import { trainingPrompts } from '../training/pairs.ts';
import type { ResolvedSettings } from '../training/settings.ts';
import { dataRecord } from './data-record.ts';
import type { RunData } from './prepare.ts';
import type { TrainEvent } from './run.ts';

/** What examples become the data of a run with. */
export interface RunDataOptions {
  readonly model: Model;
  /** How the caller named the data. */
  readonly dataSource: string;
  readonly prompt: PromptSettings;
  readonly settings: ResolvedSettings;
  readonly onProgress?: ProgressListener | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Examples with their prompts, in one order. */
export interface PromptedExamples extends Pick<RunData, 'pairs' | 'others'> {
  readonly examples: readonly Example[];
}

/**
 * The examples that fit, with their prompts; yields what is to be told of those that are left out or show no history.
 * @throws {DataError} when none fits, or one does not and the caller is strict
 */
export async function* fittingPrompts(
  chosen: readonly Example[],
  options: RunDataOptions & { readonly strict?: boolean | undefined },
): AsyncGenerator<Notice, PromptedExamples> {
  const { model, prompt, strict, signal } = options;
  const { used, leftOut } = await examplesThatFit(chosen, model.tokenizer, prompt, { strict, signal });
  const tooLong = tooLongNotice(leftOut, chosen.length, prompt);
  if (tooLong !== undefined) yield tooLong;
  const { notices, ...prompts } = await promptsOf(used, options);
  yield* notices;
  return { examples: used, ...prompts };
}

/** The prompts of a run's examples. */
export function promptsOf(
  examples: readonly Example[],
  { model, prompt, settings, onProgress, signal }: RunDataOptions,
) {
  const { needs, options, passes } = settings.objective;
  return trainingPrompts(examples, model, prompt, {
    seed: settings.seed,
    // Where weights are made of C, or effects are targets.
    others: comparesWithOthers(settings.objective) ? options.others : undefined,
    compared: needs.others,
    marksCopied: needs.copied,
    isAboutHistory: passes === 'pair' || needs.others > 0,
    onProgress,
    signal,
  });
}

/** The rows that a run measures its loss on, of those that are held out. */
export const heldOutOf = (rows: readonly Example[], options: RunDataOptions): Promise<RunData['heldOut']> =>
  heldOutPrompts(
    takeFitting(rows, options.settings.evalExamples, options.model.tokenizer, options.prompt),
    options,
  );

/** Held-out rows as a run shows them: with the history, chosen as for the rows that are trained on. */
export async function heldOutPrompts(
  rows: readonly Example[],
  { model, dataSource, prompt, settings: { seed }, onProgress, signal }: RunDataOptions,
): Promise<RunData['heldOut']> {
  // The prompt without history is not asked for: another user's in its place neither.
  const settings: PromptSettings = { ...prompt, reference: 'removed' };
  const { pairs } = await trainingPrompts(rows, model, settings, { seed, onProgress, signal });
  const record = dataRecord(dataSource, rows.map(asItem), pairs);
  return { pairs, users: rows.map(({ user }) => user), record };
}

/** What a manifest says of examples that are trained on, and their prompts. */
export const examplesRecord = (source: string, examples: readonly Example[], pairs: readonly PromptPair[]) =>
  dataRecord(
    source,
    examples.map(asItem),
    pairs,
    examples.map(({ user }) => user),
  );

const asItem = (example: Example) => ({ id: example.id, content: example });

/** What a manifest says of pairs of token ids. */
export const pairsRecord = (source: string, pairs: readonly PromptPair[]) =>
  dataRecord(
    source,
    pairs.map((pair, index) => ({ id: String(index), content: pair })),
    pairs,
  );

/** Held-out pairs of token ids: each counts as a user's. */
export const heldOutPairs = (pairs: readonly PromptPair[], source: string): RunData['heldOut'] => ({
  pairs,
  users: pairs.map((_, index) => String(index)),
  record: pairsRecord(source, pairs),
});

/** Notices as events; returns what their maker does. */
export async function* asEvents<T>(notices: AsyncGenerator<Notice, T>): AsyncGenerator<TrainEvent, T> {
  for (;;) {
    const { value, done } = await notices.next();
    if (done) return value;
    yield { type: 'notice', notice: value };
  }
}
