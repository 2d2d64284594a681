/** @file Strengths of the history and of an adapter: 0 is without, 1 is with, and between and beyond lies the softmax of the mixture. */
import { describe, expect, it } from 'vitest';
import { openModel } from '../../../src/app/open/model-source.ts';
import { randomStream } from '../../../src/base/random.ts';
import { mean } from '../../../src/base/statistics/mean.ts';
import { adapterShapes } from '../../../src/engine/lora/layers.ts';
import { promptOf } from '../../../src/method/prompts/collate.ts';
import { defaultPromptSettings, promptPair } from '../../../src/method/prompts/pair.ts';
import { memoryKeeper } from '../../../src/method/scoring/score-keeper.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import {
  logProbabilitiesAtStrengths,
  logProbabilitiesContrasted,
  tokensAtStrengths,
} from '../../../src/method/scoring/strengths.ts';
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

describe('strengths by token', () => {
  it('have the means of whole texts, are kept as the scores of both prompts, and are not computed twice', async () => {
    const model = await openModel('embedded');
    const prompt = { ...defaultPromptSettings(256), maxHistory: 1 };
    const pairs = simulate({ users: 2, seed: 61, historyItems: 1 }).map((example) =>
      promptPair(example, model.tokenizer, prompt),
    );
    const keeper = memoryKeeper();
    let runs = 0;
    const options = { threads: 1, keeper, onTokens: () => runs++ };
    // The first pair twice: it is scored once.
    const at = await tokensAtStrengths({ model }, [...pairs, pairs[0]!], [0, 0.5, 1], options);
    const means = await logProbabilitiesAtStrengths({ model }, pairs, [0, 0.5, 1], { threads: 1 });
    pairs.forEach(({ responseIds }, p) => {
      expect(at[p]!.map(({ length }) => length)).toEqual([0, 1, 2].map(() => responseIds.length));
      at[p]!.forEach((values, s) => {
        expect(mean(values)).toBeCloseTo(means[p]![s]!, 5);
      });
    });
    expect(at[2]).toEqual(at[0]);
    const before = runs;
    expect(before).toBeGreaterThan(0);
    expect(await tokensAtStrengths({ model }, pairs, [0, 1], options)).toEqual([
      [at[0]![0], at[0]![2]],
      [at[1]![0], at[1]![2]],
    ]);
    await using scorer = createScorer({ model }, options);
    const prompts = pairs.flatMap((pair) => [promptOf(pair, 'withoutHistoryIds'), promptOf(pair)]);
    expect(await scorer.logProbabilities(prompts)).toEqual([at[0]![0], at[0]![2], at[1]![0], at[1]![2]]);
    expect(runs).toBe(before);
  });
});

describe('strengths of an adapter', () => {
  it('are the model without it at 0 and with it at 1', async () => {
    const model = await openModel('embedded');
    const lora = { rank: 2, loraAlpha: 4, targetModules: ['q_proj'] };
    const random = randomStream(7, 'tests/strengths');
    const adapter = {
      lora,
      tensors: Object.fromEntries(
        adapterShapes(model, lora).map(({ name, shape }) => [
          name,
          { data: Float32Array.from({ length: shape[0]! * shape[1]! }, () => random.normal() * 0.2), shape },
        ]),
      ),
    };
    const prompts = simulate({ users: 3, seed: 61, historyItems: 1 }).map((example) =>
      promptOf(promptPair(example, model.tokenizer, defaultPromptSettings(256))),
    );
    const at = await logProbabilitiesContrasted({ model, adapter }, prompts, [0, 1, 0.5], { threads: 1 });
    for (const [strength, scored] of [{ model }, { model, adapter }].entries()) {
      await using scorer = createScorer(scored, { threads: 1 });
      const alone = await scorer.logProbabilities(prompts);
      prompts.forEach((_, p) => {
        expect(at[p]![strength]).toBeCloseTo(mean(alone[p]!), 4);
      });
    }
    for (const [base, adapted, between] of at) {
      expect(adapted).not.toBeCloseTo(base!, 3);
      expect(between).toBeGreaterThanOrEqual((base! + adapted!) / 2 - 1e-5);
    }
  });
});
