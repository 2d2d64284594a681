/** @file What a quantised base is: its layers, where their parts lie in its file, and how a graph names them. */
import { basename, dirname } from 'node:path';
import type { Products } from '../../base/products.ts';
import type { ExternalTensor } from '../onnx/emit.ts';
import { layerOf, type ModelParameter } from '../weights/model-parameter.ts';
import type { SafetensorsFile } from '../weights/safetensors.ts';
import type { BaseBits } from './blocks.ts';

/** A layer's matrix in the file. */
export interface QuantisedLayer {
  readonly bits: BaseBits;
  readonly out: number;
  readonly inputs: number;
  readonly blockSize: number;
}

/** What a graph over a quantised base is built from and mapped from. */
export interface QuantisedBase {
  readonly bits: BaseBits;
  /** What products with it are computed in. */
  readonly products: Products;
  readonly file: SafetensorsFile;
  /** By the layer's name, without `.weight`. */
  readonly layers: ReadonlyMap<string, QuantisedLayer>;
  /** The layer of the logits, with integer products: texts are written over it, see {@link writingBase}. */
  readonly head?: QuantisedHead;
}

/** The head in 8 bits, beside the f32 one of the base's file, in a file of its own in the same folder. */
interface QuantisedHead {
  readonly name: string;
  readonly layer: QuantisedLayer;
  readonly file: SafetensorsFile;
}

/** The base as texts are written over it: the head from its 8 bits, where it has them. Scores are of the f32 head. */
export function writingBase(base: QuantisedBase): QuantisedBase {
  const { head, layers } = base;
  return head === undefined ? base : { ...base, layers: new Map([...layers, [head.name, head.layer]]) };
}

/** Names of the parts of a layer's matrix, as a graph maps them. */
export const quantisedNames = (layer: string) => ({
  blocks: `${layer}.weight.blocks`,
  rows: `${layer}.weight.rows`,
  scales: `${layer}.weight.scales`,
});

/** Of the scales, which stand before the numbers. */
export const scaleBytes = ({ out, inputs, blockSize }: QuantisedLayer) => (4 * out * inputs) / blockSize;

/** Bytes of the base's file, except for its header. */
export function bytesOfBase(
  { layers }: Pick<QuantisedBase, 'layers'>,
  parameters: readonly ModelParameter[],
): number {
  return parameters.reduce((sum, { name, shape }) => {
    const layer = layers.get(layerOf(name));
    const numbers = shape.reduce((a, b) => a * b, 1);
    return sum + (layer === undefined ? 4 * numbers : scaleBytes(layer) + (numbers * layer.bits) / 8);
  }, 0);
}

/** Where a graph over the base maps its weights from. */
export function mappedQuantisedBase({ file, layers, head }: QuantisedBase): {
  folder: string;
  tensors: ReadonlyMap<string, ExternalTensor>;
} {
  const ofHead = head === undefined ? [] : mappedTensors(head.file, new Map([[head.name, head.layer]]));
  return { folder: dirname(file.path), tensors: new Map([...mappedTensors(file, layers), ...ofHead]) };
}

function mappedTensors(file: SafetensorsFile, layers: QuantisedBase['layers']): Map<string, ExternalTensor> {
  const location = basename(file.path);
  const tensors = new Map<string, ExternalTensor>();
  for (const { name, byteOffset: offset, byteLength: length } of file.tensors.values()) {
    const layer = layers.get(layerOf(name));
    if (layer === undefined || !name.endsWith('.weight')) {
      tensors.set(name, { location, offset, length });
      continue;
    }
    const scales = scaleBytes(layer);
    const names = quantisedNames(layerOf(name));
    tensors.set(names.scales, { location, offset, length: scales });
    for (const view of [names.blocks, names.rows])
      tensors.set(view, { location, offset: offset + scales, length: length - scales });
  }
  return tensors;
}
