/** @file A model contrasted with itself without its adapter writes by z_base + s (z_adapter − z_base), over caches that move together. */
import { expect, it } from 'vitest';
import { randomStream } from '../../../src/base/random.ts';
import { openTextGenerator } from '../../../src/engine/generate/decode.ts';
import { adapterShapes } from '../../../src/engine/lora/layers.ts';
import { loraParameters } from '../../../src/engine/models/parameters.ts';
import type { HostTensor } from '../../../src/engine/runtime/session.ts';
import { logitsOf } from '../../support/logits.ts';
import { letteredModel } from '../../support/tiny-model.ts';

const model = await letteredModel('tiny-llama');
const lora = { rank: 2, loraAlpha: 4, targetModules: ['q_proj', 'down_proj'] };
const random = randomStream(5, 'tests/contrasted-pass');
const tensors: Record<string, HostTensor> = Object.fromEntries(
  adapterShapes(model, lora).map(({ name, shape }) => [
    name,
    { data: Float32Array.from({ length: shape[0]! * shape[1]! }, () => random.normal() * 0.4), shape },
  ]),
);
const adapter = { lora, tensors };

/** The likeliest token at each place after the prompt, by whole passes of both sides over all that was written. */
async function likeliest(ids: readonly number[], written: readonly number[], strength: number) {
  const sequence = [...ids, ...written];
  const base = (await logitsOf(model, sequence)).data as Float32Array;
  const adapted = (await logitsOf(model, sequence, loraParameters(lora), tensors)).data as Float32Array;
  const mixed = adapted.map((value, v) => base[v]! + strength * (value - base[v]!));
  return written.map((_, t) => {
    const row = mixed.subarray((ids.length - 1 + t) * 61, (ids.length + t) * 61);
    return row.indexOf(Math.max(...row));
  });
}

it.each([0, 1, 1.8])('strength %f', async (contrast) => {
  const prompts = [
    [5, 9, 33, 2, 7],
    [41, 8],
    [5, 9, 33, 2, 7],
  ];
  await using generator = await openTextGenerator(model, { adapter }, { threads: 1, contrast });
  const texts: number[][] = prompts.map(() => []);
  const steps = generator.generate(
    prompts.map((ids, i) => ({ ids, random: randomStream(0, `${i}`) })),
    { temperature: 0, maxNewTokens: 4, copyPenalty: 0 },
  );
  for await (const { prompt, token } of steps) texts[prompt]!.push(token);
  for (const [i, ids] of prompts.entries())
    expect(texts[i]).toEqual(await likeliest(ids, texts[i]!, contrast));
  expect(texts.map((text) => text.length)).toEqual([4, 4, 4]);
});
