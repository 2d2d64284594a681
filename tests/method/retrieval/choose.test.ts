/** @file What every retrieval rule keeps to: items of the history alone, in its order, each choice within the next larger one. */
import { describe, expect, it } from 'vitest';
import { openModel } from '../../../src/app/open/model-source.ts';
import { ConfigError, DataError } from '../../../src/base/errors.ts';
import { defaultPromptSettings, promptPair } from '../../../src/method/prompts/pair.ts';
import { itemChooser, retrievalNames } from '../../../src/method/retrieval/choose.ts';
import { simulate } from '../../../src/method/simulation/simulate.ts';

const vector = (place: number) => Float32Array.from([Math.sin(place), Math.cos(place), 0.3]);
const withEffects = simulate({ users: 3, seed: 77, historyItems: 7 }).map((example) => ({
  ...example,
  queryEmbedding: vector(1),
  history: example.history.map((item, i) => ({
    ...item,
    embedding: vector(i),
    ...(i < 6 && { effect: ((i * 5) % 7) / 10 }),
  })),
}));

describe('every retrieval rule', () => {
  it('shows items of the history in their order, a larger choice holding a smaller one', () => {
    for (const name of retrievalNames)
      for (const example of withEffects) {
        const choose = itemChooser(example, name);
        let before: readonly unknown[] = [];
        for (let count = 0; count <= 8; count++) {
          const chosen = choose(example.history, count);
          expect(chosen).toHaveLength(Math.min(count, example.history.length));
          expect(chosen).toEqual(example.history.filter((item) => chosen.includes(item)));
          expect(before.every((item) => chosen.some((each) => each === item))).toBe(true);
          before = chosen;
        }
      }
  });

  it('chooses the same whatever the response says', () => {
    for (const name of retrievalNames)
      for (const example of withEffects) {
        const other = { ...example, response: example.history[0]!.text };
        expect(itemChooser(other, name)(example.history, 3)).toEqual(
          itemChooser(example, name)(example.history, 3),
        );
      }
  });

  it('takes those of the highest effect, what was not measured counting as the mean', () => {
    const chosen = itemChooser(withEffects[0]!, 'effect')(withEffects[0]!.history, 2);
    expect(chosen.map(({ effect }) => effect)).toEqual([0.5, 0.6].toReversed().toSorted());
    const bare = simulate({ users: 1, seed: 78, historyItems: 4 })[0]!;
    expect(() => itemChooser(bare, 'effect')(bare.history, 1)).toThrow(DataError);
  });

  it('is refused by name', () => {
    expect(() => itemChooser({ id: 'e', query: '' }, 'bm2' as 'bm25')).toThrow(ConfigError);
  });

  it('fills the budget with items, and cuts neither the query nor the header of the answer', async () => {
    const { tokenizer } = await openModel('embedded');
    const example = withEffects[0]!;
    for (const retrieval of retrievalNames) {
      const whole = promptPair(example, tokenizer, { ...defaultPromptSettings(4096), retrieval });
      const bare = whole.withoutHistoryIds;
      for (const maxTokens of [bare.length + whole.responseIds.length, 160, 240]) {
        const pair = promptPair(example, tokenizer, { ...defaultPromptSettings(maxTokens), retrieval });
        expect(pair.withHistoryIds.length + pair.responseIds.length).toBeLessThanOrEqual(maxTokens);
        expect(pair.shown).toEqual(itemChooser(example, retrieval)(example.history, pair.historyItemsUsed));
        // The end of the prompt is that of the prompt without history: the query and where the answer begins.
        const tail = bare.slice(-20);
        expect(pair.withHistoryIds.slice(-20)).toEqual(tail);
      }
    }
  });
});
