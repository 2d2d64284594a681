/** @file Evaluation of a system: likelihoods by hand, authors on constructed cases, and what must be refused. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataError } from '../../../src/base/errors.ts';
import { loadModel } from '../../../src/engine/models/model.ts';
import type { Example } from '../../../src/method/data/example.ts';
import {
  type EvaluationOptions,
  evaluate,
  pairedDifferences,
} from '../../../src/method/evaluation/evaluate.ts';
import { matchedOthers } from '../../../src/method/others/matching.ts';
import { referenceHistory } from '../../../src/method/others/others-histories.ts';
import { defaultPromptSettings, promptPair } from '../../../src/method/prompts/pair.ts';
import type { ScoredModel } from '../../../src/method/scoring/scored-model.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { writeModelFolder, zeroWeights } from '../../support/model-folder.ts';
import { newUser, writtenUsers } from '../../support/written-users.ts';

/** f32 sums over rows of other lengths. */
const DIGITS = 4;

const prompt = defaultPromptSettings(1024);
let folder: string;
let scored: ScoredModel;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nextquill-evaluate-'));
  await writeModelFolder(folder);
  scored = { model: await loadModel(folder, join(folder, 'cache')) };
});
afterAll(() => rm(folder, { recursive: true }));

const evaluated = (examples: readonly Example[], options: Partial<EvaluationOptions> = {}, model = scored) =>
  evaluate('tiny', model, examples, { prompt, threads: 1, bootstrap: { resamples: 200 }, ...options });

/** Mean NLL of an example's response after each history, by the scorer alone. */
async function nllAfter(example: Example, histories: readonly Example['history'][]): Promise<number[]> {
  await using scorer = createScorer(scored, { threads: 1 });
  const logProbabilities = await scorer.logProbabilities(
    histories.map((history) => {
      const pair = promptPair(example, scored.model.tokenizer, prompt, { history });
      return { promptIds: pair.withHistoryIds, responseIds: pair.responseIds };
    }),
  );
  return logProbabilities.map((values) => -values.reduce((sum, value) => sum + value, 0) / values.length);
}

describe('evaluation', () => {
  it('gives nats a response token with the history, without, and with other users’ histories', async () => {
    const { scores, system, historyEffect } = await evaluated(writtenUsers);
    for (const [i, example] of writtenUsers.entries()) {
      const others = matchedOthers(writtenUsers, example, 3).others.map(({ history }) => history);
      const [own, none, ...other] = await nllAfter(example, [example.history, [], ...others]);
      expect(scores[i]).toMatchObject({ example: example.id, user: example.user });
      expect(scores[i]!.nllWithHistory).toBeCloseTo(own!, DIGITS);
      expect(scores[i]!.nllWithoutHistory).toBeCloseTo(none!, DIGITS);
      expect(scores[i]!.nllOtherHistory).toBeCloseTo(other.reduce((a, b) => a + b, 0) / 3, DIGITS);
    }
    const mean = scores.reduce((sum, score) => sum + score.nllWithHistory, 0) / scores.length;
    expect(system.nllWithHistory.value).toBeCloseTo(mean, 10);
    const { total, generic, userSpecific } = historyEffect;
    expect(generic.value + userSpecific.value).toBeCloseTo(total.value, 10);
    expect(total.value).toBeCloseTo(system.nllWithoutHistory.value - system.nllWithHistory.value, 10);
  });

  it('finds the author where the own history makes the text likeliest, and only there', async () => {
    // Each response goes once to the user whose history makes it likeliest, and once to the user least so.
    const histories = writtenUsers.map(({ history }) => history);
    for (const [extreme, identified] of [
      [Math.min, 1],
      [Math.max, 0],
    ] as const) {
      for (const { response } of writtenUsers) {
        const nll = await nllAfter({ ...writtenUsers[0]!, response }, histories);
        const author = nll.indexOf(extreme(...nll));
        const example = { ...writtenUsers[author]!, response };
        const { scores } = await evaluated([example], { pool: writtenUsers });
        expect(scores[0]!.identified).toBe(identified);
      }
    }
  });

  it('shares an author among histories that are equally likely', async () => {
    const { scores, system } = await evaluated(
      writtenUsers,
      {},
      { model: scored.model, trained: zeroWeights(scored.model) },
    );
    expect(scores.map(({ identified }) => identified)).toEqual([0.25, 0.25, 0.25, 0.25]);
    expect(system.authorIdentification).toMatchObject({ value: 0.25, k: 4 });
    expect(system.nllWithHistory.value).toBeCloseTo(Math.log(scored.model.config.vocabularySize), DIGITS);
  });

  it('draws one more history where another user’s stands for none, which is no candidate', async () => {
    const reference = { ...prompt, reference: 'placebo' as const };
    const { scores, historyEffect } = await evaluated(writtenUsers, { prompt: reference, others: 1 });
    for (const [i, example] of writtenUsers.entries()) {
      const none = referenceHistory(writtenUsers, example)!;
      const left = writtenUsers.filter(({ user }) => ![none.user, example.user].includes(user));
      const [nll, ...others] = await nllAfter(example, [none.history, ...left.map(({ history }) => history)]);
      expect(scores[i]!.nllWithoutHistory).toBeCloseTo(nll!, DIGITS);
      const nearest = others.map((other) => Math.abs(other - scores[i]!.nllOtherHistory));
      expect(Math.min(...nearest)).toBeLessThan(1e-4);
    }
    // The reference was one of those that B is the mean of: with two candidates B was 0, and C the total.
    expect(Math.abs(historyEffect.generic.value)).toBeGreaterThan(1e-3);
    expect((await evaluated(writtenUsers, { prompt: reference })).system.authorIdentification!.k).toBe(3);
    const asked = evaluated(writtenUsers, { prompt: reference, others: 3 });
    await expect(asked).rejects.toThrow('expected 4 other users');
  });

  it('compares with histories that show, as many items of each, and leaves out what has none', async () => {
    const [me, second, ...others] = writtenUsers as [Example, Example, ...Example[]];
    const kettles = { id: 'l', query: '', text: 'kettle '.repeat(1100) };
    // Both were scored as no history: the first shows nothing, the second one item only.
    const pool = [me, { ...second, history: [second.history[0]!, kettles] }, ...others];
    const { scores, leftOut } = await evaluated([me], { pool, others: 2 });
    const strangers = others.map(({ history }) => history);
    const [a, b] = await nllAfter(me, strangers);
    expect(scores[0]!.nllOtherHistory).toBeCloseTo((a! + b!) / 2, DIGITS);
    expect(leftOut.othersDoNotFit).toBe(0);

    const short = [me, { ...second, history: [kettles, second.history[1]!] }, ...others];
    const cut = await evaluated([me], { pool: short, others: 3 });
    const latest = [second, ...others].map(({ history }) => history.slice(-1));
    const nll = await nllAfter(me, latest);
    expect(cut.scores[0]!.nllOtherHistory).toBeCloseTo(
      nll.reduce((sum, value) => sum + value, 0) / 3,
      DIGITS,
    );

    const alone = { ...newUser, id: 'alone', user: 'alone', history: me.history, query: 'so '.repeat(700) };
    const wide = others.map((other, i) => ({
      ...other,
      history: [{ id: `w${i}`, query: '', text: 'lamp '.repeat(150) }],
    }));
    const some = await evaluated([me, alone], { pool: wide, others: 1 });
    expect(some.leftOut).toMatchObject({
      historyDoesNotFit: 0,
      othersDoNotFit: 1,
      first: { othersDoNotFit: 'alone' },
    });
    expect(some.scores.map(({ example }) => example)).toEqual([me.id]);
    await expect(evaluated([alone], { pool: wide, others: 1 })).rejects.toThrow('expected another user');
  });

  it('draws other users’ histories by the seed', async () => {
    const same = { id: 's', query: '', text: 'one of many equal texts' };
    const pool = Array.from({ length: 12 }, (_, i) => ({
      ...writtenUsers[i % 4]!,
      id: `p${i}`,
      user: `p${i}`,
      history: [{ ...same, id: `s${i}`, text: `${same.text} ${i}` }],
    }));
    const others = async (seed: number) =>
      (await evaluated([writtenUsers[0]!], { pool, seed, bootstrap: { resamples: 50 } })).scores.map(
        ({ nllOtherHistory }) => nllOtherHistory,
      );
    expect(await others(0)).toEqual(await others(0));
    expect(await others(1)).not.toEqual(await others(0));
  });

  // One text that was too long was once the end of an evaluation, and of a refutation, where an audit left it out.
  it('leaves out a text that is too long, names it, and refuses it where it is asked to be strict', async () => {
    const long = { ...writtenUsers[1]!, id: 'long', response: 'x '.repeat(2000) };
    const { scores, leftOut } = await evaluated([...writtenUsers, long]);
    expect(scores.map(({ example }) => example)).toEqual(writtenUsers.map(({ id }) => id));
    expect(leftOut).toMatchObject({ tooLong: 1, first: { tooLong: 'long' } });
    await expect(evaluated([...writtenUsers, long], { strict: true })).rejects.toMatchObject({
      code: 'data/too-long',
      message: expect.stringContaining('example long'),
    });
  });

  it('leaves out examples without a history, and counts them', async () => {
    const { scores, leftOut } = await evaluated([newUser, ...writtenUsers]);
    expect(scores.map(({ example }) => example)).toEqual(writtenUsers.map(({ id }) => id));
    expect(leftOut).toMatchObject({ withoutHistory: 1, first: { withoutHistory: newUser.id } });
    await expect(evaluated([newUser])).rejects.toThrow(DataError);
  });

  it('chooses among fewer histories by default where there are fewer users, and refuses when asked for more', async () => {
    const few = writtenUsers.slice(0, 3);
    expect((await evaluated(few)).system.authorIdentification!.k).toBe(3);
    await expect(evaluated(few, { others: 3 })).rejects.toThrow('expected 3 other users');
    await expect(evaluated(few.slice(0, 1))).rejects.toThrow('expected 1 other user with a history');
  });

  it('repeats its intervals by the seed', async () => {
    const [a, b, c] = await Promise.all(
      [1, 1, 2].map((seed) => evaluated(writtenUsers, { seed, bootstrap: { resamples: 50 } })),
    );
    expect(a).toEqual(b);
    expect(c!.scores).toEqual(a!.scores);
    expect(c!.system.nllWithHistory.low).not.toBe(a!.system.nllWithHistory.low);
  });
});

it('two systems differ by the mean of what their examples differ by, and a system from itself by nothing', async () => {
  const evaluation = await evaluated(writtenUsers);
  const worse = {
    ...evaluation,
    scores: evaluation.scores.map((score, i) => ({ ...score, nllWithHistory: score.nllWithHistory + i })),
  };
  const [nll, effect, same] = pairedDifferences(worse, evaluation, [
    'nllWithHistory',
    'totalEffect',
    'nllWithoutHistory',
  ]);
  expect(nll!.estimate.value).toBeCloseTo(1.5, 10);
  expect(effect!.estimate.value).toBeCloseTo(-1.5, 10);
  expect(same!.estimate).toMatchObject({ value: 0, low: 0, high: 0 });
  // Differences 0, 1, 2, 3: as large a sum only with all signs the same or those of the zero changed, 2 of 16, twice.
  expect(nll!.pValue).toBe(0.25);
  expect(same!.pValue).toBe(1);
});
