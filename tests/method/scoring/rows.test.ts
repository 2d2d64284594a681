/** @file Rows of effects: what the interface says of offsets, prompts and weights, and what others compare with. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/base/errors.ts';
import { loadModel } from '../../../src/engine/models/model.ts';
import type { Example, HistoryItem } from '../../../src/method/data/example.ts';
import type { Notice } from '../../../src/method/data/notice.ts';
import { matchedOthers } from '../../../src/method/others/matching.ts';
import { referenceHistory } from '../../../src/method/others/others-histories.ts';
import type { LeftOut } from '../../../src/method/prompts/left-out.ts';
import { defaultPromptSettings, promptPair } from '../../../src/method/prompts/pair.ts';
import { type EffectRow, type EffectRowsOptions, effectRows } from '../../../src/method/scoring/rows.ts';
import type { ScoredModel } from '../../../src/method/scoring/scored-model.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { simulate } from '../../../src/method/simulation/simulate.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { newUser, writtenUsers } from '../../support/written-users.ts';

/** f32 sums over rows of other lengths. */
const DIGITS = 4;

const prompt = defaultPromptSettings(1024);
let folder: string;
let scored: ScoredModel;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nextquill-rows-'));
  await writeModelFolder(folder);
  scored = { model: await loadModel(folder, join(folder, 'cache')) };
});
afterAll(() => rm(folder, { recursive: true }));

async function rowsOf(
  examples: readonly Example[],
  options: Partial<EffectRowsOptions> = {},
): Promise<EffectRow[]> {
  const rows: EffectRow[] = [];
  for await (const row of effectRows(scored, examples, { prompt, threads: 1, ...options })) rows.push(row);
  return rows;
}

const ofExample = (rows: readonly EffectRow[], id: string) => rows.filter(({ example }) => example === id);

/** log p of the response of an example after some history, by the scorer alone. */
async function logProbabilitiesAfter(example: Example, histories: readonly (readonly HistoryItem[])[]) {
  await using scorer = createScorer(scored, { threads: 1 });
  return await scorer.logProbabilities(
    histories.map((history) => {
      const pair = promptPair(example, scored.model.tokenizer, prompt, { history });
      return { promptIds: pair.withHistoryIds, responseIds: pair.responseIds };
    }),
  );
}

describe('rows of effects', () => {
  it('cover the response in order, and end with the end-of-turn token at its length', async () => {
    const rows = await rowsOf(writtenUsers);
    for (const { id, response } of writtenUsers) {
      const own = ofExample(rows, id);
      expect(own.map(({ position }) => position)).toEqual([...own.keys()]);
      expect(own.at(-1)).toMatchObject({
        tokenId: scored.model.tokenizer.endOfTurnId,
        start: response.length,
        end: response.length,
      });
      let covered = 0;
      for (const { start, end } of own) {
        expect(start).toBeLessThanOrEqual(covered);
        covered = Math.max(covered, end);
      }
      expect(covered).toBe(response.length);
    }
  });

  it('span a whole character where a token holds part of it', async () => {
    const { response, id } = writtenUsers[0]!;
    const at = response.indexOf('😀');
    const parts = ofExample(await rowsOf(writtenUsers), id).filter(({ start }) => start === at);
    expect(parts.length).toBeGreaterThan(1);
    expect(parts.every(({ end }) => end === at + '😀'.length)).toBe(true);
  });

  it('hold no special token that a user has spelt, in prompts and responses', async () => {
    const { tokenizer } = scored.model;
    const rows = await rowsOf(writtenUsers, { withPrompts: true });
    for (const { id } of writtenUsers) {
      const first = ofExample(rows, id)[0]!;
      // The chat template: user, end, assistant.
      for (const ids of [first.promptIdsWithHistory!, first.promptIdsWithoutHistory!])
        expect(ids.filter((token) => tokenizer.isSpecial(token))).toHaveLength(3);
      expect(first.responseIds!.filter((token) => tokenizer.isSpecial(token))).toHaveLength(1);
    }
  });

  it('give the prompts that their numbers come from, on the first row of each example', async () => {
    const rows = await rowsOf(writtenUsers, { withPrompts: true });
    expect(rows.filter((row) => 'responseIds' in row).map(({ position }) => position)).toEqual([0, 0, 0, 0]);
    await using scorer = createScorer(scored, { threads: 1 });
    for (const { id } of writtenUsers) {
      const own = ofExample(rows, id);
      const { promptIdsWithHistory, promptIdsWithoutHistory, responseIds } = own[0]!;
      expect(own.map(({ tokenId }) => tokenId)).toEqual(responseIds);
      const [withHistory, withoutHistory] = await scorer.logProbabilities(
        [promptIdsWithHistory!, promptIdsWithoutHistory!].map((promptIds) => ({
          promptIds,
          responseIds: responseIds!,
        })),
      );
      for (const row of own) {
        expect(row.logProbWithHistory).toBeCloseTo(withHistory![row.position]!, DIGITS);
        expect(row.logProbWithoutHistory).toBeCloseTo(withoutHistory![row.position]!, DIGITS);
        const difference = Math.exp(row.logProbWithHistory) - Math.exp(row.logProbWithoutHistory);
        expect(row.effectProbability).toBeCloseTo(difference, DIGITS);
      }
      expect(Math.max(...own.map(({ effectLogRatio }) => Math.abs(effectLogRatio)))).toBeGreaterThan(0.01);
    }
  });

  it('do not depend on the examples that are scored with them', async () => {
    const together = await rowsOf(writtenUsers);
    const alone = await rowsOf([writtenUsers[2]!]);
    const own = ofExample(together, writtenUsers[2]!.id);
    expect(own).toHaveLength(alone.length);
    for (const [t, row] of alone.entries()) {
      expect(own[t]!.effectLogRatio).toBeCloseTo(row.effectLogRatio, DIGITS);
      expect(own[t]!.effectDivergence).toBeCloseTo(row.effectDivergence, DIGITS);
    }
  });

  it('have weights that sum to 1 within each example, uniform when no objective is named', async () => {
    for (const objective of [undefined, 'nextquill-js', 'perce'] as const) {
      const rows = await rowsOf(writtenUsers, objective === undefined ? {} : { objective });
      for (const { id } of writtenUsers) {
        const weights = ofExample(rows, id).map(({ weight }) => weight);
        expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 5);
        expect(new Set(weights).size === 1, objective).toBe(objective === undefined);
      }
    }
  });

  it('are exactly zero for an empty history, those of others too', async () => {
    const rows = await rowsOf([newUser, ...writtenUsers], { others: 2 });
    const own = ofExample(rows, 'new');
    expect(own.length).toBeGreaterThan(5);
    for (const row of own) {
      expect(row).toMatchObject({
        effectProbability: 0,
        effectLogRatio: 0,
        effectDivergence: 0,
        effectPlacebo: 0,
        effectUserSpecific: 0,
      });
      expect(row.logProbWithHistory).toBe(row.logProbWithoutHistory);
    }
  });

  it('leave out a text that is too long, and refuse it where they are asked to be strict', async () => {
    const long = { ...writtenUsers[1]!, id: 'long', response: 'x '.repeat(2000) };
    const counts: LeftOut[] = [];
    const onLeftOut = (leftOut: LeftOut) => counts.push(leftOut);
    const rows = await rowsOf([long, writtenUsers[0]!], { onLeftOut });
    expect(new Set(rows.map(({ example }) => example))).toEqual(new Set([writtenUsers[0]!.id]));
    expect(counts).toMatchObject([{ tooLong: 1, withoutHistory: 0, first: { tooLong: 'long' } }]);
    const tooLong = { code: 'data/too-long', message: expect.stringContaining('example long') };
    await expect(rowsOf([long, writtenUsers[0]!], { strict: true })).rejects.toMatchObject(tooLong);
    await expect(rowsOf([long])).rejects.toMatchObject(tooLong);
  });

  it('are zero where no item of the history fits, and the caller is told once', async () => {
    const long = { ...writtenUsers[1]!, history: [{ id: 'l', query: '', text: 'kettle '.repeat(1100) }] };
    const notices: Notice[] = [];
    const onNotice = (notice: Notice) => notices.push(notice);
    const rows = await rowsOf([writtenUsers[0]!, long], { onNotice });
    expect(ofExample(rows, long.id).every(({ effectLogRatio }) => effectLogRatio === 0)).toBe(true);
    expect(notices).toEqual([
      {
        code: 'prompts/history-hidden',
        count: 1,
        total: 2,
        example: 'e1',
        maxTokens: 1024,
        maxHistory: 8,
      },
    ]);
    // Effects that are all 0 were once written without a word.
    await rowsOf([newUser, writtenUsers[0]!], { onNotice });
    expect(notices.slice(1)).toEqual([
      {
        code: 'prompts/no-history',
        count: 1,
        total: 2,
        example: newUser.id,
        consequence: 'effects-zero',
      },
    ]);
  });
});

describe('placebo histories', () => {
  it('give the mean over other users, and split the total into it and what only this user’s history does', async () => {
    const rows = await rowsOf(writtenUsers, { others: 2 });
    for (const example of writtenUsers) {
      const others = matchedOthers(writtenUsers, example, 2).others.map(({ history }) => history);
      const [a, b] = await logProbabilitiesAfter(example, others);
      for (const row of ofExample(rows, example.id)) {
        const placebo = (a![row.position]! + b![row.position]!) / 2;
        expect(row.effectPlacebo).toBeCloseTo(placebo - row.logProbWithoutHistory, DIGITS);
        expect(row.effectPlacebo! + row.effectUserSpecific!).toBeCloseTo(row.effectLogRatio, DIGITS);
      }
    }
  });

  it('stand for no history with the reference value placebo, and nothing else changes', async () => {
    const removed = await rowsOf(writtenUsers);
    for (const seed of [0, 5]) {
      const rows = await rowsOf(writtenUsers, { prompt: { ...prompt, reference: 'placebo' }, seed });
      for (const example of writtenUsers) {
        const other = referenceHistory(writtenUsers, example, { seed })!.history;
        const [logProbabilities] = await logProbabilitiesAfter(example, [other]);
        const before = ofExample(removed, example.id);
        for (const [t, row] of ofExample(rows, example.id).entries()) {
          expect(row.logProbWithoutHistory).toBeCloseTo(logProbabilities![t]!, DIGITS);
          expect(row.logProbWithHistory).toBeCloseTo(before[t]!.logProbWithHistory, DIGITS);
          // The reference alone is nobody's B: 0 on every token, and C the total.
          expect(row).not.toHaveProperty('effectPlacebo');
          expect(row).not.toHaveProperty('effectUserSpecific');
        }
      }
    }
  });

  it('are of other users than the one that stands for none, and do not change it by their number', async () => {
    const reference = { ...prompt, reference: 'placebo' as const };
    const alone = await rowsOf(writtenUsers, { prompt: reference });
    const beside = await rowsOf(writtenUsers, { prompt: reference, others: 2 });
    for (const example of writtenUsers) {
      const { user } = referenceHistory(writtenUsers, example)!;
      const others = writtenUsers.filter((other) => ![user, example.user].includes(other.user));
      const [a, b] = await logProbabilitiesAfter(
        example,
        others.map(({ history }) => history),
      );
      const before = ofExample(alone, example.id);
      const after = ofExample(beside, example.id);
      for (const [t, row] of after.entries()) {
        expect(row.logProbWithoutHistory).toBeCloseTo(before[t]!.logProbWithoutHistory, DIGITS);
        const placebo = (a![t]! + b![t]!) / 2;
        expect(row.effectPlacebo).toBeCloseTo(placebo - row.logProbWithoutHistory, DIGITS);
      }
      expect(Math.max(...after.map(({ effectPlacebo }) => Math.abs(effectPlacebo!)))).toBeGreaterThan(0.01);
    }
    await expect(rowsOf(writtenUsers, { prompt: reference, others: 3 })).rejects.toThrow(
      'expected 3 other users',
    );
  });

  it('never show nothing: who has too long a text gives way, and was scored as no history', async () => {
    const [me, long, ...others] = writtenUsers as [Example, Example, ...Example[]];
    const tooLong = { ...long, history: [{ id: 'l', query: '', text: 'kettle '.repeat(1100) }] };
    const pool = [me, tooLong, ...others];
    const rows = await rowsOf([me], { pool, others: 2 });
    const [a, b] = await logProbabilitiesAfter(
      me,
      others.map(({ history }) => history),
    );
    for (const row of rows)
      expect(row.effectPlacebo).toBeCloseTo(
        (a![row.position]! + b![row.position]!) / 2 - row.logProbWithoutHistory,
        DIGITS,
      );
  });

  it('leave B and C out where nobody’s history shows, and say so once', async () => {
    const [me, ...others] = writtenUsers as [Example, ...Example[]];
    const history = [{ id: 'l', query: '', text: 'kettle '.repeat(1100) }];
    const pool = [me, ...others.map((other) => ({ ...other, history }))];
    const notices: Notice[] = [];
    const options = { pool, others: 2, onNotice: (notice: Notice) => notices.push(notice) };
    const [row] = await rowsOf([me, newUser], options);
    expect(row).not.toHaveProperty('effectPlacebo');
    expect(row).not.toHaveProperty('effectUserSpecific');
    expect(row!.effectLogRatio).not.toBe(0);
    expect(notices.filter(({ code }) => code === 'prompts/others-hidden')).toMatchObject([
      { code: 'prompts/others-hidden', count: 1, total: 2, example: 'e0', consequence: 'effects-unknown' },
    ]);
  });

  it('are drawn by the seed, 0 where none is named', async () => {
    const pool = simulate({ users: 40, seed: 4, historyItems: 2 }).map(({ time: _, ...example }, i) => ({
      ...example,
      history: [{ ...example.history[0]!, text: `Word ${i} of a text.` }],
    }));
    const drawn = async (seed?: number) =>
      (await rowsOf(pool.slice(0, 2), { pool, others: 1, ...(seed !== undefined && { seed }) })).map(
        ({ effectPlacebo }) => effectPlacebo,
      );
    const byDefault = await drawn();
    expect(await drawn(0)).toEqual(byDefault);
    expect(await drawn(1)).not.toEqual(byDefault);
  });

  it('are absent from rows when none were asked for', async () => {
    const [row] = await rowsOf([writtenUsers[0]!]);
    expect(row).not.toHaveProperty('effectPlacebo');
    expect(row).not.toHaveProperty('effectUserSpecific');
  });

  it('are refused when their number is none', async () => {
    await expect(rowsOf(writtenUsers, { others: -1 })).rejects.toThrow(ConfigError);
    await expect(rowsOf(writtenUsers, { others: 0.5 })).rejects.toThrow('others: expected a whole number');
  });
});
