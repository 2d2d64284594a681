/** @file Where a model's parameters come from: frozen files, trained buffers, or frozen files with a LoRA adapter. */

import { type Dim, multiplyDims } from '../ops/dimension.ts';
import { add, dropout as drop, gemm, input, quantisedProduct, reshape, weight } from '../ops/operators.ts';
import type { DType, Value } from '../ops/value.ts';
import { type QuantisedBase, type QuantisedLayer, quantisedNames } from '../quantisation/layout.ts';
import type { ModelParameter } from '../weights/model-parameter.ts';
import { columnNoise, noiseOfRows, type PassNoise } from './noise.ts';

/** How a linear layer lies in its file. */
export interface LinearLayout {
  /** Whether `name`.bias f32[out] is added; none by default. */
  readonly bias?: boolean;
  /** Whether the matrix is stored as f32[in, out]. */
  readonly transposed?: boolean;
}

export const vector = (name: string, size: number): ModelParameter => ({
  name,
  shape: [size],
  role: 'vector',
});

/** A head of its own, f32[V, D]. */
export const headParameter = (vocabulary: number, hidden: number): ModelParameter => ({
  name: 'lm_head.weight',
  shape: [vocabulary, hidden],
  role: 'linear',
  isHead: true,
});

/** The parameters of a linear layer. */
export function linearParameters(
  name: string,
  out: number,
  inputs: number,
  { bias = false, transposed = false }: LinearLayout = {},
): ModelParameter[] {
  const matrix: ModelParameter = {
    name: `${name}.weight`,
    shape: transposed ? [inputs, out] : [out, inputs],
    role: transposed ? 'transposed' : 'linear',
  };
  return bias ? [matrix, vector(`${name}.bias`, out)] : [matrix];
}

/** `x · Wᵀ + b`, with its parameters in the open so that a recomputed block can pass gradients to them. */
export interface Linear {
  readonly parameters: readonly Value[];
  apply(x: Value, parameters?: readonly Value[]): Value;
}

/** Gives a model the values of its parameters; the same name gives the same value, so passes share weights. */
export interface ParameterSource {
  tensor(name: string, shape: readonly number[]): Value;
  /** The linear layer called `name`, its matrix f32[out, in] unless the layout says otherwise. */
  linear(name: string, out: number, inputs: number, layout?: LinearLayout): Linear;
  /** Parameters that receive gradients, in the order in which the model asked for them. */
  readonly trainable: ReadonlyMap<string, Value>;
  /** The same parameters within a pass of training, where part of what adapters see is dropped; absent where nothing is. */
  readonly dropping?: (noise: PassNoise) => ParameterSource;
}

/** LoRA (arXiv 2106.09685): W + scaling · B A on the named linear layers, A f32[R, in], B f32[out, R]. */
export interface LoraOptions {
  readonly rank: number;
  readonly loraAlpha: number;
  /** Last part of the layers' names, such as `q_proj`. */
  readonly targetModules: readonly string[];
  /** Share of a layer's inputs that its adapter does not see while it is trained; none when absent. Scoring drops nothing. */
  readonly dropout?: number;
  /** Rank-stabilised (arXiv 2312.03732): high ranks keep their weight. */
  readonly rsLora?: boolean;
}

/** Factor of B A: loraAlpha / rank, or loraAlpha / √rank with rsLoRA. */
export function loraScaling({ rank, loraAlpha, rsLora = false }: LoraOptions): number {
  return loraAlpha / (rsLora ? Math.sqrt(rank) : rank);
}

/** PEFT's name of a layer's A or B. */
export const loraName = (layer: string, part: 'A' | 'B'): string =>
  `base_model.model.${layer}.lora_${part}.weight`;

function once<T>(): (name: string, make: () => T) => T {
  const made = new Map<string, T>();
  return (name, make) => {
    const known = made.get(name);
    if (known !== undefined) return known;
    const value = make();
    made.set(name, value);
    return value;
  };
}

/** `x` with its leading axes folded, times the matrix, unfolded again. */
function overRows(x: Value, out: number, product: (rows: Value) => Value): Value {
  const leading = x.shape.slice(0, -1);
  const rows = reshape(x, [leading.reduce<Dim>(multiplyDims, 1), x.shape.at(-1)!]);
  return reshape(product(rows), [...leading, out]);
}

function plainLinear(
  tensor: ParameterSource['tensor'],
  name: string,
  out: number,
  inputs: number,
  layout: LinearLayout = {},
): Linear {
  const parameters = linearParameters(name, out, inputs, layout).map(({ name, shape }) =>
    tensor(name, shape),
  );
  const transB = layout.transposed !== true;
  return {
    parameters,
    apply: (x, [w, b] = parameters) =>
      overRows(x, out, (rows) => gemm(rows, w!, b === undefined ? { transB } : { transB, c: b })),
  };
}

/** All parameters frozen and mapped from a file; linear layers from a quantised base where it has them. */
export function frozenParameters(base?: QuantisedBase): ParameterSource {
  const shared = once<Value>();
  const tensor = (name: string, shape: readonly number[]) => shared(name, () => weight(name, shape));
  const quantised = (
    name: string,
    { bits, out, inputs, blockSize }: QuantisedLayer,
    hasBias: boolean,
  ): Linear => {
    const { products } = base!;
    const names = quantisedNames(name);
    const count = inputs / blockSize;
    const part = (part: string, shape: readonly number[], dtype: DType) =>
      shared(part, () => weight(part, shape, dtype));
    const matrix = {
      bits,
      products,
      blocks: part(names.blocks, [out, count, (blockSize * bits) / 8], 'u8'),
      rows: part(names.rows, [out, inputs], bits === 4 ? 'u4' : 'u8'),
      scales: part(names.scales, [out, count], 'f32'),
    };
    const apply = (rows: Value) => {
      const product = quantisedProduct(rows, matrix);
      return hasBias ? add(product, tensor(`${name}.bias`, [out])) : product;
    };
    return { parameters: [], apply: (x) => overRows(x, out, apply) };
  };
  return {
    tensor,
    linear: (name, out, inputs, layout = {}) => {
      const layer = base?.layers.get(name);
      return layer === undefined
        ? plainLinear(tensor, name, out, inputs, layout)
        : quantised(name, layer, layout.bias === true);
    },
    trainable: new Map(),
  };
}

/** All parameters trained: inputs of the graph, by their own names. */
export function trainedParameters(): ParameterSource {
  const trainable = new Map<string, Value>();
  const shared = once<Value>();
  const tensor = (name: string, shape: readonly number[]) =>
    shared(name, () => {
      const value = input(name, 'f32', shape);
      trainable.set(name, value);
      return value;
    });
  return {
    tensor,
    linear: (name, out, inputs, layout) => plainLinear(tensor, name, out, inputs, layout),
    trainable,
  };
}

/**
 * A frozen base with LoRA matrices as inputs, by PEFT's names. The base gets no gradient at all.
 * @param seed of dropout's noise; without it nothing is dropped
 */
export function loraParameters(
  lora: LoraOptions,
  { base = frozenParameters(), seed }: { readonly base?: ParameterSource; readonly seed?: number } = {},
): ParameterSource {
  const { rank, targetModules, dropout = 0 } = lora;
  const trainable = new Map<string, Value>();
  const shared = once<Value>();
  const matrix = (name: string, shape: readonly number[]) =>
    shared(name, () => {
      const value = input(name, 'f32', shape);
      trainable.set(name, value);
      return value;
    });
  const adapted = (frozen: Linear, name: string, out: number, inputs: number, noise?: PassNoise): Linear => {
    const all = [
      ...frozen.parameters,
      matrix(loraName(name, 'A'), [rank, inputs]),
      matrix(loraName(name, 'B'), [out, rank]),
    ];
    const columns = () => shared(`${name} noise`, () => columnNoise(seed!, name, inputs));
    const seen = (rows: Value) =>
      noise === undefined ? rows : drop(rows, noiseOfRows(noise, rows), columns(), dropout);
    return {
      parameters: all,
      // The base product is the C of the second small product: no pass of its own for the sum.
      apply: (x, parameters = all) =>
        overRows(x, out, (rows) => {
          const [a, b] = parameters.slice(-2) as [Value, Value];
          return gemm(gemm(seen(rows), a, { transB: true }), b, {
            transB: true,
            alpha: loraScaling(lora) / (noise === undefined ? 1 : 1 - dropout),
            c: frozen.apply(rows, parameters.slice(0, -2)),
          });
        }),
    };
  };
  const source = (noise?: PassNoise): ParameterSource => ({
    tensor: base.tensor,
    linear: (name, out, inputs, layout) => {
      const frozen = base.linear(name, out, inputs, layout);
      const isTarget = targetModules.includes(name.split('.').at(-1)!);
      return isTarget ? adapted(frozen, name, out, inputs, noise) : frozen;
    },
    trainable,
  });
  return seed === undefined || dropout === 0 ? source() : { ...source(), dropping: source };
}
