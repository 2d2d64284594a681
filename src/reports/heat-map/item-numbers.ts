/** @file How the effect of a history item is written, and how many are named: the same on pages and terminals. */

import { signed } from '../../base/number-format.ts';
import type { EffectMapItem } from '../../method/explain/effect-map.ts';

/** Items named at a token, and tokens named at an item, at most: those with the largest effects. */
export const ITEMS_NAMED = 3;

/** Below this many nats at a token nothing is named. */
export const WORTH_NAMING = 0.05;

/**
 * `D +0.003 · among random others +0.171 [−0.012, +0.355]`; `D +0.031` for an only item, which has no others to be shown
 * with.
 */
export function itemNumbers({ effect, mean, low, high }: EffectMapItem): string {
  const alone = `D ${signed(effect, 3)}`;
  if (low === high) return alone;
  return `${alone} · among random others ${signed(mean, 3)} [${signed(low, 3)}, ${signed(high, 3)}]`;
}
