/** @file Merges a LoRA adapter into its base, so that the model runs without it. */
import type { Model } from '../models/model.ts';
import { loraName, loraScaling } from '../models/parameters.ts';
import { readTensor } from '../weights/safetensors.ts';
import type { Adapter } from './adapter-folder.ts';
import { adaptedLayers } from './layers.ts';

/**
 * $$ W' = W + \frac{\alpha}{r} B A $$ arXiv 2106.09685, section 4.1; summed in f64, rounded once.
 * @returns the f32 values of any parameter of the model by its name, merged where the adapter has a part in it
 * @throws {ConfigError} when the adapter names layers that the model lacks
 * Cost: out · inputs · rank multiplications for each adapted matrix, when it is asked for.
 */
export function mergedWeights(
  model: Model,
  { lora, tensors }: Adapter,
): (name: string) => Promise<Float32Array> {
  const layers = new Map(adaptedLayers(model, lora).map((layer) => [`${layer.name}.weight`, layer]));
  return async (name) => {
    const weight = await readTensor(model.weights, name);
    const layer = layers.get(name);
    if (layer === undefined) return weight;
    const { rank } = lora;
    const { out, inputs, transposed } = layer;
    const a = tensors[loraName(layer.name, 'A')]!.data; // f32[R, inputs]
    const b = tensors[loraName(layer.name, 'B')]!.data; // f32[out, R]
    const scaling = loraScaling(lora);
    const row = new Float64Array(inputs);
    for (let o = 0; o < out; o++) {
      row.fill(0);
      for (let r = 0; r < rank; r++) {
        const factor = scaling * b[o * rank + r]!;
        for (let i = 0; i < inputs; i++) row[i]! += factor * a[r * inputs + i]!;
      }
      for (let i = 0; i < inputs; i++) weight[transposed ? i * out + o : o * inputs + i]! += row[i]!;
    }
    return weight;
  };
}
