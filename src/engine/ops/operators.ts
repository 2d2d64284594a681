/** @file Builders: one function per operator, and the few compositions that every model shares. */
import type { Products } from '../../base/products.ts';
import { type Dim, sameShape } from './dimension.ts';
import { type CachedAttentionShape, type DType, makeNode, type TensorType, type Value } from './value.ts';

/** A tensor fed at every run. */
export function input(name: string, dtype: DType, shape: readonly Dim[]): Value {
  return makeNode('input', [], { name, dtype, shape })[0]!;
}

/** A frozen tensor, mapped from a weights file when the session is made; `shape` is all numbers. */
export function weight(name: string, shape: readonly number[], dtype: DType = 'f32'): Value {
  return makeNode('weight', [], { name, dtype, shape })[0]!;
}

/** f32 numbers held by the graph; a scalar when `data` is a number. */
export function constant(data: number | Float32Array, shape?: readonly number[]): Value {
  const values = typeof data === 'number' ? Float32Array.of(data) : data;
  const type = { dtype: 'f32' as const, shape: shape ?? (typeof data === 'number' ? [] : [data.length]) };
  return makeNode('constant', [], { ...type, data: values })[0]!;
}

/** i64[n] held by the graph. */
export function integers(data: BigInt64Array): Value {
  return makeNode('constant', [], { dtype: 'i64', shape: [data.length], data })[0]!;
}

/** Numbers of 8 bits, or of 4 with two to a byte, held by the graph. */
export function bytes(data: Uint8Array, dtype: 'u8' | 'u4', shape: readonly number[]): Value {
  return makeNode('constant', [], { dtype, shape, data })[0]!;
}

type Operand = Value | number;
const operand = (x: Operand): Value => (typeof x === 'number' ? constant(x) : x);

export const add = (a: Operand, b: Operand): Value => makeNode('add', [operand(a), operand(b)], {})[0]!;
export const sub = (a: Operand, b: Operand): Value => makeNode('sub', [operand(a), operand(b)], {})[0]!;
export const mul = (a: Operand, b: Operand): Value => makeNode('mul', [operand(a), operand(b)], {})[0]!;
export const div = (a: Operand, b: Operand): Value => makeNode('div', [operand(a), operand(b)], {})[0]!;
export const maximum = (a: Operand, b: Operand): Value =>
  makeNode('maximum', [operand(a), operand(b)], {})[0]!;
export const minimum = (a: Operand, b: Operand): Value =>
  makeNode('minimum', [operand(a), operand(b)], {})[0]!;
/** `a > b`, a bool without gradient. */
export const greater = (a: Operand, b: Operand): Value =>
  makeNode('greater', [operand(a), operand(b)], {})[0]!;
/** `a ≤ b`, a bool without gradient. */
export const lessEqual = (a: Operand, b: Operand): Value =>
  makeNode('lessEqual', [operand(a), operand(b)], {})[0]!;
export const and = (a: Value, b: Value): Value => makeNode('and', [a, b], {})[0]!;
/** `a` where `condition` holds, else `b`. */
export const where = (condition: Value, a: Operand, b: Operand): Value =>
  makeNode('where', [condition, operand(a), operand(b)], {})[0]!;
export const neg = (x: Value): Value => makeNode('neg', [x], {})[0]!;
export const exp = (x: Value): Value => makeNode('exp', [x], {})[0]!;
/** Natural logarithm. */
export const log = (x: Value): Value => makeNode('log', [x], {})[0]!;
export const sqrt = (x: Value): Value => makeNode('sqrt', [x], {})[0]!;
export const tanh = (x: Value): Value => makeNode('tanh', [x], {})[0]!;
export const sigmoid = (x: Value): Value => makeNode('sigmoid', [x], {})[0]!;
/** `x · sigmoid(x)`. */
export const silu = (x: Value): Value => makeNode('silu', [x], {})[0]!;
/** GELU: `x · Φ(x)`, Φ the normal distribution. */
export const gelu = (x: Value): Value => makeNode('gelu', [x], {})[0]!;
/** GELU in its form with tanh (PyTorch's `approximate="tanh"`): `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`. */
export const geluTanh = (x: Value): Value => makeNode('geluTanh', [x], {})[0]!;
/** Another dtype; carries no gradient. */
export const cast = (x: Value, to: DType): Value => (x.dtype === to ? x : makeNode('cast', [x], { to })[0]!);
/** The same numbers, through which no gradient flows. */
export const stopGradient = (x: Value): Value => makeNode('stopGradient', [x], {})[0]!;
/**
 * x with a share of its elements set to 0. An element is kept where `rowNoise[r] · columnNoise[c]`, wrapped to 32 bits, lies
 * below a threshold: odd factors spread evenly over all 32-bit numbers, and nothing but the noise need be fed or kept.
 * What is kept is not scaled up: the factor 1 / (1 − rate) is the caller's.
 * @param x f32[M, K]
 * @param rowNoise i64[M], odd 32-bit integers
 * @param columnNoise i64[K], odd 32-bit integers
 */
export const dropout = (x: Value, rowNoise: Value, columnNoise: Value, rate: number): Value =>
  makeNode('dropout', [x, rowNoise, columnNoise], { rate })[0]!;
/** Products below it are kept. @returns an integer of 32 bits */
export const dropoutThreshold = (rate: number): number => Math.round((0.5 - rate) * 2 ** 32);
/** The same numbers, not computed before `after` is: orders a recomputation behind the gradient that asks for it. */
export const barrier = (x: Value, after: Value): Value => makeNode('barrier', [x, after], {})[0]!;

/**
 * `body(...inputs)`, whose inner values are not kept for the backward pass but computed again there.
 * Gradient: through `body`, at the price of running it twice. Saves the memory of everything inside.
 */
export function recompute(body: (...inputs: Value[]) => Value, ...inputs: Value[]): Value {
  return makeNode('recompute', [body(...inputs), ...inputs], { body })[0]!;
}

const reduction =
  (op: 'reduceSum' | 'reduceMax') =>
  (x: Value, axes: readonly number[], keepDims = false): Value => {
    const positive = axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis));
    return makeNode(op, [x], { axes: positive, keepDims })[0]!;
  };

/** Sum over `axes` (negative ones count from the end). */
export const reduceSum = reduction('reduceSum');
/** The largest value over `axes`. Gradient: shared equally at a tie, as torch.amax has it. */
export const reduceMax = reduction('reduceMax');

/** Softmax over the last axis. */
export const softmax = (x: Value): Value => makeNode('softmax', [x], {})[0]!;
/** Log-softmax over the last axis, nats. */
export const logSoftmax = (x: Value): Value => makeNode('logSoftmax', [x], {})[0]!;

/**
 * log softmax(logits)[row, target], nats: minus the cross-entropy of each row.
 * @param logits f32[S, V]
 * @param targets i64[S]
 * @returns f32[S], at most 0
 */
export const selectedLogProbability = (logits: Value, targets: Value): Value =>
  makeNode('selectedLogProbability', [logits, targets], {})[0]!;

/** `x / sqrt(mean(x²) + epsilon) · weight` over the last axis. @param weight f32[D] */
export const rmsNorm = (x: Value, scale: Value, epsilon: number): Value =>
  makeNode('rmsNorm', [x, scale], { epsilon })[0]!;

/** `(x − mean(x)) / sqrt(variance(x) + epsilon) · scale + shift` over the last axis. @param scale f32[D] @param shift f32[D] */
export const layerNorm = (x: Value, scale: Value, shift: Value, epsilon: number): Value =>
  makeNode('layerNorm', [x, scale, shift], { epsilon })[0]!;

export interface ProductOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  /** Factor of the product (not of `c`). */
  readonly alpha?: number;
}

/** `alpha · a · b + c` of matrices, either transposed. */
export function gemm(a: Value, b: Value, options: ProductOptions & { readonly c?: Value } = {}): Value {
  const { transA = false, transB = false, alpha = 1, c } = options;
  return makeNode('gemm', c === undefined ? [a, b] : [a, b, c], { transA, transB, alpha })[0]!;
}

/** `alpha · a · b` over the last two axes, the others being equal batch axes. */
export function matmul(a: Value, b: Value, options: ProductOptions = {}): Value {
  const { transA = false, transB = false, alpha = 1 } = options;
  return makeNode('matmul', [a, b], { transA, transB, alpha })[0]!;
}

/** A matrix of 4 or 8 bits: out rows of inputs numbers (q − 2^(bits−1)) · scale, one scale for each block of them. */
export interface QuantisedMatrix {
  readonly bits: 4 | 8;
  /**
   * What `x · Wᵀ` is computed in, `f32` by default. `int8` rounds x, too: each block of a row in steps of its largest magnitude
   * over 127; numbers of a block are multiplied and summed as integers, blocks in f32.
   */
  readonly products?: Products;
  /** u8[out, blocks, bytes of a block] */
  readonly blocks: Value;
  /** The same bytes as numbers: u4 or u8[out, inputs]. */
  readonly rows: Value;
  readonly scales: Value; // f32[out, blocks]
}

/**
 * `x · Wᵀ`, or `x · W` where `transposed`, of f32 x and a quantised W; sums are f32.
 * @param x f32[M, inputs], or f32[M, out] where `transposed`
 */
export const quantisedProduct = (
  x: Value,
  { bits, blocks, rows, scales, products = 'f32' }: QuantisedMatrix,
  transposed = false,
): Value => {
  const attributes = { bits, transposed, products: transposed ? 'f32' : products } as const;
  return makeNode('quantisedProduct', [x, blocks, rows, scales], attributes)[0]!;
};

/**
 * softmax(scale · query · keyᵀ + bias) · value for each head; the G query heads of a group are folded into rows, so that
 * keys and values are not repeated.
 * @param query f32[B, K, G · Q, E]
 * @param key f32[B, K, P, E]
 * @param value f32[B, K, P, E]
 * @param bias f32[B, 1, 1, Q, P], added to the scores
 * @returns f32[B, K, G · Q, E]
 * Gradient: to query, key and value; probabilities are computed again, not kept.
 */
export const attend = (
  query: Value,
  key: Value,
  value: Value,
  bias: Value,
  attributes: { readonly group: number; readonly scale: number },
): Value => makeNode('attend', [query, key, value, bias], attributes)[0]!;

/** The inputs of {@link cachedAttention}. */
export interface CachedHeads {
  readonly query: Value; // f32[B, T, heads · E]
  readonly key: Value; // f32[B, T, keyValueHeads · E]
  readonly value: Value; // f32[B, T, keyValueHeads · E]
  readonly pastKeys: Value; // f32[B, keyValueHeads, C, E]
  readonly pastValues: Value; // f32[B, keyValueHeads, C, E]
  /** Place in the cache of the last of each row's T tokens. */
  readonly last: Value; // i64[B]
  /** Tokens of the longest row, those of this pass included. */
  readonly total: Value; // i64[]
}

/**
 * Attention of T new tokens over those that a cache of C places holds and over each other, causally; keys and values
 * are returned with the new ones written at their places. Rows may differ in length where T is 1; a longer pass that
 * follows another is of one row.
 * @returns mixed f32[B, T, heads · E]; keys and values, shaped as the past ones, whose memory they may share
 * Gradient: none, and asking for one is an error.
 */
export function cachedAttention(
  { query, key, value, pastKeys, pastValues, last, total }: CachedHeads,
  attributes: CachedAttentionShape,
): { readonly mixed: Value; readonly keys: Value; readonly values: Value } {
  const inputs = [query, key, value, pastKeys, pastValues, last, total];
  const [mixed, keys, values] = makeNode('cachedAttention', inputs, attributes) as [Value, Value, Value];
  return { mixed, keys, values };
}

/** The probabilities inside {@link attend}. @returns f32[B, K, G · Q, P] */
export function attentionProbabilities(
  query: Value,
  key: Value,
  bias: Value,
  group: number,
  scale: number,
): Value {
  const scores = matmul(query, key, { transB: true, alpha: scale });
  const [batch, heads, , keys] = scores.shape as [Dim, Dim, Dim, Dim];
  const masked = add(reshape(scores, [batch, heads, group, bias.shape[3]!, keys]), bias);
  return reshape(softmax(masked), scores.shape);
}

export const reshape = (x: Value, shape: readonly Dim[]): Value =>
  sameShape(x.shape, shape) ? x : makeNode('reshape', [x], { shape })[0]!;
/** Broadcasts to `shape`. */
export const expand = (x: Operand, shape: readonly Dim[]): Value =>
  sameShape(operand(x).shape, shape) ? operand(x) : makeNode('expand', [operand(x)], { shape })[0]!;
export const transpose = (x: Value, permutation: readonly number[]): Value =>
  makeNode('transpose', [x], { permutation })[0]!;
/** `x[start:end]` along `axis`. */
export const slice = (x: Value, axis: number, start: Dim, end: Dim): Value =>
  makeNode('slice', [x], { axis, start, end })[0]!;
export const concat = (parts: readonly Value[], axis: number): Value =>
  parts.length === 1 ? parts[0]! : makeNode('concat', parts, { axis })[0]!;
export const zeros = (type: TensorType): Value => expand(0, type.shape);

/** Rows of a table. @param table f32[V, D] @param indices i64 of any shape @returns f32[...indices, D] */
export const gatherRows = (table: Value, indices: Value): Value =>
  makeNode('gatherRows', [table, indices], {})[0]!;
/** `base` with `updates[n]` added to row `indices[n]`; repeated rows add up, always in the same order. */
export const scatterAddRows = (base: Value, indices: Value, updates: Value): Value =>
  makeNode('scatterAddRows', [base, indices, updates], {})[0]!;
/** `x[s, indices[s, j]]` of f32[S, V] and i64[S, J]. */
export const gatherElements = (x: Value, indices: Value): Value =>
  makeNode('gatherElements', [x, indices], {})[0]!;
/** `base[s, indices[s, j]] += updates[s, j]`. */
export const scatterAddElements = (base: Value, indices: Value, updates: Value): Value =>
  makeNode('scatterAddElements', [base, indices, updates], {})[0]!;

/**
 * Rotary position embedding, each head's halves rotated against each other (Hugging Face's `rotate_half`).
 * @param x f32[B, T, heads · E]
 * @param positions i64[B, T], rows of the tables
 * @param cosines f32[P, E/2]
 * @param sines f32[P, E/2]
 */
export const rotary = (x: Value, positions: Value, cosines: Value, sines: Value, heads: number): Value =>
  makeNode('rotary', [x, positions, cosines, sines], { heads })[0]!;
