/** @file Where a model's parameters come from: frozen files, trained buffers, or frozen files with a LoRA adapter. */

import { type Dim, multiplyDims } from '../ops/dimension.ts';
import { gemm, input, reshape, weight } from '../ops/operators.ts';
import type { Value } from '../ops/value.ts';

/** Name (Hugging Face's) and shape of one parameter. */
export interface ParameterShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** `x · Wᵀ`, with its parameters in the open so that a recomputed block can pass gradients to them. */
export interface Linear {
  readonly parameters: readonly Value[];
  apply(x: Value, parameters?: readonly Value[]): Value;
}

/** Gives a model the values of its parameters; the same name gives the same value, so passes share weights. */
export interface ParameterSource {
  tensor(name: string, shape: readonly number[]): Value;
  /** The matrix f32[out, in] called `name`.weight. */
  linear(name: string, out: number, inputs: number): Linear;
  /** Parameters that receive gradients, in the order in which the model asked for them. */
  readonly trainable: ReadonlyMap<string, Value>;
}

/** LoRA (arXiv 2106.09685): W + scaling · B A on the named linear layers, A f32[R, in], B f32[out, R]. */
export interface LoraOptions {
  readonly rank: number;
  /** scaling = loraAlpha / rank. */
  readonly loraAlpha: number;
  /** Last part of the layers' names, such as `q_proj`. */
  readonly targetModules: readonly string[];
}

/** Every linear layer inside a Llama block. */
export const allLinearLayers = [
  'q_proj',
  'k_proj',
  'v_proj',
  'o_proj',
  'gate_proj',
  'up_proj',
  'down_proj',
] as const;

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

function plainLinear(matrix: Value): Linear {
  return {
    parameters: [matrix],
    apply: (x, [w] = [matrix]) =>
      overRows(x, w!.shape[0] as number, (rows) => gemm(rows, w!, { transB: true })),
  };
}

/** All parameters frozen and mapped from a file. */
export function frozenParameters(): ParameterSource {
  const shared = once<Value>();
  const tensor = (name: string, shape: readonly number[]) => shared(name, () => weight(name, shape));
  return {
    tensor,
    linear: (name, out, inputs) => plainLinear(tensor(`${name}.weight`, [out, inputs])),
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
    linear: (name, out, inputs) => plainLinear(tensor(`${name}.weight`, [out, inputs])),
    trainable,
  };
}

/** A frozen base with LoRA matrices as inputs, by PEFT's names. The base gets no gradient at all. */
export function loraParameters({ rank, loraAlpha, targetModules }: LoraOptions): ParameterSource {
  const base = frozenParameters();
  const trainable = new Map<string, Value>();
  const shared = once<Linear>();
  const lora = (name: string, shape: readonly number[]) => {
    const value = input(name, 'f32', shape);
    trainable.set(name, value);
    return value;
  };
  const adapted = (name: string, out: number, inputs: number): Linear => {
    const { parameters } = base.linear(name, out, inputs);
    const all = [
      ...parameters,
      lora(loraName(name, 'A'), [rank, inputs]),
      lora(loraName(name, 'B'), [out, rank]),
    ];
    return {
      parameters: all,
      // The base product is the C of the second small product: no pass of its own for the sum.
      apply: (x, [w, a, b] = all) =>
        overRows(x, out, (rows) => {
          const low = gemm(rows, a!, { transB: true });
          return gemm(low, b!, {
            transB: true,
            alpha: loraAlpha / rank,
            c: gemm(rows, w!, { transB: true }),
          });
        }),
    };
  };
  return {
    tensor: base.tensor,
    linear: (name, out, inputs) =>
      targetModules.includes(name.split('.').at(-1)!)
        ? shared(name, () => adapted(name, out, inputs))
        : base.linear(name, out, inputs),
    trainable,
  };
}
