/**
 * @file A model's linear layers kept in 4 or 8 bits, made once and mapped from a cache. Tables of embeddings, the head, norms and
 * biases stay f32: they are looked up, asked for rarely, or small. Texts that are written with integer products read the head
 * for every token: it is kept in 8 bits beside the f32 one.
 */
import { dirname, join } from 'node:path';
import { removeLeftovers } from '../../base/atomic-file.ts';
import { defaultCacheFolder, makeCacheFolder } from '../../base/cache-folder.ts';
import type { Device } from '../../base/device.ts';
import { ConfigError, throwIfAborted, WeightsError } from '../../base/errors.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';
import type { Products } from '../../base/products.ts';
import { contentHash } from '../weights/content-hash.ts';
import type { ConversionOptions } from '../weights/f32-cache.ts';
import { headOf, layerOf, type ModelParameter } from '../weights/model-parameter.ts';
import {
  openSafetensors,
  readTensor,
  type SafetensorsFile,
  writeSafetensors,
} from '../weights/safetensors.ts';
import { elementCount, type TensorDirectory } from '../weights/tensor-entry.ts';
import { type BaseBits, blockSizeOf, quantiseRows } from './blocks.ts';
import { type QuantisedBase, type QuantisedLayer, scaleBytes } from './layout.ts';

/** Of the file's content: another number makes files of earlier versions anew. */
const LAYOUT = 1;

/** What of a model is looked at. */
interface Quantisable {
  readonly folder: string;
  readonly parameters: readonly ModelParameter[];
  readonly weights: TensorDirectory;
  readonly device?: Device;
}

/** The parameters that a file keeps, and where their values are. */
type Stored = Pick<Quantisable, 'parameters' | 'weights'>;

type Quantised<M> = M & { readonly quantised: QuantisedBase };

/**
 * The model over a base of 4 or 8 bits; its f32 weights stay where they are, for merging.
 * @param cacheFolder where the quantised file is kept, by the hash of the weights
 * @param options `products`: what products with it are computed in; f32 by default
 * @throws {ConfigError} for integer products on another device than the processor
 * @throws {WeightsError} when no layer divides into blocks
 * @throws {EngineError} when the cache cannot be written
 * @throws {AbortedError} when `signal` is aborted; nothing is left in the cache
 * Cost: at the first call a read of the weights and about 20 ns a number; later one look at the cache.
 */
export async function withQuantisedBase<M extends Quantisable>(
  model: M,
  bits: BaseBits,
  cacheFolder = defaultCacheFolder(),
  { products = 'f32', ...options }: ConversionOptions & { readonly products?: Products } = {},
): Promise<Quantised<M>> {
  checkBase({ bits, products, device: model.device });
  const layers = quantisedLayers(model.parameters, bits);
  if (layers.size === 0)
    throw new WeightsError(`${model.folder}: expected layers that divide into blocks of 16, got none`, {
      code: 'weights/no-blocks',
      hint: 'Keep the base in f32.',
    });
  const content: string[] = [];
  for (const file of new Set([...model.weights.tensors.values()].map((tensor) => tensor.file)))
    content.push(await contentHash(file, cacheFolder));
  const kept = async (what: Stored, bits: BaseBits, layers: QuantisedBase['layers']) => {
    const key = sha256(canonicalJson({ content, layout: LAYOUT, layers: [...layers] })).slice(0, 32);
    const path = join(cacheFolder, `${key}.q${bits}.safetensors`);
    return (await openIfWhole(path)) ?? write(path, what, { bits, layers }, options);
  };
  const base = { bits, file: await kept(model, bits, layers), layers, products };
  const head = products === 'int8' ? headLayer(model.parameters) : undefined;
  if (head === undefined) return { ...model, quantised: base };
  const { parameter, name, layer } = head;
  const stored = { parameters: [parameter], weights: model.weights };
  const file = await kept(stored, layer.bits, new Map([[name, layer]]));
  return { ...model, quantised: { ...base, head: { name, layer, file } } };
}

/** The model as it would be over a base of fewer bits, for graphs that are looked at and not run. */
export function withPlannedBase<M extends Quantisable>(model: M, bits: BaseBits): Quantised<M> {
  const file = { path: '', metadata: {}, tensors: new Map() };
  return {
    ...model,
    quantised: { bits, products: 'f32', file, layers: quantisedLayers(model.parameters, bits) },
  };
}

/** A base as it is asked for, and what is to compute the model over it. */
interface AskedBase {
  readonly bits?: BaseBits | undefined;
  readonly products?: Products | undefined;
  /** A device, or `auto`. */
  readonly device?: string | undefined;
  readonly engine?: string | undefined;
}

/**
 * Refuses a base that nothing there computes with.
 * @throws {ConfigError} `engine/base-bits`, `config/products`
 */
export function checkBase({ bits, products, device = 'cpu', engine = 'onnx' }: AskedBase): void {
  if (bits !== undefined && engine !== 'onnx')
    throw new ConfigError(`baseBits: expected none with engine ${engine}, got ${bits}`, {
      code: 'engine/base-bits',
      hint: 'Leave baseBits out, or take the engine onnx: blocks are read by ONNX Runtime only.',
    });
  if (products !== 'int8') return;
  const [name, expected, got] = engine === 'onnx' ? ['device', 'cpu', device] : ['engine', 'onnx', engine];
  if (got === expected) return;
  throw new ConfigError(`products int8: expected ${name} ${expected}, got ${got}`, {
    code: 'config/products',
    hint: `Set the ${name} to ${expected}, or the products to f32.`,
  });
}

/** Linear layers whose rows divide into blocks. GPT-2's matrices are turned around, so that theirs are rows of inputs too. */
function quantisedLayers(parameters: readonly ModelParameter[], bits: BaseBits): Map<string, QuantisedLayer> {
  const layers = new Map<string, QuantisedLayer>();
  for (const { name, shape, role, isHead } of parameters) {
    if (role !== 'linear' && role !== 'transposed') continue;
    const [out, inputs] = (role === 'linear' ? shape : shape.toReversed()) as [number, number];
    const blockSize = blockSizeOf(inputs);
    // The head is asked for rarely, at response tokens, and what it gets wrong is the loss itself.
    if (blockSize !== undefined && !isHead) layers.set(layerOf(name), { bits, out, inputs, blockSize });
  }
  return layers;
}

/** The head as texts are written over it, in 8 bits whatever the base has; undefined where its rows do not divide into blocks. */
function headLayer(parameters: readonly ModelParameter[]) {
  const parameter = headOf(parameters);
  const [out, inputs] = parameter.shape as [number, number];
  const blockSize = blockSizeOf(inputs);
  if (blockSize === undefined) return undefined;
  const layer: QuantisedLayer = { bits: 8, out, inputs, blockSize };
  return { parameter, name: layerOf(parameter.name), layer };
}

/** Each layer as one tensor of bytes, its scales before its numbers; all other parameters as they are. */
async function write(
  path: string,
  { parameters, weights }: Stored,
  { bits, layers }: Pick<QuantisedBase, 'bits' | 'layers'>,
  { onProgress = () => {}, signal }: ConversionOptions,
): Promise<SafetensorsFile> {
  const total = parameters.reduce((sum, { shape }) => sum + elementCount(shape)!, 0);
  let done = 0;
  const report = () =>
    onProgress({
      stage: `keeping the base in ${bits} bits`,
      done: Math.round((4 * done) / 1e6),
      total: Math.round((4 * total) / 1e6),
      unit: 'MB',
    });
  const read = async (name: string) => {
    throwIfAborted(signal);
    const values = await readTensor(weights, name);
    done += values.length;
    report();
    return values;
  };
  await makeCacheFolder(dirname(path));
  await removeLeftovers(path);
  report();
  await writeSafetensors(
    path,
    parameters.map(({ name, shape, role }) => {
      const layer = layers.get(layerOf(name));
      if (layer === undefined) return { name, shape, dtype: 'F32', data: () => read(name) };
      return {
        name,
        dtype: 'U8',
        shape: [scaleBytes(layer) + (layer.out * layer.inputs * bits) / 8],
        data: async () => {
          const values = await read(name);
          const rows = role === 'transposed' ? turned(values, shape as [number, number]) : values;
          const { numbers, scales } = quantiseRows(rows, layer.blockSize, bits);
          return Buffer.concat([new Uint8Array(scales.buffer), numbers]);
        },
      };
    }),
  );
  return openSafetensors(path);
}

function turned(values: Float32Array, [rows, columns]: readonly [number, number]): Float32Array {
  return Float32Array.from(values, (_, at) => values[(at % rows) * columns + Math.floor(at / rows)]!);
}

/** The cached file, or undefined when there is none or it is damaged (it is then made again). */
async function openIfWhole(path: string): Promise<SafetensorsFile | undefined> {
  try {
    return await openSafetensors(path);
  } catch (error) {
    if (error instanceof WeightsError) return undefined;
    throw error;
  }
}
