/** @file Which token has which known cause, and how well effects tell them apart. */
import { aucByUser, type UserScore } from '../../base/statistics/auc.ts';
import type { BootstrapOptions } from '../../base/statistics/bootstrap.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import type { Cause, CauseSpan } from '../data/example.ts';
import type { ExampleEffects } from '../scoring/rows.ts';

/**
 * The cause of most of a token's non-space characters; undefined for a token without any, such as the end of turn.
 * At a tie the cause that comes first in the text.
 */
export function causeOfToken(
  response: string,
  start: number,
  end: number,
  spans: readonly CauseSpan[],
): Cause | undefined {
  const counts = new Map<Cause, number>();
  for (const span of spans) {
    const from = Math.max(start, span.start);
    const to = Math.min(end, span.end);
    for (let i = from; i < to; i++) {
      if (!/\s/.test(response[i]!)) counts.set(span.cause, (counts.get(span.cause) ?? 0) + 1);
    }
  }
  let best: Cause | undefined;
  for (const [cause, count] of counts) if (best === undefined || count > counts.get(best)!) best = cause;
  return best;
}

/**
 * Scores of the tokens of known cause: positives are those of cause `user` and `both`.
 * @param valuesOf one score for each response token of an example; the signed log ratio by default
 */
export function causeScores(
  effects: readonly ExampleEffects[],
  valuesOf: (effects: ExampleEffects) => ArrayLike<number> = (each) => each.effects.logRatio,
): UserScore[] {
  return effects.flatMap((each) => {
    const { example, pair } = each;
    const { causes } = example;
    if (causes === undefined) return [];
    const values = valuesOf(each);
    return pair.responseIds.flatMap((_, t) => {
      const cause = causeOfToken(example.response, pair.responseStarts[t]!, pair.responseEnds[t]!, causes);
      if (cause === undefined) return [];
      return [{ user: example.user, score: values[t]!, positive: cause === 'user' || cause === 'both' }];
    });
  });
}

/** ROC AUC of the log ratio against known causes, pooled over tokens, with an interval by user. */
export function effectAuc(effects: readonly ExampleEffects[], options: BootstrapOptions = {}): Estimate {
  return aucByUser(causeScores(effects), options);
}
