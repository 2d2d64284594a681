/**
 * @file Every operator with its attributes, and what a graph of them consists of: typed, symbolically shaped values made by
 * nodes. Rules of shape, gradient and lowering are tables over these names.
 */
import type { Products } from '../../base/products.ts';
import type { Dim } from './dimension.ts';

/** `u8` and `u4` (two to a byte, the lower half first) are for quantised weights alone. */
export type DType = 'f32' | 'i64' | 'bool' | 'u8' | 'u4';

export interface TensorType {
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

type None = Readonly<Record<never, never>>;

/** Heads of queries and of keys and values, and what the scores are multiplied with. */
export interface CachedAttentionShape {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly scale: number;
  /** Keys that a query sees, itself counted; 0 for all before it. */
  readonly window: number;
}

/** What a reduction reduces over, and whether the axes stay with a size of 1. */
export interface ReductionShape {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

/** Every operator with its attributes. Shape rules, gradients and lowering are tables over these names: a gap does not compile. */
export interface OpAttributes {
  // Leaves.
  /** Fed at every run. */
  input: TensorType & { readonly name: string };
  /** Frozen: mapped from a weights file when the session is made. */
  weight: TensorType & { readonly name: string };
  /** Small numbers held by the graph itself. */
  constant: TensorType & { readonly data: Float32Array | BigInt64Array | Uint8Array };
  // Elementwise, with numpy's broadcasting.
  add: None;
  sub: None;
  mul: None;
  div: None;
  maximum: None;
  minimum: None;
  greater: None;
  lessEqual: None;
  and: None;
  where: None;
  neg: None;
  exp: None;
  log: None;
  sqrt: None;
  tanh: None;
  sigmoid: None;
  silu: None;
  gelu: None;
  geluTanh: None;
  cast: { readonly to: DType };
  stopGradient: None;
  /** The first input with some elements set to 0: a hash of row and column says which. */
  dropout: { readonly rate: number };
  /** The first input, not before the second has been computed. */
  barrier: None;
  /** The first input, computed again by `body` from the other inputs when a gradient needs what lies inside. */
  recompute: { readonly body: (...inputs: Value[]) => Value };
  // Reductions and what contains one.
  reduceSum: ReductionShape;
  reduceMax: ReductionShape;
  softmax: None;
  logSoftmax: None;
  selectedLogProbability: None;
  rmsNorm: { readonly epsilon: number };
  layerNorm: { readonly epsilon: number };
  // Products.
  gemm: { readonly transA: boolean; readonly transB: boolean; readonly alpha: number };
  matmul: { readonly transA: boolean; readonly transB: boolean; readonly alpha: number };
  /** A product with a matrix of 4 or 8 bits in blocks, see quantisedProduct. */
  quantisedProduct: {
    readonly bits: 4 | 8;
    readonly transposed: boolean;
    readonly products: Products;
  };
  /** softmax(scale · query · keyᵀ + bias) · value, with `group` query heads to one of keys and values. */
  attend: { readonly group: number; readonly scale: number };
  /** Attention of a pass over a key/value cache, which it extends. Carries no gradient: for generation only. */
  cachedAttention: CachedAttentionShape;
  // Movement.
  reshape: { readonly shape: readonly Dim[] };
  expand: { readonly shape: readonly Dim[] };
  transpose: { readonly permutation: readonly number[] };
  slice: { readonly axis: number; readonly start: Dim; readonly end: Dim };
  concat: { readonly axis: number };
  // Indexing.
  gatherRows: None;
  scatterAddRows: None;
  gatherElements: None;
  scatterAddElements: None;
  rotary: { readonly heads: number };
}

export type OpName = keyof OpAttributes;

/** One application of the operator `K`. */
interface NodeOf<K extends OpName> {
  readonly op: K;
  readonly inputs: readonly Value[];
  readonly attributes: OpAttributes[K];
  readonly outputs: readonly Value[];
  /** Where it comes from, such as `layers.0.mlp.down`; for printing and errors. */
  readonly scope: string;
}

/** One application of an operator, a union over all of them: to look at `op` tells what the attributes are. */
export type Node<K extends OpName = OpName> = { [P in K]: NodeOf<P> }[K];

/** One output of a node. */
export interface Value extends TensorType {
  readonly node: Node;
  readonly output: number;
}
