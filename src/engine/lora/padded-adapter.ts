/**
 * @file Adapters in few shapes: ranks are filled up and the scaling goes into B, so that adapters of any rank and alpha run
 * through one compiled graph.
 */
import { loraScaling } from '../models/parameters.ts';
import type { Adapter, AdapterTensor } from './adapter.ts';

/** Ranks that adapters are filled up to; larger ones to multiples of the last. */
const RANKS = [8, 16, 32, 64] as const;

/**
 * An adapter that computes the same but for rounding, of a padded rank and with a scaling of 1.
 * Cost: O(parameters), once for each adapter that is loaded.
 */
export function paddedAdapter({ lora, tensors }: Adapter): Adapter {
  const rank = RANKS.find((size) => size >= lora.rank) ?? Math.ceil(lora.rank / 64) * 64;
  const scaling = loraScaling(lora);
  const padded = Object.entries(tensors).map(([name, { data, shape }]): [string, AdapterTensor] => {
    const isA = name.includes('.lora_A.');
    if (isA) {
      const [, inputs] = shape as [number, number];
      const values = new Float32Array(rank * inputs);
      values.set(data);
      return [name, { data: values, shape: [rank, inputs] }];
    }
    const [out] = shape as [number, number];
    const values = new Float32Array(out * rank);
    for (let o = 0; o < out; o++)
      for (let r = 0; r < lora.rank; r++) values[o * rank + r] = scaling * data[o * lora.rank + r]!;
    return [name, { data: values, shape: [out, rank] }];
  });
  const { targetModules } = lora;
  return {
    lora: { rank, loraAlpha: rank, targetModules: [...targetModules].sort() },
    tensors: Object.fromEntries(padded),
  };
}
