/**
 * @file A model on WebGPU beside the processor: every architecture, a whole training step of every objective, bases of 4 and 8
 * bits, a table beyond the least storage buffer, cached generation, and what is left to the processor. Runs where
 * NEXTQUILL_WEBGPU=1; a graphics card in software will do (docs/compatibility.md).
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Device } from '../../../src/base/device.ts';
import { openCachedPass } from '../../../src/engine/generate/cached-pass.ts';
import { createCache } from '../../../src/engine/generate/kv-cache.ts';
import { blockModules } from '../../../src/engine/lora/layers.ts';
import type { Model } from '../../../src/engine/models/model.ts';
import { architectureOf, parseDecoderConfig } from '../../../src/engine/models/registry.ts';
import { withQuantisedBase } from '../../../src/engine/quantisation/quantised-base.ts';
import { openSafetensors, writeSafetensors } from '../../../src/engine/weights/safetensors.ts';
import type { ObjectiveOptions } from '../../../src/method/objectives/objective-options.ts';
import type { ObjectiveChoice } from '../../../src/method/objectives/objectives.ts';
import { planObjective } from '../../../src/method/objectives/plan.ts';
import { promptOf } from '../../../src/method/prompts/collate.ts';
import type { PromptPair } from '../../../src/method/prompts/pair.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { trainingBatch } from '../../../src/method/training/batch.ts';
import { createTrainingGraph } from '../../../src/method/training/training-graph.ts';
import { hasWebgpu } from '../../support/devices.ts';
import { largestDifference } from '../../support/engine.ts';
import { logitsOf } from '../../support/logits.ts';
import { placementsOf } from '../../support/placements.ts';
import { randomPairs, tinyModel } from '../../support/tiny-model.ts';

const TOLERANCE = 1e-4;

const onCard = <M extends object>(model: M) => ({ ...model, device: 'webgpu' as Device });
const flat = (data: Float32Array) => ({ data, shape: [data.length] });

// The smallest golden model knows 41 words and 16 positions.
const known = (ids: readonly number[]) => ids.slice(-8).map((id) => id % 41);
const pairs: PromptPair[] = randomPairs(4).map((pair, i, all) => {
  const stranger = (step: number) => known(all[(i + step) % 4]!.withHistoryIds);
  return {
    ...pair,
    withHistoryIds: known(pair.withHistoryIds),
    withoutHistoryIds: known(pair.withoutHistoryIds),
    responseIds: known(pair.responseIds),
    otherHistoryIds: stranger(1),
    furtherHistoryIds: [stranger(2)],
    copied: pair.responseIds.map((_, t) => t % 2 === 0),
  };
});

/** Loss and gradients of one step with adapters away from their start, where B is zero and hides A's gradients. */
async function step(model: Model, objective: ObjectiveChoice, options: ObjectiveOptions = {}) {
  const lora = { rank: 4, loraAlpha: 8, targetModules: blockModules(model) };
  await using graph = await createTrainingGraph({
    ...{ model, objective: planObjective(objective, options), lora },
    ...{ seed: 0, threads: 1 },
  });
  for (const [i, value] of graph.parameters.weights.entries())
    if (value === 0) graph.parameters.weights[i] = 0.05 * Math.sin(i);
  const estimates = pairs.map(({ responseIds }) => ({ startMargin: new Float32Array(responseIds.length) }));
  const batch = { ...trainingBatch(pairs, graph.passes, 0), estimates };
  const { loss } = await graph.accumulate(batch, pairs.length);
  const gradients = graph.parameters.gradients.slice();
  return { loss: loss!, gradients, norm: Math.hypot(...gradients) };
}

async function expectSameStep(
  name: string,
  model: Model,
  objective: ObjectiveChoice,
  options?: ObjectiveOptions,
) {
  const [there, here] = [
    await step(onCard(model), objective, options),
    await step(model, objective, options),
  ];
  console.info(
    `${name} on webgpu: loss ${there.loss} (processor ${here.loss}), gradient norm ${there.norm} (${here.norm})`,
  );
  expect(here.norm).toBeGreaterThan(1e-3);
  expect(Math.abs(there.loss - here.loss) / (1 + Math.abs(here.loss))).toBeLessThan(TOLERANCE);
  expect(Math.abs(there.norm / here.norm - 1)).toBeLessThan(TOLERANCE);
  expect(largestDifference(flat(there.gradients), flat(here.gradients))).toBeLessThan(TOLERANCE);
}

const plausible: ObjectiveOptions = {
  ...{ plausibility: 0.1, effectWeight: 0.3, differenceAt: 'preferenceTokens' },
  stopGradient: true,
};

describe.skipIf(!hasWebgpu)('on WebGPU', () => {
  it('log-probabilities are the processor’s', async () => {
    const cpu = await tinyModel();
    const prompts = pairs.map((pair) => promptOf(pair));
    const scores = async (model: Model) => {
      await using scorer = createScorer({ model }, { threads: 1 });
      return scorer.logProbabilities(prompts);
    };
    const [there, here] = [await scores(onCard(cpu)), await scores(cpu)];
    const worst = Math.max(...there.map((each, i) => largestDifference(flat(each), flat(here[i]!))));
    console.info(`log-probabilities on webgpu: largest difference ${worst}`);
    expect(worst).toBeLessThan(TOLERANCE);
  }, 600_000);

  it.each(['tiny-llama-tied', 'tiny-llama3', 'tiny-qwen2', 'tiny-qwen3', 'tiny-gemma3', 'tiny-gpt2'])(
    'a step of %s has the processor’s loss and gradients',
    async (name) => {
      await expectSameStep(name, await tinyModel(name), 'nextquill');
    },
    1_800_000,
  );

  it.each<[ObjectiveChoice, ObjectiveOptions]>([
    ['sft', {}],
    ['sft', { calibrationWeight: 0.3 }],
    ['sft', { contrastWeight: 0.5, contrastHistories: 2 }],
    ['nextquill', {}],
    ['nextquill-code', {}],
    ['nextquill-paper', {}],
    ['nextquill-js', { weightGradient: true }],
    ['cft', {}],
    ['perce-cft', plausible],
    ['mipo', {}],
  ])(
    'a step of %s %j has the processor’s loss and gradients',
    async (objective, options) => {
      await expectSameStep(objective, await tinyModel(), objective, options);
    },
    1_800_000,
  );

  it.each([4, 8] as const)(
    'a step over a base of %d bits has the processor’s loss and gradients',
    async (bits) => {
      const cache = await mkdtemp(join(tmpdir(), 'nextquill-webgpu-'));
      const model = await withQuantisedBase(await tinyModel(), bits, cache);
      await expectSameStep(`${bits} bits`, model, 'nextquill');
    },
    1_800_000,
  );

  it('a table beyond the 128 MiB of the least storage buffer gives the processor’s logits', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nextquill-webgpu-'));
    const config = parseDecoderConfig(
      {
        ...{ model_type: 'llama', hidden_size: 64, intermediate_size: 64, num_hidden_layers: 1 },
        ...{ num_attention_heads: 2, num_key_value_heads: 1, vocab_size: 600_000, rms_norm_eps: 1e-5 },
        ...{ max_position_embeddings: 64, tie_word_embeddings: true },
      },
      folder,
    );
    const architecture = architectureOf(config);
    const path = join(folder, 'model.safetensors');
    await writeSafetensors(
      path,
      architecture.parameters(config).map(({ name, shape }) => {
        const size = shape.reduce((a, b) => a * b, 1);
        const data = new Float32Array(size);
        for (let i = 0; i < size; i++) data[i] = shape.length === 1 ? 1 : Math.sin(0.7 * i) / 4;
        return { name, dtype: 'F32', shape, data };
      }),
    );
    const model = { config, architecture, weights: await openSafetensors(path) };
    expect(4 * 600_000 * 64).toBeGreaterThan(128 << 20);
    const ids = [5, 599_999, 300_000];
    const [there, here] = [await logitsOf(onCard(model), ids), await logitsOf(model, ids)];
    expect(largestDifference(there, here)).toBeLessThan(TOLERANCE);
  }, 600_000);

  it('a prompt and single tokens over a cache have the processor’s logits', async () => {
    const cpu = await tinyModel();
    const ids = Array.from({ length: 9 }, (_, t) => (t * 7) % 61);
    const logits = async (model: Model) => {
      await using pass = await openCachedPass(model, {}, { threads: 1 });
      const cache = createCache(model.config, 1, 12);
      const results = [await pass.prefill(cache, 0, ids)];
      for (const token of [5, 6]) results.push(await pass.step(cache, [token]));
      return results.map((each) => each.slice());
    };
    const [there, here] = [await logits(onCard(cpu)), await logits(cpu)];
    const worst = Math.max(...there.map((each, i) => largestDifference(flat(each), flat(here[i]!))));
    console.info(`cached logits on webgpu: largest difference ${worst}`);
    expect(worst).toBeLessThan(TOLERANCE);
  }, 600_000);

  it.each(['tiny-llama', 'tiny-qwen2', 'tiny-gemma3', 'tiny-gpt2'])(
    'only sizes, indices and masks of a step of %s are left to the processor',
    async (name) => {
      const placements = await placementsOf(onCard(await tinyModel(name)), (model) =>
        step(model, 'nextquill-code'),
      );
      const ofCard = placements.filter(({ provider }) => provider === 'WebGpuExecutionProvider');
      const left = placements.filter(({ provider }) => provider !== 'WebGpuExecutionProvider');
      // Shapes as numbers, comparisons of positions, and rows of indices: no number of the model passes through them.
      const allowed = [
        ...['Add', 'Cast', 'Concat', 'Expand', 'LessOrEqual', 'Mul', 'ReduceProd'],
        ...['Reshape', 'SequenceEmpty', 'Shape', 'Slice', 'Unsqueeze'],
      ];
      expect(left.filter(({ op }) => !allowed.includes(op))).toEqual([]);
      // Sums and products there are of sizes.
      expect(
        left.filter(({ op, outputBytes }) => ['Add', 'Mul', 'Concat'].includes(op) && outputBytes > 64),
      ).toEqual([]);
      expect(ofCard.length).toBeGreaterThan(5 * left.length);
    },
    1_800_000,
  );
});
