/** @file Items of a history by what they did for earlier replies of the same user, which scoring/earlier-replies.ts measures. */
import { DataError } from '../../base/errors.ts';
import { mean } from '../../base/statistics/mean.ts';
import type { RetrievalRule } from './rule.ts';

/** Items that no earlier reply followed have no effect of their own; they count as the mean of the others. */
export const byEffect: RetrievalRule = {
  name: 'effect',
  what: 'the items that made earlier replies of the same user likeliest',
  scores: (history, { id }) => {
    const measured = history.flatMap(({ effect }) => effect ?? []);
    // Of a single reply nothing could be measured; then all items are alike.
    if (measured.length === 0 && history.length > 2)
      throw new DataError(
        `example ${id}: retrieval effect: expected items with a measured effect, got none`,
        {
          code: 'retrieval/unmeasured',
          hint: 'Measure the examples with measuredFor first, or use another retrieval.',
        },
      );
    const neutral = measured.length === 0 ? 0 : mean(measured);
    return history.map(({ effect }) => effect ?? neutral);
  },
};
