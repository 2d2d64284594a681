/** @file PEFT and transformers load what we write and compute the same; runs where NEXTQUILL_PYTHON names a Python that has them. */
import { execFileSync } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/base/random.ts';
import { type Adapter, loadAdapter, saveAdapter } from '../../../src/engine/lora/adapter-folder.ts';
import { adapterShapes } from '../../../src/engine/lora/layers.ts';
import { mergedWeights } from '../../../src/engine/lora/merge.ts';
import { loraParameters } from '../../../src/engine/models/parameters.ts';
import { saveModel } from '../../../src/engine/models/save-model.ts';
import { largestDifference } from '../../support/engine.ts';
import { logitsOf } from '../../support/logits.ts';
import { tinyModel } from '../../support/tiny-model.ts';

const python = process.env.NEXTQUILL_PYTHON;
if (python === undefined)
  console.warn(
    'NOT RUN: parity with PEFT. Set NEXTQUILL_PYTHON to a Python with torch, transformers and peft.',
  );

/** f32 sums in another order than PyTorch's. */
const TOLERANCE = 1e-5;
const ids = [5, 17, 32, 3, 40, 8, 8, 21];

/** Python loads torch, transformers and peft for each model, ms. */
const PYTHON_STARTS_IN = 300_000;

const models = [
  ['tiny-llama', ['q_proj', 'down_proj']],
  ['tiny-llama3', ['q_proj', 'down_proj']],
  ['tiny-qwen2', ['k_proj', 'up_proj']],
  ['tiny-qwen3', ['o_proj', 'v_proj']],
  ['tiny-gemma3', ['q_proj', 'gate_proj']],
  ['tiny-gpt2', ['c_attn', 'c_proj']],
] as const;

const script = `
import json, sys, torch
from transformers import AutoModelForCausalLM
base, adapter, resaved, merged, ids = *sys.argv[1:5], json.loads(sys.argv[5])
load = lambda folder: AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32)
logits = lambda model: model.eval()(input_ids=torch.tensor([ids])).logits[0].flatten().tolist()
from peft import PeftModel
model = PeftModel.from_pretrained(load(base), adapter)
result = {"adapter": logits(model), "merged": logits(load(merged))}
model.save_pretrained(resaved)
print(json.dumps(result))
`;

describe.skipIf(python === undefined)('PEFT', () => {
  it.each(models)(
    'gives our logits of %s with our adapter, with our merged model, and writes an adapter that we read',
    async (name, targetModules) => {
      const home = await mkdtemp(join(tmpdir(), 'nextquill-peft-'));
      const [folder, resaved, merged] = ['adapter', 'resaved', 'merged'].map((name) => join(home, name));
      const model = await tinyModel(name);
      const lora = {
        rank: 3,
        loraAlpha: 7,
        targetModules,
        dropout: 0.25,
        rsLora: true,
      };
      const random = randomStream(0, 'tests/peft');
      const tensors = Object.fromEntries(
        adapterShapes(model, lora).map(({ name, shape }) => {
          const data = Float32Array.from({ length: shape[0]! * shape[1]! }, () => random.normal() / 4);
          return [name, { shape, data }];
        }),
      );
      const adapter: Adapter = { lora, tensors };
      await saveAdapter(folder!, adapter, { baseModel: 'tiny', info: { modelHash: model.hash } });
      // In shards: transformers follows the index.
      await saveModel(merged!, model, mergedWeights(model, adapter), { maxShardBytes: 20_000 });

      const args = ['-c', script, model.folder, folder!, resaved!, merged!, JSON.stringify(ids)];
      const output = execFileSync(python!, args, {
        encoding: 'utf8',
        env: { ...process.env, HF_HUB_OFFLINE: '1' },
      });
      const theirs = JSON.parse(output.trim().split('\n').at(-1)!) as Record<string, number[]>;

      const ours = await logitsOf(model, ids, loraParameters(lora), tensors);
      for (const form of ['adapter', 'merged']) {
        const data = Float32Array.from(theirs[form]!);
        expect(largestDifference({ data, shape: ours.shape }, ours), form).toBeLessThan(TOLERANCE);
      }
      const bare = await logitsOf(model, ids);
      expect(largestDifference(bare, ours)).toBeGreaterThan(100 * TOLERANCE);

      const again = await loadAdapter(resaved!, model);
      expect({ ...again.lora, targetModules: again.lora.targetModules.toSorted() }).toEqual({
        ...lora,
        targetModules: lora.targetModules.toSorted(),
      });
      for (const [name, { data }] of Object.entries(tensors)) expect(again.tensors[name]!.data).toEqual(data);
    },
    PYTHON_STARTS_IN,
  );
});
