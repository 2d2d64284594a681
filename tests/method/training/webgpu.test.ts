/**
 * @file A model on WebGPU beside the processor: log-probabilities, a whole training step with adapters, and cached
 * generation. Runs where NEXTQUILL_WEBGPU=1; a graphics card in software will do (docs/compatibility.md).
 */
import { describe, expect, it } from 'vitest';
import type { Device } from '../../../src/base/device.ts';
import { openCachedPass } from '../../../src/engine/generate/cached-pass.ts';
import { createCache } from '../../../src/engine/generate/kv-cache.ts';
import { blockModules } from '../../../src/engine/lora/layers.ts';
import { planObjective } from '../../../src/method/objectives/plan.ts';
import { promptOf } from '../../../src/method/prompts/collate.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { trainingBatch } from '../../../src/method/training/batch.ts';
import { createTrainingGraph } from '../../../src/method/training/training-graph.ts';
import { hasWebgpu } from '../../support/devices.ts';
import { largestDifference } from '../../support/engine.ts';
import { randomPairs, tinyModel } from '../../support/tiny-model.ts';

const cpu = await tinyModel();
const webgpu = { ...cpu, device: 'webgpu' as Device };
const flat = (data: Float32Array) => ({ data, shape: [data.length] });

describe.skipIf(!hasWebgpu)('on WebGPU', () => {
  it('log-probabilities are the processor’s', async () => {
    const prompts = randomPairs(4).map((pair) => promptOf(pair));
    const scores = async (model: typeof cpu) => {
      await using scorer = createScorer({ model }, { threads: 1 });
      return scorer.logProbabilities(prompts);
    };
    const [there, here] = [await scores(webgpu), await scores(cpu)];
    const worst = Math.max(...there.map((each, i) => largestDifference(flat(each), flat(here[i]!))));
    console.info(`log-probabilities on webgpu: largest difference ${worst}`);
    expect(worst).toBeLessThan(1e-4);
  }, 600_000);

  it('a step of nextquill-code with adapters has the processor’s loss and gradients', async () => {
    const pairs = randomPairs(4);
    const step = async (model: typeof cpu) => {
      const lora = { rank: 4, loraAlpha: 8, targetModules: blockModules(model) };
      const objective = planObjective('nextquill-code');
      await using graph = await createTrainingGraph({ model, objective, lora, seed: 0, threads: 1 });
      // B is zero at the start, and hides A's gradients.
      for (const [i, value] of graph.parameters.weights.entries())
        if (value === 0) graph.parameters.weights[i] = 0.05 * Math.sin(i);
      const { loss } = await graph.accumulate(trainingBatch(pairs, graph.passes, 0), pairs.length);
      const gradients = graph.parameters.gradients.slice();
      return { loss: loss!, gradients, norm: Math.sqrt(gradients.reduce((sum, g) => sum + g * g, 0)) };
    };
    const [there, here] = [await step(webgpu), await step(cpu)];
    console.info(
      `step of nextquill-code on webgpu: loss ${there.loss} (processor ${here.loss}), gradient norm ${there.norm} (${here.norm})`,
    );
    expect(Math.abs(there.loss - here.loss)).toBeLessThan(1e-4);
    expect(Math.abs(there.norm / here.norm - 1)).toBeLessThan(1e-4);
    expect(largestDifference(flat(there.gradients), flat(here.gradients))).toBeLessThan(1e-4);
  }, 1_800_000);

  it('a prompt and single tokens over a cache have the processor’s logits', async () => {
    const ids = Array.from({ length: 9 }, (_, t) => (t * 7) % 61);
    const logits = async (model: typeof cpu) => {
      await using pass = await openCachedPass(model, {}, { threads: 1 });
      const cache = createCache(model.config, 1, 12);
      const results = [await pass.prefill(cache, 0, ids)];
      for (const token of [5, 6]) results.push(await pass.step(cache, [token]));
      return results.map((each) => each.slice());
    };
    const [there, here] = [await logits(webgpu), await logits(cpu)];
    const worst = Math.max(...there.map((each, i) => largestDifference(flat(each), flat(here[i]!))));
    console.info(`cached logits on webgpu: largest difference ${worst}`);
    expect(worst).toBeLessThan(1e-4);
  }, 600_000);
});
