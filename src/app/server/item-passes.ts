/** @file What the effects of items cost, told before they are computed. */
import { ApiError } from './api-error.ts';

/** Random subsets of each item, the default of `itemEffects`. */
const SUBSETS = 16;

/**
 * Passes at most for the effects of `count` items.
 * @throws {ApiError} 400 `too_many_passes` for more than `most`
 */
export function passesOfItems(count: number, most: number, param: string): number {
  const byPairs = 2 + count + (count * (count - 1)) / 2 + 2 * SUBSETS * count;
  const passes = Math.min(2 ** count, byPairs);
  if (passes <= most) return passes;
  throw new ApiError(
    400,
    `${param}: expected at most ${most} passes, got up to ${passes} for ${count} items`,
    {
      code: 'too_many_passes',
      param,
      hint: 'Show fewer items by maxHistory, or ask POST /v1/nextquill/effects with "stream": true.',
    },
  );
}
