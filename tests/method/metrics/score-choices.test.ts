/** @file Choices by likelihood: against the scorer by itself, with known preferences, and what must be refused. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../../src/engine/models/model.ts';
import {
  type ChoiceItem,
  choiceAccuracy,
  type ScoredChoices,
  scoreChoices,
} from '../../../src/method/metrics/score-choices.ts';
import { promptOf } from '../../../src/method/prompts/collate.ts';
import { defaultPromptSettings, promptPair } from '../../../src/method/prompts/pair.ts';
import type { ScoredModel } from '../../../src/method/scoring/scored-model.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { writtenUsers } from '../../support/written-users.ts';

const prompt = defaultPromptSettings(1024);
let folder: string;
let scored: ScoredModel;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nextquill-choices-'));
  await writeModelFolder(folder);
  scored = { model: await loadModel(folder, join(folder, 'cache')) };
});
afterAll(() => rm(folder, { recursive: true }));

const items = writtenUsers.slice(0, 3).map(({ response: _, ...item }): ChoiceItem => {
  return { ...item, choices: ['[1]', '[2]', 'a much longer choice than these'], answer: 1 };
});

describe('choices', () => {
  it('are scored by all tokens of each, with the history and without', async () => {
    const results = await scoreChoices(scored, items, { prompt, threads: 1 });
    await using scorer = createScorer(scored, { threads: 1 });
    for (const [n, { choices, chosen, chosenWithoutHistory, answer, hasHistory }] of results.entries()) {
      const { choices: texts, answer: _, ...item } = items[n]!;
      const pairs = texts.map((response) =>
        promptPair({ ...item, response }, scored.model.tokenizer, prompt),
      );
      const sums = async (which: 'withHistoryIds' | 'withoutHistoryIds') =>
        (await scorer.logProbabilities(pairs.map((pair) => promptOf(pair, which)))).map((values) =>
          values.reduce((sum, value) => sum + value, 0),
        );
      const [withHistory, without] = [await sums('withHistoryIds'), await sums('withoutHistoryIds')];
      for (const [c, choice] of choices.entries()) {
        expect(choice.logProbWithHistory).toBeCloseTo(withHistory[c]!, 3);
        expect(choice.logProbWithoutHistory).toBeCloseTo(without[c]!, 3);
        expect(choice.tokens).toBe(pairs[c]!.responseIds.length);
      }
      expect(chosen).toBe(withHistory.indexOf(Math.max(...withHistory)));
      expect(chosenWithoutHistory).toBe(without.indexOf(Math.max(...without)));
      expect({ answer, hasHistory }).toEqual({ answer: 1, hasHistory: true });
    }
  });

  it('depend on the rule: a mean does not count length, an effect not what is likely anyway', async () => {
    const one = items.slice(0, 1);
    const of = async (rule: 'likelihood' | 'per-token' | 'effect') =>
      (await scoreChoices(scored, one, { prompt, threads: 1, rule }))[0]!;
    const { choices } = await of('likelihood');
    const best = (values: readonly number[]) => values.indexOf(Math.max(...values));
    expect((await of('per-token')).chosen).toBe(
      best(choices.map((choice) => choice.logProbWithHistory / choice.tokens)),
    );
    expect((await of('effect')).chosen).toBe(
      best(choices.map((choice) => choice.logProbWithHistory - choice.logProbWithoutHistory)),
    );
    // Random weights give each token much the same: the longest text is the least likely.
    expect((await of('likelihood')).chosen).not.toBe(2);
  });

  it('are counted by user, with and without the history', () => {
    const result = (user: string, chosen: number, without: number, answer?: number): ScoredChoices => ({
      ...{ id: user, user, choices: [], chosen, chosenWithoutHistory: without, hasHistory: true },
      ...(answer !== undefined && { answer }),
    });
    const accuracy = choiceAccuracy([
      result('a', 1, 0, 1),
      result('a', 1, 1, 1),
      result('b', 0, 0, 1),
      result('c', 0, 0),
    ]);
    expect(accuracy.items).toBe(3);
    expect(accuracy.withHistory.value).toBeCloseTo(0.5, 12);
    expect(accuracy.withoutHistory.value).toBeCloseTo(0.25, 12);
    expect(accuracy.difference.value).toBeCloseTo(0.25, 12);
  });

  it('refuse one choice, the same one twice, an answer that is none, and a placebo', async () => {
    const bad = (change: Partial<ChoiceItem>) =>
      scoreChoices(scored, [{ ...items[0]!, ...change }], { prompt, threads: 1 });
    for (const change of [{ choices: ['a'] }, { choices: ['a', 'a'] }, { answer: 3 }, { answer: -1 }])
      await expect(bad(change)).rejects.toMatchObject({ code: 'data/choices' });
    const placebo = { ...prompt, reference: 'placebo' as const };
    await expect(scoreChoices(scored, items, { prompt: placebo })).rejects.toMatchObject({
      code: 'config/reference',
    });
  });
});
