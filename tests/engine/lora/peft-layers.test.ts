/** @file Adapters of PEFT with patterns: other ranks, alphas and layers give PEFT's logits, also merged. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { loadAdapter } from '../../../src/engine/lora/adapter-folder.ts';
import { adaptableLayers } from '../../../src/engine/lora/layers.ts';
import { peftLayers } from '../../../src/engine/lora/peft-layers.ts';
import { loraParameters } from '../../../src/engine/models/parameters.ts';
import { largestDifference } from '../../support/engine.ts';
import { logitsOf } from '../../support/logits.ts';
import { tinyModel } from '../../support/tiny-model.ts';

/** f32 sums in another order than PyTorch's. */
const TOLERANCE = 1e-5;
const model = await tinyModel();
const golden = JSON.parse(await readFile('tests/golden/peft-patterns.json', 'utf8')) as {
  ids: number[];
  logits: Record<string, number[][]>;
};
const bare = await logitsOf(model, golden.ids);

describe('adapters of PEFT', () => {
  it.each(Object.keys(golden.logits))('named by %s give the logits of PEFT', async (name) => {
    const { lora, tensors, warnings } = await loadAdapter(`tests/golden/peft-patterns/${name}`, model);
    const ours = await logitsOf(model, golden.ids, loraParameters(lora), tensors);
    const data = Float32Array.from(golden.logits[name]!.flat());
    expect(largestDifference({ data, shape: ours.shape }, ours)).toBeLessThan(TOLERANCE);
    expect(largestDifference(bare, ours)).toBeGreaterThan(100 * TOLERANCE);
    expect(warnings).toEqual([]);
  });

  it('of one rank are left as they are, bit for bit', async () => {
    const { lora } = await loadAdapter('tests/golden/peft-patterns/head', model);
    expect(lora).toEqual({ rank: 2, loraAlpha: 2, targetModules: ['lm_head', 'q_proj'] });
  });

  it('of several ranks get the largest, and zeros where they have no part', async () => {
    const { lora, tensors } = await loadAdapter('tests/golden/peft-patterns/ranks', model);
    expect(lora).toEqual({ rank: 4, loraAlpha: 4, targetModules: ['o_proj', 'q_proj', 'up_proj'] });
    const b = tensors['base_model.model.model.layers.0.mlp.up_proj.lora_B.weight']!;
    expect(b.shape).toEqual([48, 4]);
    expect(b.data.filter((value) => value !== 0).length).toBeLessThanOrEqual(48);
  });
});

describe('patterns', () => {
  const layers = adaptableLayers(model);
  const chosen = (json: Record<string, unknown>) =>
    peftLayers(json, 'x', layers, { rank: 2, loraAlpha: 4 }).map(({ name, rank, loraAlpha }) => [
      name,
      rank,
      loraAlpha,
    ]);

  it('all-linear leaves the head out', () => {
    const names = chosen({ target_modules: 'all-linear' }).map(([name]) => name);
    expect(names).toHaveLength(14);
    expect(names).not.toContain('lm_head');
  });

  it('the first that a name ends with counts, at the dots', () => {
    const json = {
      target_modules: ['k_proj'],
      rank_pattern: { proj: 9, 'layers.1.self_attn.k_proj': 3, k_proj: 5 },
      alpha_pattern: { 'layers\\.[0]\\..*': 1 },
    };
    expect(chosen(json)).toEqual([
      ['model.layers.0.self_attn.k_proj', 5, 1],
      ['model.layers.1.self_attn.k_proj', 3, 4],
    ]);
  });
});
