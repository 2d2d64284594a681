/** @file The scores of an audit: log-probabilities of every token after every prompt, computed once and kept as they come. */
import type { ProgressListener } from '../../base/progress.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';
import { createScorer, type ScorerOptions } from '../scoring/scorer.ts';
import { type AuditText, promptsOf } from './plan.ts';

/** log p of every response token after each prompt of a text, f32[S], nats. */
export interface TextScores extends Omit<AuditText, 'others'> {
  readonly own: Float32Array;
  readonly none: Float32Array;
  readonly others: readonly Float32Array[];
  /** In the order of the doses beside none. */
  readonly dosed: readonly Float32Array[];
}

/** Scores texts; what the keeper has is not computed again. Cost: 2 + K + 3 passes a text at most. */
export async function scoreTexts(
  scored: ScoredModel,
  texts: readonly AuditText[],
  { onProgress, ...options }: ScorerOptions & { readonly onProgress?: ProgressListener },
): Promise<TextScores[]> {
  await using scorer = createScorer(scored, options);
  const prompts = texts.map(promptsOf);
  const all = prompts.flat();
  const values = await scorer.logProbabilities(all, (done) =>
    onProgress?.({ stage: 'audit', done, total: all.length, unit: 'prompts' }),
  );
  let at = 0;
  return texts.map((text, i) => {
    const [own, none, ...rest] = values.slice(at, at + prompts[i]!.length) as [
      Float32Array,
      Float32Array,
      ...Float32Array[],
    ];
    at += prompts[i]!.length;
    const { length } = text.others;
    return { ...text, own, none, others: rest.slice(0, length), dosed: rest.slice(length) };
  });
}
