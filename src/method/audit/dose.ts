/** @file The dose curve: what the latest 1, 2, 4 and 8 items of a history do, on the same texts at every point. */

import type { BootstrapOptions } from '../../base/statistics/bootstrap.ts';
import { meanByUser, pairedDifferenceByUser } from '../../base/statistics/by-user.ts';
import { mean } from '../../base/statistics/mean.ts';
import { totalEffect } from '../effects/named-effects.ts';
import type { DosePoint } from './results.ts';
import type { TextScores } from './scores.ts';

/**
 * A at every dose, nats a token; 0 at no items. A text with fewer items counts with all it has, so that no point rests on
 * other users than the one before it.
 * @param doses as {@link dosesOf} gives them, 0 first
 */
export function doseCurve(
  scores: readonly TextScores[],
  doses: readonly number[],
  bootstrap?: BootstrapOptions,
): DosePoint[] {
  const rows = (dose: number) =>
    scores.map(({ example, none, dosed }) => ({
      example: example.id,
      user: example.user,
      value: dose === 0 ? 0 : totalEffect(mean(dosed[dose - 1]!), mean(none)),
    }));
  return doses.map((items, d) => ({
    items,
    texts: scores.filter(({ pair }) => pair.historyItemsUsed >= items).length,
    effect: meanByUser(rows(d), bootstrap),
    ...(d > 0 && { added: pairedDifferenceByUser(rows(d), rows(d - 1), bootstrap) }),
  }));
}
