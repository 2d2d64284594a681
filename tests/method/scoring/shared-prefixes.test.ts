/** @file Prompts that begin alike are computed once and scored as they are alone, by every architecture. */
import { beforeAll, describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/base/random.ts';
import type { Model } from '../../../src/engine/models/model.ts';
import { promptOf, type ScoredPrompt } from '../../../src/method/prompts/collate.ts';
import type { PromptPair } from '../../../src/method/prompts/pair.ts';
import { memoryKeeper } from '../../../src/method/scoring/score-keeper.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { scoringRuns } from '../../../src/method/scoring/scoring-groups.ts';
import { logProbabilitiesAtStrengths } from '../../../src/method/scoring/strengths.ts';
import { tokenCounter } from '../../../src/method/scoring/token-count.ts';
import { worst } from '../../support/engine.ts';
import { randomPairs, tinyModel } from '../../support/tiny-model.ts';

/** f32 sums over rows of other lengths. */
const TOLERANCE = 1e-5;

const random = randomStream(5, 'tests/shared-prefixes');
// The smallest golden model knows 41 words and 16 positions.
const draw = (count: number) => Array.from({ length: count }, () => 3 + random.integer(38));

/** Two histories under several texts, a text that is another's beginning, equal prompts, and one that shares nothing. */
const header = draw(2);
const [ann, bob] = [draw(6), draw(5)];
const after = (history: readonly number[], query: number, response: number): ScoredPrompt => ({
  promptIds: [...header, ...history, ...draw(query)],
  responseIds: [...draw(response), 2],
});
const first = after(ann, 2, 5);
const prompts: ScoredPrompt[] = [
  first,
  after(ann, 3, 3),
  after(bob, 2, 6),
  { promptIds: first.promptIds, responseIds: first.responseIds.slice(0, 3) },
  after(bob, 1, 1),
  { promptIds: draw(6), responseIds: draw(4) },
  after(ann, 2, 4),
  { ...first, targetIds: [...first.responseIds.slice(1), 2] },
];

describe.each(['tiny-llama', 'tiny-llama3', 'tiny-qwen2', 'tiny-qwen3', 'tiny-gemma3', 'tiny-gpt2'])(
  '%s',
  (name) => {
    let model: Model;
    beforeAll(async () => {
      model = await tinyModel(name);
    });

    it('scores prompts that share a history as it scores them alone', async () => {
      const [together, alone] = [tokenCounter(), tokenCounter()];
      const scores = async (tokensPerRun: number | undefined, onTokens = together.add) => {
        await using scorer = createScorer(
          { model },
          { threads: 1, onTokens, ...(tokensPerRun && { tokensPerRun }) },
        );
        return await scorer.logProbabilities(prompts);
      };
      const shared = await scores(undefined);
      const separate = await scores(1, alone.add);
      for (const [i, values] of shared.entries())
        expect(worst(values, separate[i]!), `prompt ${i}`).toBeLessThan(TOLERANCE);
      const all = prompts.reduce((sum, p) => sum + p.promptIds.length + p.responseIds.length, 0);
      expect(alone.total()).toEqual({ tokensComputed: all, tokensSaved: 0 });
      // Ann's history is computed once for five texts, Bob's once for two.
      expect(together.total().tokensSaved).toBeGreaterThanOrEqual(4 * 8 + 7);
      expect(together.total().tokensComputed + together.total().tokensSaved).toBe(all);
    });

    it('has the effects of pairs that share a history, at every strength', async () => {
      const query = [draw(3), draw(2)];
      const pairs = prompts.slice(0, 7).map(({ promptIds, responseIds }, i): PromptPair => {
        const withoutHistoryIds = query[i % 2]!;
        return {
          withHistoryIds: promptIds,
          withoutHistoryIds,
          responseIds,
          responseStarts: [],
          responseEnds: [],
          historyItemsUsed: 1,
          hasHistory: true,
        };
      });
      const counter = tokenCounter();
      await using scorer = createScorer({ model }, { threads: 1, onTokens: counter.add });
      await using separately = createScorer({ model }, { threads: 1, tokensPerRun: 1 });
      const shared = await scorer.effects(pairs);
      const separate = await separately.effects(pairs);
      for (const [i, effects] of shared.entries())
        for (const [effect, values] of Object.entries(effects))
          expect(worst(values, separate[i]![effect as keyof typeof effects]!), `${effect} ${i}`).toBeLessThan(
            TOLERANCE,
          );
      expect(counter.total().tokensSaved).toBeGreaterThanOrEqual(3 * 8 + 7);
      const strengths = [0, 0.5, 2];
      const steered = await logProbabilitiesAtStrengths({ model }, pairs, strengths, { threads: 1 });
      const alone = await logProbabilitiesAtStrengths({ model }, pairs, strengths, {
        threads: 1,
        tokensPerRun: 1,
      });
      for (const [i, values] of steered.entries()) expect(worst(values, alone[i]!)).toBeLessThan(TOLERANCE);
    });
  },
);

describe('prompts of one command', () => {
  it('are not scored again when their pair was', async () => {
    // A heat map with items once scored the prompts with all items and with none twice.
    const model = await tinyModel();
    const counter = tokenCounter();
    const options = { threads: 1, keeper: memoryKeeper(), onTokens: counter.add };
    const pairs = randomPairs(5);
    await using scorer = createScorer({ model }, options);
    const effects = await scorer.effects(pairs);
    const before = counter.total();
    await using another = createScorer({ model }, options);
    const both = (['withHistoryIds', 'withoutHistoryIds'] as const).map((ids) =>
      another.logProbabilities(pairs.map((pair) => promptOf(pair, ids))),
    );
    const [withHistory, withoutHistory] = await Promise.all(both);
    expect(withHistory).toEqual(effects.map((each) => each.logProbWithHistory));
    expect(withoutHistory).toEqual(effects.map((each) => each.logProbWithoutHistory));
    expect(counter.total()).toEqual(before);
  });
});

describe('runs', () => {
  it('keep within a budget of tokens that the caller sets, rows with branches too', async () => {
    const model = await tinyModel();
    for (const budget of [1, 16, 20, 60]) {
      for (const run of scoringRuns(prompts, model, budget)) {
        const longest = Math.max(
          ...run.flatMap(({ places }) =>
            places.map((place) => prompts[place]!.promptIds.length + prompts[place]!.responseIds.length),
          ),
        );
        expect(run.length * Math.max(...run.map(({ tokens }) => tokens))).toBeLessThanOrEqual(
          Math.max(budget, longest),
        );
      }
    }
  });

  it('leave prompts that share nothing as they were: one row each', async () => {
    const model = await tinyModel();
    const strangers = Array.from({ length: 12 }, (_, i) => ({
      promptIds: [i, ...draw(5)],
      responseIds: draw(3),
    }));
    const rows = scoringRuns(strangers, model).flat();
    expect(rows.every(({ places }) => places.length === 1)).toBe(true);
  });
});
