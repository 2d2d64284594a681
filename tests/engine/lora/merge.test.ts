/** @file Merging: a model with its adapter merged in computes what base and adapter compute together. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadAdapter } from '../../../src/engine/lora/adapter-folder.ts';
import { mergedWeights } from '../../../src/engine/lora/merge.ts';
import { loraParameters } from '../../../src/engine/models/parameters.ts';
import { saveModel } from '../../../src/engine/models/save-model.ts';
import { openSafetensors } from '../../../src/engine/weights/safetensors.ts';
import { largestDifference } from '../../support/engine.ts';
import { logitsOf } from '../../support/logits.ts';
import { tinyModel } from '../../support/tiny-model.ts';

/** W + scaling·B·A rounded once, against two products added in f32. */
const TOLERANCE = 1e-5;
const ids = [5, 17, 32, 3, 40, 8, 8, 21];

it.each(['tiny-llama', 'tiny-llama-tied', 'tiny-gpt2'])(
  'merged and unmerged adapters of %s agree in logits',
  async (name) => {
    const model = await tinyModel(name);
    const adapter = await loadAdapter(`tests/golden/${name}/adapter`, model);
    const folder = join(await mkdtemp(join(tmpdir(), 'nextquill-merge-')), 'merged');
    await saveModel(folder, model, mergedWeights(model, adapter));
    const merged = { ...model, weights: await openSafetensors(join(folder, 'model.safetensors')) };
    const unmergedLogits = await logitsOf(model, ids, loraParameters(adapter.lora), adapter.tensors);
    const mergedLogits = await logitsOf(merged, ids);
    expect(largestDifference(mergedLogits, unmergedLogits)).toBeLessThan(TOLERANCE);
    // The adapter does something, so agreeing is no accident.
    const bare = await logitsOf(model, ids);
    expect(largestDifference(bare, unmergedLogits)).toBeGreaterThan(100 * TOLERANCE);
  },
);
