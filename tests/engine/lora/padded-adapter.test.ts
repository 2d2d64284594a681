/** @file Adapters of a padded rank compute what the given ones do. */
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { loadAdapter } from '../../../src/engine/lora/adapter-folder.ts';
import { paddedAdapter } from '../../../src/engine/lora/padded-adapter.ts';
import { loraParameters, loraScaling } from '../../../src/engine/models/parameters.ts';
import { logitsOf } from '../../support/logits.ts';
import { tinyModel } from '../../support/tiny-model.ts';

it('computes the same with a scaling of 1, and shares its shape with adapters of other ranks', async () => {
  const model = await tinyModel('tiny-llama');
  const given = await loadAdapter(resolve('tests/golden/tiny-llama/adapter'), model);
  const rsLora = { ...given, lora: { ...given.lora, rsLora: true } };
  for (const adapter of [given, rsLora]) {
    const padded = paddedAdapter(adapter);
    expect(padded.lora.rank).toBeGreaterThanOrEqual(adapter.lora.rank);
    expect(loraScaling(padded.lora)).toBe(1);
    expect(padded.lora).toEqual(paddedAdapter(given).lora);
    const ids = [5, 9, 31, 7, 8];
    const of = async ({ lora, tensors }: Pick<typeof padded, 'lora' | 'tensors'>) => [
      ...((await logitsOf(model, ids, loraParameters(lora), tensors)).data as Float32Array),
    ];
    const [before, after] = [await of(adapter), await of(padded)];
    for (const [i, value] of after.entries()) expect(value).toBeCloseTo(before[i]!, 4);
  }
});
