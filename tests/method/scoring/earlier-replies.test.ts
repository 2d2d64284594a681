/** @file Effects of items on earlier replies: what they are of, and what they never depend on. */
import { describe, expect, it } from 'vitest';
import { openModel } from '../../../src/app/open/model-source.ts';
import { mean } from '../../../src/base/statistics/mean.ts';
import { defaultPromptSettings, promptPair } from '../../../src/method/prompts/pair.ts';
import { withItemEffects } from '../../../src/method/scoring/earlier-replies.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { simulate } from '../../../src/method/simulation/simulate.ts';

const prompt = defaultPromptSettings(512);
const [example] = simulate({ users: 1, seed: 91, historyItems: 3 });

describe('effects on earlier replies', () => {
  it('are those of each item alone on the replies after it, and never see the text to be predicted', async () => {
    const model = await openModel('embedded');
    const [measured] = await withItemEffects({ model }, [example!], { prompt, threads: 1 });
    const effects = measured!.history.map(({ effect }) => effect);
    expect(effects[2]).toBeUndefined();
    const [, second, third] = example!.history;
    await using scorer = createScorer({ model }, { threads: 1 });
    const alone = { id: 'r', user: '', query: third!.query, response: third!.text, history: [second!] };
    const pair = promptPair(alone, model.tokenizer, prompt);
    const [own, none] = await scorer.logProbabilities(
      [pair.withHistoryIds, pair.withoutHistoryIds].map((promptIds) => ({
        promptIds,
        responseIds: pair.responseIds,
      })),
    );
    expect(effects[1]).toBeCloseTo(mean(own!) - mean(none!), 5);
    const [other] = await withItemEffects(
      { model },
      [{ ...example!, response: 'another text', query: 'x' }],
      {
        prompt,
        threads: 1,
      },
    );
    expect(other!.history.map(({ effect }) => effect)).toEqual(effects);
  });
});
