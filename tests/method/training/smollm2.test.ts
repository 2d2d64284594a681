/**
 * @file Twenty steps of LoRA training of the real SmolLM2-135M-Instruct against PyTorch and PEFT
 * (tests/golden/make/smollm2_training.py). Runs where NEXTQUILL_SMOLLM2 names its Q4_1 file, as
 * tests/engine/gguf/smollm2.test.ts does.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../../src/app/open/model-source.ts';
import type { Adapter } from '../../../src/engine/lora/adapter-folder.ts';
import { adapterShapes } from '../../../src/engine/lora/layers.ts';
import type { Model } from '../../../src/engine/models/model.ts';
import type { LoraOptions } from '../../../src/engine/models/parameters.ts';
import type { ObjectiveName } from '../../../src/method/objectives/objectives.ts';
import { largestGap, type TrajectoryGolden, trainTrajectory } from '../../support/trajectory.ts';

interface Golden extends TrajectoryGolden {
  readonly lora: LoraOptions;
  readonly runs: { readonly objective: ObjectiveName; readonly losses: number[] }[];
}

/** 30 layers of f32 sums in another order, and twenty updates in which their differences grow. */
const TOLERANCE = 1e-3;

const file = process.env.NEXTQUILL_SMOLLM2;
if (file === undefined)
  console.warn(
    'SKIPPED: training of the real SmolLM2; set NEXTQUILL_SMOLLM2 to SmolLM2-135M-Instruct.Q4_1.gguf to run it.',
  );

const golden = JSON.parse(readFileSync('tests/golden/smollm2-training.json', 'utf8')) as Golden;

/** Numbers in [-1, 1) by a hash (murmur3's finish) of the places start, start + 1, …; the golden's script has the same. */
function hashedUniform(count: number, start: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => {
    let z = Math.imul(start + i, 0x9e3779b9);
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) / 2 ** 31 - 1;
  });
}

/** A uniform within 1/√inputs over the names in order, B zero. */
function startingAdapter(model: Model, lora: LoraOptions): Adapter {
  const tensors: Record<string, { shape: readonly number[]; data: Float32Array }> = {};
  let start = 0;
  const shapes = adapterShapes(model, lora).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, shape } of shapes) {
    const size = shape[0]! * shape[1]!;
    const data = new Float32Array(size);
    if (name.includes('.lora_A.')) {
      data.set(hashedUniform(size, start).map((value) => value / Math.sqrt(shape[1]!)));
      start += size;
    }
    tensors[name] = { shape, data };
  }
  return { lora, tensors };
}

describe.skipIf(file === undefined)('twenty steps of SmolLM2 with adapters on all linear layers', () => {
  it.each(golden.runs)(
    'by $objective have the losses of PyTorch',
    async ({ objective, losses: expected }) => {
      const model = await openModel(file!);
      const adapter = startingAdapter(model, golden.lora);
      const { losses } = await trainTrajectory(golden, { model, objective, adapter, threads: 2 });
      console.info(`${objective}: largest difference of a loss ${largestGap(losses, expected)}`);
      expect(losses).toHaveLength(20);
      expect(largestGap(losses, expected)).toBeLessThan(TOLERANCE);
    },
    1_800_000,
  );
});
