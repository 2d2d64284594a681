/** @file The expression graph: typed, symbolically shaped values made by nodes of a closed set of operators. */
import { GraphError, ShapeError } from '../../base/errors.ts';
import type { Dim } from './dimension.ts';
import { shapeRules } from './shape-rules.ts';

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
  reduceSum: { readonly axes: readonly number[]; readonly keepDims: boolean };
  softmax: None;
  logSoftmax: None;
  selectedLogProbability: None;
  rmsNorm: { readonly epsilon: number };
  layerNorm: { readonly epsilon: number };
  // Products.
  gemm: { readonly transA: boolean; readonly transB: boolean; readonly alpha: number };
  matmul: { readonly transA: boolean; readonly transB: boolean; readonly alpha: number };
  /** A product with a matrix of 4 or 8 bits in blocks, see quantisedProduct. */
  quantisedProduct: { readonly bits: 4 | 8; readonly transposed: boolean };
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

/** One application of an operator. */
export interface Node<K extends OpName = OpName> {
  readonly op: K;
  readonly inputs: readonly Value[];
  readonly attributes: OpAttributes[K];
  readonly outputs: readonly Value[];
  /** Where it comes from, such as `layers.0.mlp.down`; for printing and errors. */
  readonly scope: string;
}

/** One output of a node. */
export interface Value extends TensorType {
  readonly node: Node;
  readonly output: number;
}

let scopes: readonly string[] = [];

/** Runs `build` with `name` added to the scope of every node it makes. */
export function withScope<T>(name: string, build: () => T): T {
  const outer = scopes;
  scopes = [...outer, name];
  try {
    return build();
  } finally {
    scopes = outer;
  }
}

/**
 * The outputs of a new node, their types by the operator's shape rule.
 * @throws {ShapeError} naming the operator and its place when the inputs do not fit
 */
export function makeNode<K extends OpName>(
  op: K,
  inputs: readonly Value[],
  attributes: OpAttributes[K],
): Value[] {
  const scope = scopes.join('.');
  const types = typesOf(op, inputs, attributes, scope);
  const outputs: Value[] = [];
  const node: Node = { op, inputs, attributes, outputs, scope };
  types.forEach((type, output) => {
    outputs.push({ dtype: type.dtype, shape: type.shape, node, output });
  });
  return outputs;
}

/** The output types that the operator's shape rule gives; errors name the node. */
export function typesOf<K extends OpName>(
  op: K,
  inputs: readonly TensorType[],
  attributes: OpAttributes[K],
  scope: string,
): readonly TensorType[] {
  try {
    return shapeRules[op](inputs, attributes);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    const place = scope === '' ? op : `${op} at ${scope}`;
    throw new ShapeError(`${place}(${inputs.map(printType).join(', ')}): ${error.message}`, {
      code: error.code,
      hint: 'Compare the shapes above with what the operator expects.',
    });
  }
}

/** `f32[B, T]`. */
export function printType(type: TensorType): string {
  return `${type.dtype}[${type.shape.join(', ')}]`;
}

/** All nodes that `outputs` depend on, each after its inputs; the order depends on the graph alone. */
export function nodesInOrder(outputs: readonly Value[]): Node[] {
  const order: Node[] = [];
  const done = new Set<Node>();
  // An explicit stack: real models are deeper than JavaScript's call stack likes.
  const stack = outputs.map((value) => ({ node: value.node, next: 0 })).reverse();
  const open = new Set<Node>();
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    if (done.has(top.node)) {
      stack.pop();
      continue;
    }
    open.add(top.node);
    const inputs = graphInputs(top.node);
    if (top.next < inputs.length) {
      const input = inputs[top.next++]!.node;
      if (!done.has(input)) {
        if (open.has(input))
          throw new GraphError(`${input.op} at ${input.scope}: depends on itself`, { code: 'graph/cycle' });
        stack.push({ node: input, next: 0 });
      }
      continue;
    }
    stack.pop();
    open.delete(top.node);
    done.add(top.node);
    order.push(top.node);
  }
  return order;
}

/** The inputs that a run really reads: a `recompute` node reads only its first, the rest serve its gradient. */
export function graphInputs(node: Node): readonly Value[] {
  return node.op === 'recompute' ? node.inputs.slice(0, 1) : node.inputs;
}

/** The value whose buffer `value` really is: operators that only carry meaning for gradients are looked through. */
export function aliasedValue(value: Value): Value {
  let source = value;
  while (source.node.op === 'stopGradient' || source.node.op === 'recompute') source = source.node.inputs[0]!;
  return source;
}
