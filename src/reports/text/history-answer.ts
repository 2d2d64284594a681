/** @file The one sentence that says whether a history matters, from the sides of A and C: the same in every report. */
import type { Side } from '../../method/evaluation/findings.ts';

/** @param total side of A, own history against none; @param userSpecific side of C, own against another user's */
export function historyAnswer(total: Side, userSpecific: Side): string {
  if (total > 0) {
    if (userSpecific > 0)
      return 'Yes: a user’s own history helps the model predict what the user writes, and does more than another user’s.';
    if (userSpecific < 0) return 'A history helps, but another user’s helps more than the user’s own.';
    return 'A history helps, but we found no evidence that it has to be the user’s own.';
  }
  if (total < 0)
    return userSpecific > 0
      ? 'The history hurts: text is less likely with it than without, though the user’s own hurts less than another user’s.'
      : 'The history hurts: text is less likely with it than without.';
  if (userSpecific > 0)
    return 'It matters whose history is shown, but we found no evidence that the user’s own helps more than none.';
  if (userSpecific < 0)
    return 'Another user’s history does more than the user’s own, and we found no evidence that the own one helps.';
  return 'We found no evidence that the history matters.';
}
