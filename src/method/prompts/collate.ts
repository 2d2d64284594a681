/** @file From prompts of different lengths to one padded batch, with the place of every response token. */
import { DataError, ShapeError } from '../../base/errors.ts';
import type { PassRows } from '../../engine/models/pass.ts';
import type { TokenBatch } from '../../engine/models/token-inputs.ts';
import type { PromptPair } from './pair.ts';
import { branches, tokensOf } from './shared-prefixes.ts';

/** A prompt and the response that follows it. */
export interface PromptWithResponse {
  readonly promptIds: readonly number[];
  readonly responseIds: readonly number[];
  /** Which response tokens have a row and a target; all when absent. */
  readonly fitted?: readonly boolean[];
  /** What is scored at the places of the response's tokens: these themselves, except for a control that shifts the labels. */
  readonly targetIds?: readonly number[];
}

/** A prompt with the response whose tokens are scored, all of them. */
export type ScoredPrompt = Omit<PromptWithResponse, 'fitted'>;

/** One prompt of a pair, with the response that follows either. */
export const promptOf = (
  pair: PromptPair,
  ids: 'withHistoryIds' | 'withoutHistoryIds' = 'withHistoryIds',
): ScoredPrompt => ({ promptIds: pair[ids], responseIds: pair.responseIds });

/** A padded batch; B rows of T tokens, S response tokens in all. */
export interface CollatedBatch extends TokenBatch {
  readonly seenUntil: Float32Array; // [B · T]
  /** Flat position b · T + t whose logits predict the response token: the one before it. */
  readonly responseRows: BigInt64Array; // [S]
  readonly targets: BigInt64Array; // [S]
  /** Prompt of each response token. */
  readonly exampleOf: Int32Array; // [S]
}

/** How prompts of different lengths become rows of one length. */
export interface CollateOptions {
  readonly padId: number;
  readonly side: 'left' | 'right';
  /** Places of the prompts that stand in one row, where they share their beginnings; each has a row of its own by default. */
  readonly layout?: readonly (readonly number[])[];
}

/**
 * Pads rows to the longest of them. What the prompts of one row have in common at the beginning stands there once: every
 * prompt has the logits that it has alone. Response tokens come in the order of the prompts, whatever the layout.
 * @throws {DataError} when a prompt has no response token (all labels masked) or no prompt token to predict it from
 */
export function collate(
  prompts: readonly PromptWithResponse[],
  { padId, side, layout = prompts.map((_, place) => [place]) }: CollateOptions,
): CollatedBatch {
  prompts.forEach((prompt, index) => {
    const { promptIds } = prompt;
    if (promptIds.length === 0 || fittedCount(prompt) === 0)
      throw new DataError(
        `row ${index} of the batch: expected a prompt and a response, got ${promptIds.length} and ${fittedCount(prompt)} tokens`,
        {
          code: 'data/all-masked',
          hint: 'Remove examples without a response: a loss over no token is no loss.',
        },
      );
  });
  if (prompts.length === 0)
    throw new DataError('batch: expected at least one row, got none', { code: 'data/all-masked' });
  const sequences = prompts.map(tokensOf);
  const rows = layout.map((places) => branches(places, sequences));
  const batch = rows.length;
  const length = Math.max(...rows.map((row) => row.ids.length));
  const responses = prompts.reduce((sum, prompt) => sum + fittedCount(prompt), 0);
  const collated: CollatedBatch = {
    batch,
    length,
    tokenIds: new BigInt64Array(batch * length).fill(BigInt(padId)),
    positionIds: new BigInt64Array(batch * length),
    attentionMask: new Float32Array(batch * length),
    seenUntil: new Float32Array(batch * length),
    responseRows: new BigInt64Array(responses),
    targets: new BigInt64Array(responses),
    exampleOf: new Int32Array(responses),
  };
  /** Flat place of the last prompt token of each prompt, and of the response's tokens behind it. */
  const placesOf: number[][] = [];
  rows.forEach(({ ids, positions, seenUntil, paths }, row) => {
    const skipped = side === 'left' ? length - ids.length : 0;
    const first = row * length + skipped;
    for (let t = 0; t < ids.length; t++) {
      collated.tokenIds[first + t] = BigInt(ids[t]!);
      collated.positionIds[first + t] = BigInt(positions[t]!);
      collated.attentionMask[first + t] = 1;
      collated.seenUntil[first + t] = seenUntil[t]! + skipped;
    }
    for (const [prompt, path] of paths) placesOf[prompt] = path.map((t) => first + t);
  });
  let s = 0;
  prompts.forEach(({ promptIds, responseIds, targetIds = responseIds, fitted }, prompt) => {
    for (let r = 0; r < responseIds.length; r++) {
      if (fitted?.[r] === false) continue;
      collated.responseRows[s] = BigInt(placesOf[prompt]![promptIds.length + r - 1]!);
      collated.targets[s] = BigInt(targetIds[r]!);
      collated.exampleOf[s++] = prompt;
    }
  });
  return collated;
}

/** Batches as the passes of their names, whose logits are asked for at the response rows. */
export function passRows<B extends TokenBatch & Pick<CollatedBatch, 'responseRows'>>(
  batches: Readonly<Record<string, B>>,
): Record<string, PassRows> {
  return Object.fromEntries(
    Object.entries(batches).map(([pass, batch]) => [pass, { ...batch, rows: batch.responseRows }]),
  );
}

const fittedCount = ({ responseIds, fitted }: PromptWithResponse): number =>
  fitted === undefined ? responseIds.length : fitted.filter(Boolean).length;

/**
 * Checks that two passes predict the same response tokens in the same order: effects compare them one by one.
 * @throws {ShapeError} naming the first that differs
 */
export function checkAligned(a: CollatedBatch, b: CollatedBatch): void {
  const differs = a.targets.findIndex((id, s) => id !== b.targets[s] || a.exampleOf[s] !== b.exampleOf[s]);
  if (a.targets.length === b.targets.length && differs < 0) return;
  const at = differs < 0 ? Math.min(a.targets.length, b.targets.length) : differs;
  throw new ShapeError(
    `response token ${at}: expected the same in both passes, got ${a.targets[at]} and ${b.targets[at]}`,
    { code: 'prompt/misaligned', hint: 'Make both prompts from one example and one tokenizer.' },
  );
}
