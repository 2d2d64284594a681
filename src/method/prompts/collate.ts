/** @file From prompts of different lengths to one padded batch, with the place of every response token. */
import { DataError, ShapeError } from '../../base/errors.ts';
import type { PassRows } from '../../engine/models/pass.ts';
import type { TokenBatch } from '../../engine/models/token-inputs.ts';
import type { PromptPair } from './pair.ts';

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
  /** Flat position b · T + t whose logits predict the response token: the one before it. */
  readonly responseRows: BigInt64Array; // [S]
  readonly targets: BigInt64Array; // [S]
  /** Row of each response token. */
  readonly exampleOf: Int32Array; // [S]
}

/**
 * Pads rows to the longest of them.
 * @throws {DataError} when a row has no response token (all labels masked) or no prompt token to predict it from
 */
export function collate(
  rows: readonly PromptWithResponse[],
  { padId, side }: { readonly padId: number; readonly side: 'left' | 'right' },
): CollatedBatch {
  rows.forEach((row, index) => {
    const { promptIds } = row;
    if (promptIds.length === 0 || fittedCount(row) === 0)
      throw new DataError(
        `row ${index} of the batch: expected a prompt and a response, got ${promptIds.length} and ${fittedCount(row)} tokens`,
        {
          code: 'data/all-masked',
          hint: 'Remove examples without a response: a loss over no token is no loss.',
        },
      );
  });
  if (rows.length === 0)
    throw new DataError('batch: expected at least one row, got none', { code: 'data/all-masked' });
  const batch = rows.length;
  const length = Math.max(...rows.map((row) => row.promptIds.length + row.responseIds.length));
  const responses = rows.reduce((sum, row) => sum + fittedCount(row), 0);
  const collated: CollatedBatch = {
    batch,
    length,
    tokenIds: new BigInt64Array(batch * length).fill(BigInt(padId)),
    positionIds: new BigInt64Array(batch * length),
    attentionMask: new Float32Array(batch * length),
    responseRows: new BigInt64Array(responses),
    targets: new BigInt64Array(responses),
    exampleOf: new Int32Array(responses),
  };
  let s = 0;
  rows.forEach(({ promptIds, responseIds, targetIds = responseIds, fitted }, row) => {
    const used = promptIds.length + responseIds.length;
    const first = row * length + (side === 'left' ? length - used : 0);
    for (let t = 0; t < used; t++) {
      const id = t < promptIds.length ? promptIds[t]! : responseIds[t - promptIds.length]!;
      collated.tokenIds[first + t] = BigInt(id);
      collated.positionIds[first + t] = BigInt(t);
      collated.attentionMask[first + t] = 1;
    }
    for (let r = 0; r < responseIds.length; r++) {
      if (fitted?.[r] === false) continue;
      collated.responseRows[s] = BigInt(first + promptIds.length + r - 1);
      collated.targets[s] = BigInt(targetIds[r]!);
      collated.exampleOf[s++] = row;
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
