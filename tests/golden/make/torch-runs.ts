/**
 * @file Writes tests/golden/torch-runs: RunSpec folders of small runs, and what this package's engine makes of each, step by step;
 * the worker on PyTorch must make the same. Run: npx tsx tests/golden/make/torch-runs.ts
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writeScoreSpec } from '../../../src/app/launch/score-spec.ts';
import { defaultCompute } from '../../../src/app/launch/spec.ts';
import { writeTrainSpec } from '../../../src/app/launch/train-spec.ts';
import { randomStream } from '../../../src/base/random.ts';
import { loadAdapter, saveAdapter } from '../../../src/engine/lora/adapter-folder.ts';
import { viewsOf } from '../../../src/engine/optim/flat-parameters.ts';
import type { PromptPair } from '../../../src/method/prompts/pair.ts';
import type { RunInfo } from '../../../src/method/runs/run-info.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { createEstimator, fixedEstimates } from '../../../src/method/training/estimators.ts';
import { createValidation } from '../../../src/method/training/held-out.ts';
import { resolveSettings, type TrainingSettings } from '../../../src/method/training/settings.ts';
import { trainingLoop } from '../../../src/method/training/trainer.ts';
import { createTrainingGraph } from '../../../src/method/training/training-graph.ts';
import { randomPairs, tinyModel, withCopied } from '../../support/tiny-model.ts';

const folder = resolve(import.meta.dirname, '../torch-runs');
const lora = { rank: 4, loraAlpha: 8, targetModules: ['q_proj', 'v_proj', 'down_proj'] };

/** What the runs share: an uneven last step, and a norm that every step is clipped to. */
const shared: TrainingSettings = {
  batchSize: 2,
  gradientAccumulation: 2,
  epochs: 2,
  learningRate: 1e-2,
  warmupRatio: 0.2,
  maxGradientNorm: 0.05,
  threads: 1,
  seed: 7,
};

interface Case extends TrainingSettings {
  readonly modelName?: string;
  readonly examples?: number;
  /** Some response tokens are read and not fitted. */
  readonly masked?: boolean;
  /** Pairs hold prompts with another user's history, or with two, or placebos are given beside them. */
  readonly others?: 'in pairs' | 'two in pairs' | 'beside';
}

const cases: Readonly<Record<string, Case>> = {
  nextquill: { lora },
  'code-dropout': {
    lora: { ...lora, dropout: 0.3 },
    objective: 'nextquill-code',
    modelName: 'tiny-llama-tied',
  },
  'js-gradient-masked': {
    lora,
    objective: 'nextquill-js',
    objectiveOptions: { weightGradient: true },
    masked: true,
  },
  'paper-anchor': {
    lora: { ...lora, rsLora: true },
    objective: 'nextquill-paper',
    objectiveOptions: { anchorWeight: 0.3, stopGradient: true, effectWarmup: 0.5, effectThreshold: 0.01 },
  },
  'full-code': { objective: 'nextquill-code', modelName: 'tiny-llama-tied', learningRate: 1e-3 },
  'full-anchor': {
    objective: 'sft',
    objectiveOptions: { anchorWeight: 0.5 },
    examples: 6,
    learningRate: 1e-3,
  },
  average: {
    lora,
    objective: 'nextquill-paper',
    objectiveOptions: { softWeights: true },
    estimator: 'moving-average',
    estimatorDecay: 0.5,
  },
  fixed: { lora, objective: 'perce', estimator: 'fixed', masked: true },
  'user-specific': {
    lora,
    objective: 'perce',
    objectiveOptions: { weightsFrom: 'userSpecific' },
    others: 'beside',
  },
  preference: { lora, objective: 'mipo', objectiveOptions: { preferenceFit: 0.2 }, others: 'in pairs' },
  'plausible-preference-tokens': {
    lora,
    objective: 'perce-cft',
    objectiveOptions: { plausibility: 0.3, differenceAt: 'preferenceTokens', differenceThreshold: 0 },
  },
  'copies-discounted': {
    lora,
    objective: 'perce',
    objectiveOptions: { copyDiscount: 1 },
    masked: true,
  },
  'difference-from-another': {
    lora,
    objective: 'nextquill-code',
    objectiveOptions: { differenceFrom: 'otherHistory', plausibility: 0.2 },
    others: 'in pairs',
  },
  'effects-as-targets': {
    lora,
    objective: 'sft',
    objectiveOptions: { targetWeight: 1, targetKnee: 0.05 },
    estimator: 'fixed',
    others: 'beside',
  },
  contrasted: {
    lora,
    objective: 'perce',
    objectiveOptions: {
      ...{ contrastWeight: 0.5, contrastHistories: 2, contrastTemperature: 0.2 },
      ...{ effectStart: 0.25, effectWarmup: 0.5 },
    },
    others: 'two in pairs',
    masked: true,
  },
  calibrated: {
    lora,
    objective: 'sft',
    objectiveOptions: { calibrationWeight: 0.5, effectStart: 0.25, effectWarmup: 0.5 },
  },
  'weighted-and-calibrated': {
    lora,
    objective: 'perce',
    objectiveOptions: { plainWeight: 0.8, copyDiscount: 1, calibrationWeight: 0.3 },
  },
  'no-history': { lora, objective: 'sft-no-history', examples: 6 },
  evaluated: { lora, objective: 'perce', objectiveOptions: { plainWeight: 0.8 }, evalEvery: 3 },
  'head-adapted': { lora: { ...lora, dropout: 0.2, targetModules: ['lm_head', 'o_proj'] }, examples: 6 },
  qwen2: { lora, modelName: 'tiny-qwen2', examples: 6 },
  qwen3: { lora, modelName: 'tiny-qwen3', examples: 6 },
  gemma3: { lora, modelName: 'tiny-gemma3', examples: 6 },
  gpt2: { lora: { ...lora, targetModules: ['c_attn', 'c_proj'] }, modelName: 'tiny-gpt2', examples: 6 },
};

/** Ids below the vocabulary of every tiny model. */
const inVocabulary = (pair: PromptPair, size: number): PromptPair => {
  const cut = (ids: readonly number[]) => ids.map((id) => id % size);
  return {
    ...pair,
    withHistoryIds: cut(pair.withHistoryIds),
    withoutHistoryIds: cut(pair.withoutHistoryIds),
    responseIds: cut(pair.responseIds),
    ...(pair.otherHistoryIds && { otherHistoryIds: cut(pair.otherHistoryIds) }),
    ...(pair.furtherHistoryIds && { furtherHistoryIds: pair.furtherHistoryIds.map(cut) }),
  };
};

async function make(name: string, { modelName, examples = 10, masked, others, ...settingsOf }: Case) {
  const opened = await tinyModel(modelName);
  const size = opened.config.vocabularySize;
  const model = { ...opened, tokenizer: { ...opened.tokenizer, vocabularySize: size } };
  const settings = resolveSettings({ ...shared, ...settingsOf }, model);
  const random = randomStream(1, 'tests/torch-runs');
  const ids = (count: number) => Array.from({ length: count }, () => 3 + random.integer(30));
  const longest = modelName === 'tiny-gpt2' ? 3 : 9;
  const drawn = settings.objective.needs.copied ? withCopied(randomPairs(examples)) : randomPairs(examples);
  const pairs = drawn.map((pair, i) => {
    const other = pair.hasHistory && i % 3 !== 1;
    const shortened = { ...pair, withHistoryIds: pair.withHistoryIds.slice(-longest) };
    return inVocabulary(
      {
        ...shortened,
        ...((others === 'in pairs' || others === 'two in pairs') &&
          other && { otherHistoryIds: [...ids(4), ...pair.withoutHistoryIds] }),
        ...(others === 'two in pairs' &&
          other && { furtherHistoryIds: [[...ids(6), ...pair.withoutHistoryIds]] }),
        ...(masked && { fitted: pair.responseIds.map((_, t) => t % 3 !== 1) }),
      },
      size,
    );
  });
  const placebos =
    others === 'beside'
      ? pairs.map(({ hasHistory, withoutHistoryIds, responseIds }) =>
          hasHistory
            ? [2, 5].map((count) => ({ promptIds: [...ids(count), ...withoutHistoryIds], responseIds }))
            : [],
        )
      : undefined;
  const heldOut =
    settings.evalEvery > 0 ? { pairs: randomPairs(5, 3), users: ['a', 'b', 'a', 'c', 'b'] } : undefined;
  const fixed = await fixedEstimates(settings, {
    model,
    pairs,
    threads: 1,
    ...(placebos && { others: placebos }),
  });
  const run = join(folder, name);
  await mkdir(run, { recursive: true });
  // Without estimates: the worker computes them.
  await writeTrainSpec(run, {
    settings,
    model,
    modelSource: modelName ?? 'tiny-llama',
    pairs,
    others: placebos,
    heldOut,
    compute: { ...defaultCompute, device: 'cpu', threads: 1 },
    info: { formatVersion: 1, objective: settings.objective.name } as RunInfo,
    version: '0.0.0',
  });
  const path = join(run, 'spec/run.json');
  const spec = JSON.parse(await readFile(path, 'utf8'));
  spec.model.path = modelName ?? 'tiny-llama';
  spec.result.copies = [];
  await writeFile(path, `${JSON.stringify(spec, null, 1)}\n`);

  await using graph = await createTrainingGraph({
    model,
    objective: settings.objective,
    seed: settings.seed,
    threads: 1,
    ...(settings.lora && { lora: settings.lora }),
  });
  await using tokenEstimator = createEstimator(settings, graph.parameters, fixed, {
    model,
    pairs,
    threads: 1,
  });
  await using validation = heldOut && createValidation(settings, graph.parameters, model, heldOut);
  const steps: unknown[] = [];
  const loop = trainingLoop(graph, pairs, {
    ...settings,
    padId: 0,
    ...(tokenEstimator && { tokenEstimator }),
  });
  for await (const { totalSteps, ...step } of loop) {
    const isEvaluated = step.step % settings.evalEvery === 0 || step.step === totalSteps;
    steps.push({
      ...step,
      ...(validation && isEvaluated && { validationLoss: await validation.loss() }),
    });
  }
  const sums = Object.entries(viewsOf(graph.parameters, graph.parameters.weights)).map(
    ([tensor, { data }]) => [
      tensor,
      { sum: data.reduce((a, b) => a + b, 0), absolute: data.reduce((a, b) => a + Math.abs(b), 0) },
    ],
  );
  const expected = {
    madeBy: 'nextquill',
    script: 'tests/golden/make/torch-runs.ts',
    steps,
    weights: Object.fromEntries(sums),
  };
  await writeFile(join(run, 'expected.json'), `${JSON.stringify(expected, null, 1)}\n`);
  console.log(name, steps.length, JSON.stringify(steps.at(-1)));
}

/** Scores of pairs and prompts, with an adapter and without. */
async function makeScores() {
  const model = await tinyModel();
  const pairs = randomPairs(7);
  const adapter = await loadAdapter(resolve(folder, '../tiny-llama/adapter'), model);
  const prompts = pairs.map(({ withHistoryIds: promptIds, responseIds }, i) => ({
    promptIds,
    responseIds,
    ...(i % 2 === 0 && { targetIds: responseIds.map((id) => (id + 7) % 61) }),
  }));
  for (const [name, parts] of Object.entries({
    'scores-llama': { pairs },
    'scores-adapter': { pairs, adapter },
    'scores-prompts': { prompts, adapter },
  })) {
    const run = join(folder, name);
    await mkdir(run, { recursive: true });
    const compute = { ...defaultCompute, device: 'cpu' as const, threads: 1 };
    const { pairs: scored, prompts: asked } = { pairs: undefined, prompts: undefined, ...parts };
    await writeScoreSpec(run, {
      ...(scored && { pairs: scored }),
      ...(asked && { prompts: asked }),
      ...{ model, modelSource: 'tiny-llama', compute, version: '0.0.0' },
    });
    if ('adapter' in parts)
      await saveAdapter(join(run, 'spec/adapter'), parts.adapter, { baseModel: model.folder });
    const path = join(run, 'spec/run.json');
    const spec = JSON.parse(await readFile(path, 'utf8'));
    spec.model.path = 'tiny-llama';
    if ('adapter' in parts) {
      spec.adapter = 'adapter';
      const config = join(run, 'spec/adapter/adapter_config.json');
      const adapter = JSON.parse(await readFile(config, 'utf8'));
      adapter.base_model_name_or_path = 'tiny-llama'; // not the folder of the machine that made it
      await writeFile(config, `${JSON.stringify(adapter, null, 2)}\n`);
    }
    await writeFile(path, `${JSON.stringify(spec, null, 1)}\n`);
    await using scorer = createScorer(
      { model, ...('adapter' in parts && { adapter: parts.adapter }) },
      { threads: 1 },
    );
    const scores: Record<string, number[]> = {};
    if ('pairs' in parts) {
      const effects = await scorer.effects(parts.pairs);
      for (const key of ['logProbWithHistory', 'logProbWithoutHistory', 'divergence'] as const)
        scores[key] = effects.flatMap((effect) => [...effect[key]]);
    } else scores.logProb = (await scorer.logProbabilities(parts.prompts)).flatMap((values) => [...values]);
    const expected = { madeBy: 'nextquill', script: 'tests/golden/make/torch-runs.ts', scores };
    await writeFile(join(run, 'expected.json'), `${JSON.stringify(expected, null, 1)}\n`);
    console.log(name);
  }
}

const only = process.argv.slice(2);
if (only.length === 0) await rm(folder, { recursive: true, force: true });
for (const [name, one] of Object.entries(cases))
  if (only.length === 0 || only.includes(name)) await make(name, one);
if (only.length === 0 || only.includes('scores')) await makeScores();
