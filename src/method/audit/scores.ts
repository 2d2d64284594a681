/** @file The scores of an audit: log-probabilities of every token after every prompt, computed once and kept as they come. */
import type { ProgressListener } from '../../base/progress.ts';
import type { ScoredPrompt } from '../prompts/collate.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';
import { createScorer, type ScorerOptions } from '../scoring/scorer.ts';
import { type AuditText, promptsOf } from './plan.ts';
import { type ScoreStore, scoreKeys } from './score-store.ts';

/** log p of every response token after each prompt of a text, f32[S], nats. */
export interface TextScores extends Omit<AuditText, 'others'> {
  readonly own: Float32Array;
  readonly none: Float32Array;
  readonly others: readonly Float32Array[];
  /** In the order of the doses beside none. */
  readonly dosed: readonly Float32Array[];
}

/** Texts scored together: what a stopped audit loses at most. */
const TEXTS_TOGETHER = 8;

/** Scores texts, group after group; what the store has is not computed again. Cost: 2 + K + 3 passes a text at most. */
export async function scoreTexts(
  scored: ScoredModel,
  texts: readonly AuditText[],
  store: ScoreStore,
  options: ScorerOptions & { readonly onProgress?: ProgressListener },
): Promise<TextScores[]> {
  const { onProgress } = options;
  await using scorer = createScorer(scored, options);
  const keyOf = scoreKeys(scored);
  const results: TextScores[] = [];
  const total = texts.reduce((sum, text) => sum + promptsOf(text).length, 0);
  let before = 0;
  for (let start = 0; start < texts.length; start += TEXTS_TOGETHER) {
    const group = texts.slice(start, start + TEXTS_TOGETHER);
    const keyed = group.map((text) => promptsOf(text).map((prompt) => [keyOf(prompt), prompt] as const));
    const prompts = keyed.flat();
    const missing = new Map<string, ScoredPrompt>(
      prompts.filter(([key, { responseIds }]) => store.get(key)?.length !== responseIds.length),
    );
    const report = (computed: number) =>
      onProgress?.({
        stage: 'audit',
        done: before + prompts.length - missing.size + computed,
        total,
        unit: 'prompts',
      });
    const values = await scorer.logProbabilities([...missing.values()], report);
    report(missing.size);
    before += prompts.length;
    await store.put([...missing.keys()].map((key, i) => [key, values[i]!]));
    for (const [i, text] of group.entries()) {
      const [own, none, ...rest] = keyed[i]!.map(([key]) => store.get(key)!) as [
        Float32Array,
        Float32Array,
        ...Float32Array[],
      ];
      const { length } = text.others;
      results.push({ ...text, own, none, others: rest.slice(0, length), dosed: rest.slice(length) });
    }
  }
  return results;
}
