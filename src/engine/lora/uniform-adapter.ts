/** @file Adapters whose layers differ in rank, alpha or presence, as one of a single rank that computes the same. */
import { loraName, loraScaling } from '../models/parameters.ts';
import type { Adapter, AdapterTensor } from './adapter.ts';
import { type AdaptedLayer, lastPart, matrixShapes } from './layers.ts';
import type { PeftOptions } from './peft-config.ts';
import type { PeftLayer } from './peft-layers.ts';

/**
 * The same adapter with one rank and one scaling, on all layers of the modules that it names.
 *
 * Where layers differ, all get the largest rank and a scaling of 1: matrices are filled up with zeros, each layer's own
 * scaling goes into its B, and layers that the adapter leaves alone get zeros. Where they do not, nothing is changed.
 * @param layers those that the adapter changes
 * @param all every linear layer of the model
 */
export function uniformAdapter(
  options: PeftOptions,
  layers: readonly PeftLayer[],
  all: readonly AdaptedLayer[],
  tensors: Readonly<Record<string, AdapterTensor>>,
): Adapter {
  const targetModules = [...new Set(layers.map(({ name }) => lastPart(name)))].sort();
  const covered = all.filter(({ name }) => targetModules.includes(lastPart(name)));
  const { rank, loraAlpha } = layers[0] ?? options;
  const isUniform =
    covered.length === layers.length &&
    layers.every((layer) => layer.rank === rank && layer.loraAlpha === loraAlpha);
  if (isUniform) return { lora: { ...options, rank, loraAlpha, targetModules }, tensors };

  const largest = Math.max(...layers.map((layer) => layer.rank));
  const own = new Map(layers.map((layer) => [layer.name, layer]));
  const filled: Record<string, AdapterTensor> = {};
  for (const layer of covered) {
    const [shapeA, shapeB] = matrixShapes(layer, largest) as [
      { name: string; shape: number[] },
      { name: string; shape: number[] },
    ];
    const a = new Float32Array(largest * layer.inputs);
    const b = new Float32Array(layer.out * largest);
    const given = own.get(layer.name);
    if (given !== undefined) {
      a.set(tensors[loraName(layer.name, 'A')]!.data);
      const values = tensors[loraName(layer.name, 'B')]!.data;
      const scaling = loraScaling({
        ...options,
        rank: given.rank,
        loraAlpha: given.loraAlpha,
        targetModules,
      });
      for (let o = 0; o < layer.out; o++)
        for (let r = 0; r < given.rank; r++) b[o * largest + r] = scaling * values[o * given.rank + r]!;
    }
    filled[shapeA.name] = { shape: shapeA.shape, data: a };
    filled[shapeB.name] = { shape: shapeB.shape, data: b };
  }
  const { rsLora: _, ...others } = options;
  return { lora: { ...others, rank: largest, loraAlpha: largest, targetModules }, tensors: filled };
}
