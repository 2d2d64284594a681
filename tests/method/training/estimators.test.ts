/** @file Who estimates effects in training: each estimator against the one that it must equal, and every way it is refused. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canonicalJson, sha256 } from '../../../src/base/hash.ts';
import { blockModules } from '../../../src/engine/lora/layers.ts';
import { loadModel } from '../../../src/engine/models/model.ts';
import { planObjective } from '../../../src/method/objectives/plan.ts';
import { defaultPromptSettings } from '../../../src/method/prompts/pair.ts';
import { readManifest } from '../../../src/method/runs/manifest.ts';
import type { TrainEvent } from '../../../src/method/runs/run.ts';
import { resumePairs, type TrainPairsOptions, train, trainPairs } from '../../../src/method/runs/train.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { simulate } from '../../../src/method/simulation/simulate.ts';
import { fixedEstimates } from '../../../src/method/training/estimators.ts';
import { trainingPrompts } from '../../../src/method/training/pairs.ts';
import { resolveSettings } from '../../../src/method/training/settings.ts';
import { effectScaleAt } from '../../../src/method/training/trainer.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { randomPairs, tinyModel } from '../../support/tiny-model.ts';
import { allEvents, outcomeOf, randomRun } from '../../support/train-runs.ts';

/** f32 sums in other orders, over a few steps of training. */
const TOLERANCE = 1e-4;

const home = await mkdtemp(join(tmpdir(), 'nextquill-estimators-'));
const model = await tinyModel();
const pairs = randomPairs(16);
const shared: Omit<TrainPairsOptions, 'out'> = {
  ...randomRun,
  model,
  pairs,
  // Weights without a jump: a token next to a threshold could change sides by rounding.
  objective: 'nextquill-paper',
  objectiveOptions: { softWeights: true },
  lora: { rank: 4, loraAlpha: 8, targetModules: blockModules(model) },
  learningRate: 1e-2,
  warmupRatio: 0,
  checkpointEvery: 2,
};
let runs = 0;
const freshPlace = () => join(home, `run-${runs++}`);

async function lossesOf(changes: Partial<TrainPairsOptions>): Promise<number[]> {
  const events = await allEvents(trainPairs({ ...shared, ...changes, out: freshPlace() }));
  return events.flatMap((event) => (event.type === 'step' ? event.loss : []));
}
const apart = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
const failureOf = (events: AsyncIterable<TrainEvent>) =>
  allEvents(events).then(
    () => undefined,
    (error: unknown) => error as Error,
  );

const dynamic = await lossesOf({});
const fixed = await lossesOf({ estimator: 'fixed' });

describe('an estimator', () => {
  it('that is the starting model begins as the model in training, and then goes another way', () => {
    expect(Math.abs(fixed[0]! - dynamic[0]!)).toBeLessThan(TOLERANCE);
    expect(apart(fixed, dynamic)).toBeGreaterThan(10 * TOLERANCE);
  });

  it('that averages nothing is the model in training, and one that never moves the starting model', async () => {
    const average = (estimatorDecay: number) => lossesOf({ estimator: 'moving-average', estimatorDecay });
    expect(apart(await average(0), dynamic)).toBeLessThan(TOLERANCE);
    expect(apart(await average(1), fixed)).toBeLessThan(TOLERANCE);
    const between = await average(0.5);
    expect(apart(between, dynamic)).toBeGreaterThan(TOLERANCE);
    expect(apart(between, fixed)).toBeGreaterThan(TOLERANCE);
  });

  it('sees the base that training does, also where that is of 4 bits', async () => {
    // Estimators once scored over the f32 model that the base was made of.
    const small = { baseBits: 4 } as const;
    const losses = await lossesOf(small);
    expect(apart(losses, dynamic)).toBeGreaterThan(10 * TOLERANCE);
    const average = await lossesOf({ ...small, estimator: 'moving-average', estimatorDecay: 0 });
    expect(apart(average, losses)).toBeLessThan(TOLERANCE);
    const frozen = await lossesOf({ ...small, estimator: 'fixed' });
    expect(Math.abs(frozen[0]! - losses[0]!)).toBeLessThan(TOLERANCE);
  });

  it('says of the fitted tokens alone what training asks of them', async () => {
    // Effects of all tokens were once fed beside the rows of the fitted ones.
    const masked = pairs.map((pair) => ({ ...pair, fitted: pair.responseIds.map((_, t) => t !== 0) }));
    const losses = await lossesOf({ pairs: masked, maxSteps: 2 });
    const average = { estimator: 'moving-average', estimatorDecay: 0 } as const;
    expect(apart(await lossesOf({ pairs: masked, maxSteps: 2, ...average }), losses)).toBeLessThan(TOLERANCE);
    const frozen = await lossesOf({ pairs: masked, maxSteps: 2, estimator: 'fixed' });
    expect(Math.abs(frozen[0]! - losses[0]!)).toBeLessThan(TOLERANCE);
    expect(Math.abs(losses[0]! - dynamic[0]!)).toBeGreaterThan(TOLERANCE);
  });

  it('that averages all weights of a model is the model in training when it keeps nothing', async () => {
    const { lora: _, ...full } = shared;
    const losses = async (changes: Partial<TrainPairsOptions>) => {
      const out = freshPlace();
      const events = await allEvents(trainPairs({ ...full, learningRate: 1e-3, ...changes, out }));
      return events.flatMap((event) => (event.type === 'step' ? event.loss : []));
    };
    const average = await losses({ estimator: 'moving-average', estimatorDecay: 0 });
    expect(apart(average, await losses({}))).toBeLessThan(TOLERANCE);
  });

  it('that averages goes on bit for bit after a stop', async () => {
    const averaging = { ...shared, estimator: 'moving-average', estimatorDecay: 0.9 } as const;
    const [whole, stopped] = [freshPlace(), freshPlace()];
    await allEvents(trainPairs({ ...averaging, out: whole }));
    for await (const event of trainPairs({ ...averaging, out: stopped }))
      if (event.type === 'step' && event.step === 5) break;
    await allEvents(resumePairs(stopped, { model, pairs }));
    expect(await outcomeOf(stopped)).toEqual(await outcomeOf(whole));
  });

  it('that is fixed is recorded, and going on with another is refused', async () => {
    const out = freshPlace();
    const another = { model: await tinyModel('tiny-llama-tied') };
    const openEstimator = async () => another;
    const fixedModel = { ...shared, estimator: 'fixed', estimatorModel: 'tied', openEstimator } as const;
    for await (const event of trainPairs({ ...fixedModel, out })) if (event.type === 'step') break;
    const { recipe, estimates } = await readManifest(out);
    expect(recipe).toMatchObject({ estimator: 'fixed', estimatorModel: 'tied' });
    expect(estimates).toEqual({
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      modelHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const changed = resumePairs(out, { model, pairs, openEstimator: async () => ({ model }) });
    expect(await failureOf(changed)).toMatchObject({ code: 'run/estimator-changed' });
    const events = await allEvents(resumePairs(out, { model, pairs, openEstimator }));
    expect(events.at(-1)).toMatchObject({ type: 'done' });
  });

  it('with another tokenizer is refused', async () => {
    const other = { ...model, tokenizer: { ...model.tokenizer, hash: sha256(canonicalJson('other')) } };
    const events = trainPairs({
      ...shared,
      estimator: 'fixed',
      estimatorModel: 'other',
      openEstimator: async () => ({ model: other }),
      out: freshPlace(),
    });
    expect(await failureOf(events)).toMatchObject({ code: 'estimator/tokenizer' });
  });

  it.each([
    [{ estimator: 'fixed', objective: 'sft', objectiveOptions: {} }, 'objective'],
    [
      {
        estimator: 'moving-average',
        objective: 'nextquill-js',
        objectiveOptions: { weightGradient: true },
      },
      'weightGradient',
    ],
    [{ estimatorModel: 'x' }, 'estimatorModel'],
    [{ estimator: 'fixed', estimatorDecay: 0.5 }, 'estimatorDecay'],
    [{ estimator: 'frozen' as 'fixed' }, 'fixed'],
  ] as const)('with settings that mean nothing is refused: %o', async (changes, named) => {
    expect(() => resolveSettings({ ...shared, ...changes }, model)).toThrowError(
      expect.objectContaining({ code: 'training/estimator', message: expect.stringContaining(named) }),
    );
  });
});

describe('weights made of C', () => {
  it('compare with the mean of other users’ histories, and are 0 without a history', async () => {
    const folder = join(home, 'model');
    await writeModelFolder(folder);
    const opened = await loadModel(folder, join(home, 'cache'));
    const examples = simulate({ users: 6, seed: 3, historyItems: 2 });
    examples[0] = { ...examples[0]!, history: [] };
    const prompt = defaultPromptSettings(opened.config.maxPositions);
    const made = await trainingPrompts(examples, opened, prompt, { seed: 0, others: 2 });
    const all = made.pairs;
    const others = made.others!;
    const settings = resolveSettings(
      {
        ...shared,
        objectiveOptions: { weightsFrom: 'userSpecific', others: 2, targetWeight: 1 },
        estimator: 'fixed',
      },
      opened,
    );
    const { estimates } = (await fixedEstimates(settings, {
      model: opened,
      pairs: all,
      others,
      threads: 1,
    }))!;
    await using scorer = createScorer({ model: opened }, { threads: 1 });
    for (const i of [1, 4]) {
      const scores = await scorer.logProbabilities(others[i]!);
      const { logProbWithoutHistory, generic, placeboMost } = estimates[i]!;
      for (const [t, value] of generic!.entries()) {
        expect(value).toBeCloseTo((scores[0]![t]! + scores[1]![t]!) / 2 - logProbWithoutHistory![t]!, 4);
        const most = Math.max(scores[0]![t]!, scores[1]![t]!) - logProbWithoutHistory![t]!;
        expect(placeboMost![t]).toBeCloseTo(most, 4);
      }
    }
    // Nothing exceeds what nobody's history does.
    expect(Math.min(...estimates[0]!.placeboMost!)).toBeGreaterThan(1e6);
    expect(estimates[0]!.generic!.every((value) => value === 0)).toBe(true);
    expect(estimates[1]!.generic!.some((value) => Math.abs(value) > 1e-3)).toBe(true);

    const out = freshPlace();
    const { pairs: _, objective, ...rest } = shared;
    const events = train({
      ...rest,
      objective,
      model: opened,
      modelSource: folder,
      examples,
      lora: { rank: 2, loraAlpha: 4, targetModules: ['q_proj'] },
      objectiveOptions: { weightsFrom: 'userSpecific', others: 2 },
      maxSteps: 1,
      out,
    });
    expect((await allEvents(events)).at(-1)).toMatchObject({ type: 'done' });
    expect((await readManifest(out)).recipe.objectiveOptions).toMatchObject({ weightsFrom: 'userSpecific' });
  });

  it.each([
    [{ weightsFrom: 'userSpecific' }, 'dynamic'],
    [{ targetWeight: 1 }, 'fixed'],
  ] as const)('and %o are refused where only token ids are given', async (objectiveOptions, estimator) => {
    const events = trainPairs({ ...shared, objectiveOptions, estimator, out: freshPlace() });
    expect(await failureOf(events)).toMatchObject({ code: 'objective/no-others' });
  });
});

describe('the anchor', () => {
  const partOf = async (changes: Partial<TrainPairsOptions>) => {
    const events = await allEvents(trainPairs({ ...shared, ...changes, out: freshPlace() }));
    return events.flatMap((event) => (event.type === 'step' ? event.parts.anchor! : []));
  };

  it.each(['lora', 'full'])(
    'of %s training is 0 at first, and the heavier it is the less is lost',
    async (method) => {
      const { lora: _, ...full } = shared;
      const by = (anchorWeight: number) =>
        partOf({
          ...(method === 'full' ? { ...full, lora: undefined as never, learningRate: 1e-3 } : {}),
          objective: 'nextquill-code',
          objectiveOptions: { anchorWeight },
        });
      const [light, heavy] = [await by(1e-6), await by(3)];
      expect(Math.abs(light[0]!)).toBeLessThan(1e-6);
      const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
      expect(sum(heavy)).toBeLessThan(0.95 * sum(light));
    },
  );
});

describe('a growing α', () => {
  it('grows in equal steps over its share of the run, and is whole from there on', () => {
    const scale = (step: number, effectWarmup: number) =>
      effectScaleAt(step, 20, { objective: planObjective('nextquill-paper', { effectWarmup }) });
    expect([1, 2, 5, 10, 11, 20].map((step) => scale(step, 0.5))).toEqual([0.1, 0.2, 0.5, 1, 1, 1]);
    expect(scale(1, 0)).toBe(1);
  });

  it('is nothing before its start', () => {
    const scale = (step: number, effectWarmup: number) =>
      effectScaleAt(step, 20, {
        objective: planObjective('nextquill-paper', { effectStart: 0.5, effectWarmup }),
      });
    expect([1, 10, 11, 12, 20].map((step) => scale(step, 0.1))).toEqual([0, 0, 0.5, 1, 1]);
    expect([1, 10, 11, 20].map((step) => scale(step, 0))).toEqual([0, 0, 1, 1]);
  });

  it('lowers the first loss by what it leaves of the difference term', async () => {
    const grown = await lossesOf({ objectiveOptions: { softWeights: true, effectWarmup: 1 } });
    const events = await allEvents(trainPairs({ ...shared, maxSteps: 1, out: freshPlace() }));
    const first = events.find((event) => event.type === 'step')!;
    const { logitDifference } = (first as { parts: Record<string, number> }).parts;
    expect(grown[0]).toBeCloseTo(dynamic[0]! - 0.1 * (1 - 1 / grown.length) * logitDifference!, 4);
  });
});

describe('copies that do not count', () => {
  const objectiveOptions = { softWeights: true, copyDiscount: 1 } as const;

  it('weigh alike, fitted or not, so that a text that is all copied is fitted plainly', async () => {
    const [first, ...rest] = pairs.slice(0, 4).map((pair) => ({
      ...pair,
      copied: pair.responseIds.map(() => true),
      fitted: pair.responseIds.map((_, t) => t !== 1),
    }));
    const plainness = async (pairs: TrainPairsOptions['pairs']) => {
      const run = trainPairs({ ...shared, pairs, objectiveOptions, maxSteps: 1, out: freshPlace() });
      const step = (await allEvents(run)).find((event) => event.type === 'step')!;
      const { crossEntropy, weightedCrossEntropy } = step.parts as Record<string, number>;
      return Math.abs(weightedCrossEntropy! - crossEntropy!);
    };
    expect(await plainness([first!, ...rest])).toBeLessThan(1e-6);
    // A pair that does not say what is copied has nothing copied.
    const { copied: _, ...silent } = first!;
    expect(await plainness([silent, ...rest])).toBeGreaterThan(1e-5);
  });

  it('are refused where nothing says which tokens are copied', async () => {
    expect(await failureOf(trainPairs({ ...shared, objectiveOptions, out: freshPlace() }))).toMatchObject({
      code: 'objective/no-copied',
    });
  });
});
