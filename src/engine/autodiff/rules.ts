/** @file The one gradient rule of every operator, as a table typed over the operators: a missing rule does not compile. */
import { GraphError } from '../../base/errors.ts';
import { addDims, type Dim, sameShape, sizeOf, subtractDims } from '../ops/dimension.ts';
import {
  add,
  attentionProbabilities,
  barrier,
  concat,
  div,
  dropout,
  exp,
  expand,
  gatherElements,
  gatherRows,
  gemm,
  greater,
  lessEqual,
  matmul,
  mul,
  neg,
  quantisedProduct,
  reduceSum,
  reshape,
  rotary,
  scatterAddElements,
  scatterAddRows,
  sigmoid,
  slice,
  sub,
  tanh,
  transpose,
  where,
  zeros,
} from '../ops/operators.ts';
import type { Node, OpName, Value } from '../ops/value.ts';

/** Differentiates a whole expression: what a rule whose operator contains one calls. */
export type PullBack = (output: Value, variables: readonly Value[], dy: Value) => (Value | undefined)[];

/**
 * Cotangents of the inputs from the cotangent of the (first) output.
 * `needed[i]` says whether input i wants one; undefined means none.
 */
export type VjpRule<K extends OpName> = (
  node: Node<K>,
  dy: Value,
  needed: readonly boolean[],
  pullBack: PullBack,
) => (Value | undefined)[];

/** Sums `dy` over the axes that broadcasting had added or stretched. */
function unbroadcast(dy: Value, shape: readonly Dim[]): Value {
  if (sameShape(dy.shape, shape)) return dy;
  const added = dy.shape.length - shape.length;
  const axes = dy.shape.flatMap((dim, axis) =>
    axis < added || (shape[axis - added] === 1 && dim !== 1) ? [axis] : [],
  );
  return reshape(axes.length === 0 ? dy : reduceSum(dy, axes, true), shape);
}

type Partial2 = (a: Value, b: Value, dy: Value, y: Value) => Value;

function binary<K extends OpName>(da: Partial2, db: Partial2): VjpRule<K> {
  return (node, dy, needed) => {
    const [a, b] = node.inputs as [Value, Value];
    const y = node.outputs[0]!;
    return [
      needed[0] ? unbroadcast(da(a, b, dy, y), a.shape) : undefined,
      needed[1] ? unbroadcast(db(a, b, dy, y), b.shape) : undefined,
    ];
  };
}

function unary<K extends OpName>(dx: (x: Value, y: Value, dy: Value) => Value): VjpRule<K> {
  return (node, dy) => [dx(node.inputs[0]!, node.outputs[0]!, dy)];
}

/** The shape of a reduction's input, its axes kept with a size of 1. */
const keptShape = ({ inputs, attributes }: Node<'reduceSum' | 'reduceMax'>): Dim[] =>
  inputs[0]!.shape.map((dim, axis) => (attributes.axes.includes(axis) ? 1 : dim));

/** For operators whose result does not vary smoothly with any input. */
const none = () => [];

export const vjpRules: { readonly [K in OpName]: VjpRule<K> } = {
  input: none,
  weight: none,
  constant: none,
  greater: none,
  lessEqual: none,
  and: none,
  cast: none,
  stopGradient: none,
  add: binary(
    (_a, _b, dy) => dy,
    (_a, _b, dy) => dy,
  ),
  sub: binary(
    (_a, _b, dy) => dy,
    (_a, _b, dy) => neg(dy),
  ),
  mul: binary(
    (_a, b, dy) => mul(dy, b),
    (a, _b, dy) => mul(dy, a),
  ),
  // d(a/b) = da/b − (a/b)/b · db
  div: binary(
    (_a, b, dy) => div(dy, b),
    (_a, b, dy, y) => neg(div(mul(dy, y), b)),
  ),
  // At a tie the whole gradient goes to the first operand.
  maximum: binary(
    (a, b, dy) => where(lessEqual(b, a), dy, 0),
    (a, b, dy) => where(lessEqual(b, a), 0, dy),
  ),
  minimum: binary(
    (a, b, dy) => where(lessEqual(a, b), dy, 0),
    (a, b, dy) => where(lessEqual(a, b), 0, dy),
  ),
  where: (node, dy, needed) => {
    const [condition, a, b] = node.inputs as [Value, Value, Value];
    return [
      undefined,
      needed[1] ? unbroadcast(where(condition, dy, 0), a.shape) : undefined,
      needed[2] ? unbroadcast(where(condition, 0, dy), b.shape) : undefined,
    ];
  },
  neg: unary((_x, _y, dy) => neg(dy)),
  exp: unary((_x, y, dy) => mul(dy, y)),
  log: unary((x, _y, dy) => div(dy, x)),
  // d sqrt(x) = dx / (2 sqrt(x))
  sqrt: unary((_x, y, dy) => div(mul(dy, 0.5), y)),
  // d tanh(x) = (1 − tanh²(x)) dx
  tanh: unary((_x, y, dy) => mul(dy, sub(1, mul(y, y)))),
  // d σ(x) = σ(x)(1 − σ(x)) dx
  sigmoid: unary((_x, y, dy) => mul(dy, mul(y, sub(1, y)))),
  // d(xσ(x)) = (σ + y(1 − σ)) dx, y = xσ(x)
  silu: unary((x, y, dy) => {
    const gate = sigmoid(x);
    return mul(dy, add(gate, mul(y, sub(1, gate))));
  }),
  // y = x·Φ(x):  dy/dx = Φ + x·φ; Φ is y / x, and near 0 its first two terms.
  gelu: unary((x, y, dy) => {
    const square = mul(x, x);
    const isNear = lessEqual(square, 1e-6);
    const density = mul(exp(mul(square, -0.5)), 1 / Math.sqrt(2 * Math.PI));
    const share = where(isNear, add(mul(x, density), 0.5), div(y, where(isNear, 1, x)));
    return mul(dy, add(share, mul(x, density)));
  }),
  // y = x/2·(1 + t), t = tanh(c(x + a·x³)):  dy/dx = (1 + t)/2 + x/2·(1 − t²)·c(1 + 3a·x²)
  geluTanh: unary((x, _y, dy) => {
    const c = Math.sqrt(2 / Math.PI);
    const square = mul(x, x);
    const t = tanh(mul(x, add(mul(square, 0.044715 * c), c)));
    const slope = mul(mul(x, 0.5), mul(sub(1, mul(t, t)), add(mul(square, 3 * 0.044715 * c), c)));
    return mul(dy, add(mul(add(t, 1), 0.5), slope));
  }),
  barrier: (_node, dy) => [dy],
  // What was dropped has no gradient; the mask is computed again, not kept.
  dropout: (node, dy) => [dropout(dy, node.inputs[1]!, node.inputs[2]!, node.attributes.rate)],
  // The body runs again on inputs that wait for the cotangent, so that its values live only during this gradient.
  recompute: (node, dy, needed, pullBack) => {
    const inputs = node.inputs.slice(1);
    // Parameters need not wait: they are in memory all the time.
    const again = inputs.map((value) => (value.node.inputs.length > 0 ? barrier(value, dy) : value));
    const output = node.attributes.body(...again);
    const wanted = again.filter((_, i) => needed[i + 1]);
    const gradients = pullBack(output, wanted, dy);
    return [
      undefined,
      ...again.map((value) => (wanted.includes(value) ? gradients[wanted.indexOf(value)] : undefined)),
    ];
  },
  reduceSum: (node, dy) => [expand(reshape(dy, keptShape(node)), node.inputs[0]!.shape)],
  reduceMax: (node, dy) => {
    const x = node.inputs[0]!;
    const kept = keptShape(node);
    const isLargest = where(lessEqual(reshape(node.outputs[0]!, kept), x), 1, 0);
    const count = reduceSum(isLargest, node.attributes.axes, true);
    return [mul(isLargest, div(reshape(dy, kept), count))];
  },
  // dx = y ⊙ (dy − Σ dy ⊙ y)
  softmax: unary((_x, y, dy) => mul(y, sub(dy, reduceSum(mul(dy, y), [-1], true)))),
  // dx = dy − softmax(x) Σ dy
  logSoftmax: unary((_x, y, dy) => sub(dy, mul(exp(y), reduceSum(dy, [-1], true)))),
  // dx[s, v] = dy[s] (1[v = target] − softmax(x)[s, v])
  selectedLogProbability: (node, dy) => {
    const [logits, targets] = node.inputs as [Value, Value];
    const column = [logits.shape[0]!, 1];
    const spread = mul(exp(node.outputs[1]!), neg(reshape(dy, column)));
    return [scatterAddElements(spread, reshape(targets, column), reshape(dy, column)), undefined];
  },
  // y = x·r·w with r = (mean x² + ε)^−½:  dx = r (dy·w − x r² mean(x·dy·w)),  dw = Σ dy·x·r
  rmsNorm: (node, dy, needed) => {
    const [x, scale] = node.inputs as [Value, Value];
    const inverse = node.outputs[1]!;
    const width = x.shape.at(-1) as number;
    const scaled = mul(dy, scale);
    const projection = mul(reduceSum(mul(x, scaled), [-1], true), mul(mul(inverse, inverse), 1 / width));
    return [
      needed[0] ? mul(inverse, sub(scaled, mul(x, projection))) : undefined,
      needed[1] ? unbroadcast(mul(dy, mul(x, inverse)), scale.shape) : undefined,
    ];
  },
  // y = x̂·w + b with x̂ = (x − μ)·r, r = (variance + ε)^−½:  dx = r (g − mean(g) − x̂·mean(g·x̂)) with g = dy·w,
  //   dw = Σ dy·x̂,  db = Σ dy
  layerNorm: (node, dy, needed) => {
    const [x, scale, shift] = node.inputs as [Value, Value, Value];
    const [, mean, inverse] = node.outputs as [Value, Value, Value];
    const width = x.shape.at(-1) as number;
    const normed = mul(sub(x, mean), inverse);
    const scaled = mul(dy, scale);
    const meanOf = (v: Value) => mul(reduceSum(v, [-1], true), 1 / width);
    const centred = sub(sub(scaled, meanOf(scaled)), mul(normed, meanOf(mul(scaled, normed))));
    return [
      needed[0] ? mul(inverse, centred) : undefined,
      needed[1] ? unbroadcast(mul(dy, normed), scale.shape) : undefined,
      needed[2] ? unbroadcast(dy, shift.shape) : undefined,
    ];
  },
  // Y = α·A·B + C:  dA = α·dY·Bᵀ,  dB = α·Aᵀ·dY,  dC = dY; with transposed operands the factors change places.
  gemm: (node, dy, needed) => {
    const [a, b, c] = node.inputs as [Value, Value, Value | undefined];
    const { transA, transB, alpha } = node.attributes;
    return [
      needed[0]
        ? transA
          ? gemm(b, dy, { transA: transB, transB: true, alpha })
          : gemm(dy, b, { transB: !transB, alpha })
        : undefined,
      needed[1]
        ? transB
          ? gemm(dy, a, { transA: true, transB: transA, alpha })
          : gemm(a, dy, { transA: !transA, alpha })
        : undefined,
      needed[2] && c !== undefined ? unbroadcast(dy, c.shape) : undefined,
    ];
  },
  // The other product with the same bytes. The scales wait for the cotangent, and with them the matrix in f32: were it made
  // when the graph begins, all of them would be in memory at once.
  quantisedProduct: (node, dy) => {
    const [, blocks, rows, scales] = node.inputs as [Value, Value, Value, Value];
    const { bits, transposed } = node.attributes;
    return [quantisedProduct(dy, { bits, blocks, rows, scales: barrier(scales, dy) }, !transposed)];
  },
  matmul: (node, dy, needed) => {
    const [a, b] = node.inputs as [Value, Value];
    const { transA, transB, alpha } = node.attributes;
    return [
      needed[0]
        ? transA
          ? matmul(b, dy, { transA: transB, transB: true, alpha })
          : matmul(dy, b, { transB: !transB, alpha })
        : undefined,
      needed[1]
        ? transB
          ? matmul(dy, a, { transA: true, transB: transA, alpha })
          : matmul(a, dy, { transA: !transA, alpha })
        : undefined,
    ];
  },
  // With P = softmax(S), O = P·V (FlashAttention, arXiv 2205.14135, appendix B.2):
  //   dV = Pᵀ·dO,  dS = P ⊙ (dO·Vᵀ − D) with D = Σ_e dO ⊙ O,  dQ = α·dS·K,  dK = α·dSᵀ·Q.
  // −D rides along as one more column of dO against ones in V, so that no pass over the scores is spent on it.
  attend: (node, dy, needed) => {
    const [query, key, value, bias] = node.inputs as [Value, Value, Value, Value];
    const { group, scale } = node.attributes;
    // The scores wait for the cotangent, so that one layer's live at a time.
    const again = attentionProbabilities(barrier(query, dy), key, bias, group, scale);
    const rows = neg(reduceSum(mul(dy, node.outputs[0]!), [-1], true)); // f32[B, K, G·Q, 1]
    const ones = expand(1, [...value.shape.slice(0, 3), 1]);
    const inner = matmul(concat([dy, rows], 3), concat([value, ones], 3), { transB: true });
    const scores = mul(inner, again);
    // ONNX Runtime clears only the first head of a product over no queries at all.
    const some = greater(reduceSum(expand(1, [query.shape[2]!]), [0]), 0);
    const overQueries = (x: Value) => where(some, x, 0);
    return [
      needed[0] ? matmul(scores, key, { alpha: scale }) : undefined,
      needed[1] ? overQueries(matmul(scores, query, { transA: true, alpha: scale })) : undefined,
      needed[2] ? overQueries(matmul(again, dy, { transA: true })) : undefined,
      undefined,
    ];
  },
  cachedAttention: (node) => {
    throw new GraphError(`cachedAttention at ${node.scope}: has no gradient`, {
      code: 'graph/no-gradient',
      hint: 'Train over whole passes: a key/value cache is for generation.',
    });
  },
  reshape: (node, dy) => [reshape(dy, node.inputs[0]!.shape)],
  expand: (node, dy) => [unbroadcast(dy, node.inputs[0]!.shape)],
  transpose: (node, dy) => {
    const { permutation } = node.attributes;
    return [
      transpose(
        dy,
        permutation.map((_, axis) => permutation.indexOf(axis)),
      ),
    ];
  },
  slice: (node, dy) => {
    const x = node.inputs[0]!;
    const { axis, start, end } = node.attributes;
    const blank = (length: Dim) =>
      zeros({ dtype: 'f32', shape: x.shape.map((d, i) => (i === axis ? length : d)) });
    const after = subtractDims(x.shape[axis]!, end);
    const parts = [start === 0 ? [] : [blank(start)], [dy], after === 0 ? [] : [blank(after)]].flat();
    return [concat(parts, axis)];
  },
  concat: (node, dy, needed) => {
    const { axis } = node.attributes;
    let start: Dim = 0;
    return node.inputs.map((part, index) => {
      const end = addDims(start, part.shape[axis]!);
      const gradient = needed[index] ? slice(dy, axis, start, end) : undefined;
      start = end;
      return gradient;
    });
  },
  gatherRows: (node, dy) => {
    const [table, indices] = node.inputs as [Value, Value];
    const width = table.shape[1]!;
    const rows = sizeOf(indices.shape);
    return [scatterAddRows(zeros(table), reshape(indices, [rows]), reshape(dy, [rows, width])), undefined];
  },
  scatterAddRows: (node, dy, needed) => [
    needed[0] ? dy : undefined,
    undefined,
    needed[2] ? gatherRows(dy, node.inputs[1]!) : undefined,
  ],
  gatherElements: (node, dy) => {
    const [x, indices] = node.inputs as [Value, Value];
    return [scatterAddElements(zeros(x), indices, dy), undefined];
  },
  scatterAddElements: (node, dy, needed) => [
    needed[0] ? dy : undefined,
    undefined,
    needed[2] ? gatherElements(dy, node.inputs[1]!) : undefined,
  ],
  // A rotation's transpose is the rotation by the opposite angle.
  rotary: (node, dy) => {
    const [, positions, cosines, sines] = node.inputs as [Value, Value, Value, Value];
    return [rotary(dy, positions, cosines, neg(sines), node.attributes.heads)];
  },
};
