/** @file Scores by a worker that a stand-in plays: the same rows as by any scorer, what follows from them computed here. */
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { torchWorker } from '../../../src/app/launch/torch-scorer.ts';
import { isRunning } from '../../../src/base/process.ts';
import { randomStream } from '../../../src/base/random.ts';
import { openTextGenerator } from '../../../src/engine/generate/decode.ts';
import type { Model } from '../../../src/engine/models/model.ts';
import { openSession } from '../../../src/engine/models/pass.ts';
import { scoresHash } from '../../../src/method/scoring/scored-hash.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { randomAdapter } from '../../support/adapter-files.ts';
import { worst } from '../../support/engine.ts';
import { fakeTorch, misbehaving } from '../../support/fake-torch.ts';
import { letteredModel, randomPairs, withCopied } from '../../support/tiny-model.ts';

const plain = await letteredModel('tiny-llama');
const workers: ReturnType<typeof torchWorker>[] = [];
/** One of its own, which a misbehaviour of the stand-in begins with. */
const newWorker = (more: Partial<typeof fakeTorch> = {}) => {
  const worker = torchWorker({ ...fakeTorch, ...more, version: '1' });
  workers.push(worker);
  return worker;
};
const model: Model = { ...plain, worker: newWorker() };
const pairs = randomPairs(5);
const prompts = [{ promptIds: [3], responseIds: [4, 5] }];
const home = await mkdtemp(join(tmpdir(), 'nextquill-serving-'));
let files = 0;
const newFile = () => join(home, String(files++));
const startsIn = async (file: string) => (await readFile(file, 'utf8')).trim().split('\n').map(Number);
afterAll(async () => {
  for (const worker of workers) await worker[Symbol.asyncDispose]();
});

describe('a scorer over a worker', () => {
  it('gives log-probabilities in the order asked for, each prompt asked of the worker once', async () => {
    await using scorer = createScorer({ model });
    const prompts = [
      { promptIds: [3, 4], responseIds: [10, 20] },
      { promptIds: [5], responseIds: [30] },
      { promptIds: [3, 4], responseIds: [10, 20] },
    ];
    const done: number[] = [];
    const scores = await scorer.logProbabilities(prompts, (count) => done.push(count));
    expect(scores.map((values) => [...values].map((value) => Math.round(value * 1000)))).toEqual([
      [-10, -20],
      [-30],
      [-10, -20],
    ]);
    expect(done).toEqual([3]);
  });

  it('makes effects and weights of the two passes, none without a history', async () => {
    await using scorer = createScorer({ model }, { objective: 'nextquill-code' });
    const effects = await scorer.effects(pairs);
    for (const [i, { responseIds, hasHistory }] of pairs.entries()) {
      const { logRatio, probability, weight, logProbWithHistory } = effects[i]!;
      expect(weight.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 6);
      expect(logProbWithHistory).toHaveLength(responseIds.length);
      const own = Math.exp(-responseIds[0]! / 1000);
      expect(logRatio[0]).toBeCloseTo(hasHistory ? 0.5 : 0, 6);
      expect(probability[0]).toBeCloseTo(hasHistory ? own - own * Math.exp(-0.5) : 0, 6);
    }
  });

  it('leaves what is copied without extra weight, where an objective says so', async () => {
    const objectiveOptions = { effectThreshold: 1e-6, copyDiscount: 1 };
    await using scorer = createScorer({ model }, { objective: 'nextquill-data-side', objectiveOptions });
    const marked = withCopied(pairs);
    for (const [i, { weight, probability }] of (await scorer.effects(marked)).entries()) {
      const raw = probability.map((effect, t) => (effect > 1e-6 && !marked[i]!.copied![t] ? 0.9 : 0.1));
      const sum = raw.reduce((a, b) => a + b, 0);
      expect(
        worst(
          weight,
          raw.map((each) => each / sum),
        ),
      ).toBeLessThan(1e-6);
    }
    await expect(scorer.effects(pairs)).rejects.toMatchObject({ code: 'objective/no-copied' });
  });

  it('has scores of its own in a cache', () => {
    expect(scoresHash({ model })).toBe(`${scoresHash({ model: plain })} torch cpu f32`);
  });

  it('refuses numbers that are not one for each token', async () => {
    await using scorer = createScorer({ model: { ...plain, worker: newWorker() } });
    const scores = misbehaving({ short: true }, () =>
      scorer.logProbabilities([{ promptIds: [3], responseIds: [4, 5] }]),
    );
    await expect(scores).rejects.toMatchObject({ code: 'worker/scores' });
  });
});

describe('the process of a worker', () => {
  it.each([1, 2])('is one for all requests, and ends with the worker: %i processes', async (processes) => {
    const startsFile = newFile();
    await misbehaving({ startsFile }, async () => {
      const worker = newWorker({ processes });
      const several = [1, 2, 3].map(() => worker.logProbabilities(prompts, { model }));
      for (const scores of await Promise.all(several)) expect(scores).toHaveLength(1);
      await worker.pairScores(pairs, { model });
      const [pid, ...more] = await startsIn(startsFile);
      expect([more, isRunning(pid!)]).toEqual([[], true]);
      await worker[Symbol.asyncDispose]();
      expect(isRunning(pid!)).toBe(false);
    });
  });

  it.each([1, 2])('is started and asked again when it was killed: %i processes', async (processes) => {
    const startsFile = newFile();
    await misbehaving({ startsFile, dieAtRequest: 2, once: newFile() }, async () => {
      const worker = newWorker({ processes });
      const first = await worker.logProbabilities(prompts, { model });
      expect(await worker.logProbabilities(prompts, { model })).toEqual(first);
      expect(await startsIn(startsFile)).toHaveLength(2);
    });
  });

  it('that is killed too often is an error', async () => {
    await misbehaving({ dieAtRequest: 1, once: newFile() }, async () => {
      const worker = newWorker({ maxRestarts: 0 });
      await expect(worker.logProbabilities(prompts, { model })).rejects.toMatchObject({
        code: 'worker/died',
      });
    });
  });

  it('that answers with an error is not asked again, and a new one serves the next request', async () => {
    const answer = { code: 'engine/device', message: 'device: expected cuda, got none', hint: 'Look.' };
    await misbehaving({ failsAtRequest: 2, answer }, async () => {
      const worker = newWorker();
      await worker.logProbabilities(prompts, { model });
      const failing = worker.logProbabilities(prompts, { model });
      await expect(failing).rejects.toMatchObject({ ...answer, name: 'ConfigError' });
      expect(await worker.logProbabilities(prompts, { model })).toHaveLength(1);
    });
  });

  it('ends when the signal says so', async () => {
    const startsFile = newFile();
    await misbehaving({ waits: true, startsFile }, async () => {
      const controller = new AbortController();
      const worker = newWorker();
      const scores = worker.logProbabilities(prompts, { model, signal: controller.signal });
      setTimeout(() => controller.abort(), 300);
      await expect(scores).rejects.toMatchObject({ code: 'aborted' });
      for (const pid of await startsIn(startsFile)) expect(isRunning(pid)).toBe(false);
    });
  });

  it('writes texts by its logits, drawn here', async () => {
    await using generator = await openTextGenerator(model, {});
    const written: number[][] = [[], [], []];
    const texts = [[10], [20, 30], [20, 30]].map((ids, i) => ({ ids, random: randomStream(0, `${i}`) }));
    for await (const { prompt, token } of generator.generate(texts, { maxNewTokens: 4 }))
      written[prompt]!.push(token);
    expect(written).toEqual([
      [11, 12, 13, 14],
      [31, 32, 33, 34],
      [31, 32, 33, 34],
    ]);
  });

  it('writes with adapters of this package’s memory, which it finds in folders', async () => {
    const adapter = randomAdapter(plain, 1);
    const worker = newWorker();
    for (let i = 0; i < 2; i++)
      expect(await worker.logProbabilities(prompts, { model, adapter })).toHaveLength(1);
  });

  it('is not asked for weights under training, which it would not see', () => {
    const trained = { 'model.norm.weight': { data: new Float32Array(16), shape: [16] } };
    expect(() => createScorer({ model, trained })).toThrow(
      expect.objectContaining({ code: 'engine/unsupported' }),
    );
  });

  it('does not contrast adapters', async () => {
    const opened = openTextGenerator(model, { adapter: randomAdapter(plain, 1) }, { contrast: 2 });
    await expect(opened).rejects.toMatchObject({ code: 'engine/unsupported' });
  });
});

it('a model that a worker computes is never compiled here unseen', async () => {
  await expect(openSession(model, {})).rejects.toMatchObject({ code: 'engine/unsupported' });
});
