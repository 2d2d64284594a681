/** @file Strengths of the history: 0 is without, 1 is with, and between and beyond lies the softmax of the mixture. */
import { describe, expect, it } from 'vitest';
import { openModel } from '../../../src/app/open/model-source.ts';
import { mean } from '../../../src/base/statistics/mean.ts';
import { promptOf } from '../../../src/method/prompts/collate.ts';
import { defaultPromptSettings, promptPair } from '../../../src/method/prompts/pair.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { logProbabilitiesAtStrengths } from '../../../src/method/scoring/strengths.ts';
import { simulate } from '../../../src/method/simulation/simulate.ts';

describe('strengths', () => {
  it('are the two passes at 0 and 1, for pairs in any order', async () => {
    const model = await openModel('embedded');
    const prompt = { ...defaultPromptSettings(256), maxHistory: 1 };
    const pairs = simulate({ users: 3, seed: 61, historyItems: 2 }).map((example) =>
      promptPair(example, model.tokenizer, prompt),
    );
    const at = await logProbabilitiesAtStrengths({ model }, pairs, [1, 0, 0.5], { threads: 1 });
    await using scorer = createScorer({ model }, { threads: 1 });
    const alone = await scorer.logProbabilities(
      pairs.flatMap((pair) => [promptOf(pair), promptOf(pair, 'withoutHistoryIds')]),
    );
    pairs.forEach((_, p) => {
      expect(at[p]![0]).toBeCloseTo(mean(alone[2 * p]!), 4);
      expect(at[p]![1]).toBeCloseTo(mean(alone[2 * p + 1]!), 4);
      // log-softmax is concave in the logits: a mixture is never less likely than the mixture of both.
      expect(at[p]![2]).toBeGreaterThanOrEqual((at[p]![0]! + at[p]![1]!) / 2 - 1e-5);
    });
  });
});
