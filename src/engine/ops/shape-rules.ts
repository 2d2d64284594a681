/** @file The one shape and type rule of every operator; the only place that knows what inputs an operator accepts. */
import { ShapeError } from '../../base/errors.ts';
import {
  addDims,
  broadcastShapes,
  type Dim,
  multiplyDims,
  sameShape,
  sizeOf,
  subtractDims,
} from './dimension.ts';
import type { DType, OpAttributes, OpName, TensorType } from './operator-table.ts';

/** Output types from input types. @throws {ShapeError} when they do not fit. */
export type ShapeRule<K extends OpName> = (
  inputs: readonly TensorType[],
  attributes: OpAttributes[K],
) => readonly TensorType[];

function fail(message: string): never {
  throw new ShapeError(message, { code: 'shape/mismatch' });
}

function arity(inputs: readonly TensorType[], ...counts: number[]): void {
  if (!counts.includes(inputs.length)) fail(`expected ${counts.join(' or ')} inputs, got ${inputs.length}`);
}

function expectDType(type: TensorType | undefined, dtype: DType, what: string): TensorType {
  if (type === undefined) return fail(`${what}: missing`);
  if (type.dtype !== dtype) fail(`${what}: expected ${dtype}, got ${type.dtype}`);
  return type;
}

function expectRank(type: TensorType, rank: number, what: string): readonly Dim[] {
  if (type.shape.length !== rank) fail(`${what}: expected rank ${rank}, got [${type.shape.join(', ')}]`);
  return type.shape;
}

function expectDim(got: Dim | undefined, expected: Dim | undefined, what: string): void {
  if (got !== expected) fail(`${what}: expected ${expected}, got ${got}`);
}

const leaf: ShapeRule<'input' | 'weight' | 'constant'> = (inputs, attributes) => {
  arity(inputs, 0);
  return [{ dtype: attributes.dtype, shape: attributes.shape }];
};

const floatUnary = (inputs: readonly TensorType[]): TensorType[] => {
  arity(inputs, 1);
  return [expectDType(inputs[0], 'f32', 'input')];
};

const reduction: ShapeRule<'reduceSum' | 'reduceMax'> = (inputs, { axes, keepDims }) => {
  const [x] = floatUnary(inputs);
  for (const axis of axes) {
    if (axis < 0 || axis >= x!.shape.length) fail(`axes: ${axis} is outside rank ${x!.shape.length}`);
  }
  const shape = x!.shape.flatMap((dim, axis) => (axes.includes(axis) ? (keepDims ? [1] : []) : [dim]));
  return [{ dtype: 'f32', shape }];
};

const broadcast =
  (operand: DType | 'number', result?: DType) =>
  (inputs: readonly TensorType[]): TensorType[] => {
    arity(inputs, 2);
    const [a, b] = inputs as [TensorType, TensorType];
    if (a.dtype !== b.dtype) fail(`expected equal dtypes, got ${a.dtype} and ${b.dtype}`);
    if (operand === 'number' ? a.dtype === 'bool' : a.dtype !== operand)
      fail(`expected ${operand} operands, got ${a.dtype}`);
    return [{ dtype: result ?? a.dtype, shape: broadcastShapes(a.shape, b.shape) }];
  };

const lastAxis = (inputs: readonly TensorType[]): TensorType[] => {
  const [x] = floatUnary(inputs);
  if (x!.shape.length === 0) fail('input: expected at least one axis, got a scalar');
  return [x!];
};

export const shapeRules: { readonly [K in OpName]: ShapeRule<K> } = {
  input: leaf,
  weight: leaf,
  constant: (inputs, attributes) => {
    const count = attributes.data.length * (attributes.dtype === 'u4' ? 2 : 1);
    expectDim(count, sizeOf(attributes.shape), 'constant: number of elements');
    return leaf(inputs, attributes);
  },
  add: broadcast('number'),
  sub: broadcast('number'),
  mul: broadcast('number'),
  div: broadcast('f32'),
  maximum: broadcast('f32'),
  minimum: broadcast('f32'),
  greater: broadcast('number', 'bool'),
  lessEqual: broadcast('number', 'bool'),
  and: broadcast('bool'),
  where: (inputs) => {
    arity(inputs, 3);
    const condition = expectDType(inputs[0], 'bool', 'condition');
    const [, a, b] = inputs as [TensorType, TensorType, TensorType];
    if (a.dtype !== b.dtype) fail(`branches: expected equal dtypes, got ${a.dtype} and ${b.dtype}`);
    return [{ dtype: a.dtype, shape: broadcastShapes(condition.shape, broadcastShapes(a.shape, b.shape)) }];
  },
  neg: floatUnary,
  exp: floatUnary,
  log: floatUnary,
  sqrt: floatUnary,
  tanh: floatUnary,
  sigmoid: floatUnary,
  silu: floatUnary,
  gelu: floatUnary,
  geluTanh: floatUnary,
  cast: (inputs, { to }) => {
    arity(inputs, 1);
    return [{ dtype: to, shape: inputs[0]!.shape }];
  },
  stopGradient: floatUnary,
  dropout: (inputs, { rate }) => {
    arity(inputs, 3);
    if (!(rate > 0 && rate < 1)) fail(`rate: expected a share between 0 and 1, got ${rate}`);
    const x = expectDType(inputs[0], 'f32', 'input');
    const [rows, columns] = expectRank(x, 2, 'input');
    expectDim(expectRank(expectDType(inputs[1], 'i64', 'row noise'), 1, 'row noise')[0], rows, 'row noise');
    const noise = expectRank(expectDType(inputs[2], 'i64', 'column noise'), 1, 'column noise');
    expectDim(noise[0], columns, 'column noise');
    return [x];
  },
  barrier: (inputs) => {
    arity(inputs, 2);
    expectDType(inputs[1], 'f32', 'dependency');
    return [expectDType(inputs[0], 'f32', 'input')];
  },
  recompute: (inputs) => [expectDType(inputs[0], 'f32', 'input')],
  reduceSum: reduction,
  reduceMax: reduction,
  softmax: lastAxis,
  logSoftmax: lastAxis,
  selectedLogProbability: (inputs) => {
    arity(inputs, 2);
    const logits = expectDType(inputs[0], 'f32', 'logits');
    const targets = expectDType(inputs[1], 'i64', 'targets');
    const [rows] = expectRank(logits, 2, 'logits');
    expectDim(expectRank(targets, 1, 'targets')[0], rows, 'targets');
    return [{ dtype: 'f32', shape: targets.shape }, logits];
  },
  rmsNorm: (inputs) => {
    arity(inputs, 2);
    const x = expectDType(inputs[0], 'f32', 'input');
    const weight = expectDType(inputs[1], 'f32', 'weight');
    expectDim(expectRank(weight, 1, 'weight')[0], x.shape.at(-1), 'weight');
    return [x, { dtype: 'f32', shape: [...x.shape.slice(0, -1), 1] }];
  },
  // The second and third output are the mean and 1/deviation of each row.
  layerNorm: (inputs) => {
    arity(inputs, 3);
    const x = expectDType(inputs[0], 'f32', 'input');
    for (const [index, what] of ['scale', 'shift'].entries()) {
      const vector = expectDType(inputs[index + 1], 'f32', what);
      expectDim(expectRank(vector, 1, what)[0], x.shape.at(-1), what);
    }
    const row: TensorType = { dtype: 'f32', shape: [...x.shape.slice(0, -1), 1] };
    return [x, row, row];
  },
  gemm: (inputs, { transA, transB }) => {
    arity(inputs, 2, 3);
    const a = expectRank(expectDType(inputs[0], 'f32', 'a'), 2, 'a');
    const b = expectRank(expectDType(inputs[1], 'f32', 'b'), 2, 'b');
    expectDim(transB ? b[1] : b[0], transA ? a[0] : a[1], 'inner dimension');
    const shape = [transA ? a[1]! : a[0]!, transB ? b[0]! : b[1]!];
    if (inputs[2] !== undefined && !sameShape(broadcastShapes(inputs[2].shape, shape), shape))
      fail(
        `c: expected a shape that broadcasts to [${shape.join(', ')}], got [${inputs[2].shape.join(', ')}]`,
      );
    return [{ dtype: 'f32', shape }];
  },
  matmul: (inputs, { transA, transB }) => {
    arity(inputs, 2);
    const a = expectDType(inputs[0], 'f32', 'a').shape;
    const b = expectDType(inputs[1], 'f32', 'b').shape;
    if (a.length < 2 || a.length !== b.length)
      fail(`expected equal ranks of at least 2, got ${a.length} and ${b.length}`);
    if (!sameShape(a.slice(0, -2), b.slice(0, -2))) fail('expected equal batch dimensions');
    expectDim(b.at(transB ? -1 : -2), a.at(transA ? -2 : -1), 'inner dimension');
    return [{ dtype: 'f32', shape: [...a.slice(0, -2), a.at(transA ? -1 : -2)!, b.at(transB ? -2 : -1)!] }];
  },
  quantisedProduct: (inputs, { bits, transposed }) => {
    arity(inputs, 4);
    const x = expectRank(expectDType(inputs[0], 'f32', 'input'), 2, 'input');
    const [out, blocks, bytes] = expectRank(expectDType(inputs[1], 'u8', 'blocks'), 3, 'blocks');
    const dtype = bits === 4 ? 'u4' : 'u8';
    const [rows, columns] = expectRank(expectDType(inputs[2], dtype, 'rows'), 2, 'rows');
    const scales = expectRank(expectDType(inputs[3], 'f32', 'scales'), 2, 'scales');
    expectDim(rows, out, 'rows');
    expectDim(columns, ((blocks as number) * (bytes as number) * 8) / bits, 'rows: columns');
    if (!sameShape(scales, [out!, blocks!]))
      fail(`scales: expected [${out}, ${blocks}], got [${scales.join(', ')}]`);
    expectDim(x[1], transposed ? out : columns, 'inner dimension');
    return [{ dtype: 'f32', shape: [x[0]!, transposed ? columns! : out!] }];
  },
  attend: (inputs, { group }) => {
    arity(inputs, 4);
    const query = expectDType(inputs[0], 'f32', 'query');
    const [batch, heads, rows, width] = expectRank(query, 4, 'query') as [Dim, Dim, Dim, Dim];
    const bias = expectRank(expectDType(inputs[3], 'f32', 'bias'), 5, 'bias');
    expectDim(multiplyDims(group, bias[3]!), rows, 'bias: queries × group');
    for (const [index, what] of ['query', 'key', 'value'].entries()) {
      if (index === 0) continue;
      const shape = expectDType(inputs[index], 'f32', what).shape;
      if (!sameShape(shape, [batch, heads, bias[4]!, width]))
        fail(`${what}: expected [${[batch, heads, bias[4], width].join(', ')}], got [${shape.join(', ')}]`);
    }
    return [query];
  },
  cachedAttention: (inputs, { heads, keyValueHeads }) => {
    arity(inputs, 7);
    const query = expectDType(inputs[0], 'f32', 'query');
    const [batch, length, width] = expectRank(query, 3, 'query') as [Dim, Dim, number];
    const size = width / heads;
    for (const [index, what] of ['key', 'value'].entries()) {
      const shape = expectDType(inputs[index + 1], 'f32', what).shape;
      if (!sameShape(shape, [batch, length, keyValueHeads * size]))
        fail(`${what}: expected [${batch}, ${length}, ${keyValueHeads * size}], got [${shape.join(', ')}]`);
      const past = expectDType(inputs[index + 3], 'f32', `past ${what}`);
      const [rows, kept, capacity, each] = expectRank(past, 4, `past ${what}`);
      if (!sameShape([rows!, kept!, each!], [batch, keyValueHeads, size]))
        fail(
          `past ${what}: expected [${batch}, ${keyValueHeads}, ${capacity}, ${size}], got [${past.shape.join(', ')}]`,
        );
    }
    expectDim(expectRank(expectDType(inputs[5], 'i64', 'last'), 1, 'last')[0], batch, 'last: rows');
    expectRank(expectDType(inputs[6], 'i64', 'total'), 0, 'total');
    return [query, inputs[3]!, inputs[4]!];
  },
  reshape: (inputs, { shape }) => {
    arity(inputs, 1);
    expectDim(sizeOf(shape), sizeOf(inputs[0]!.shape), 'number of elements');
    return [{ dtype: inputs[0]!.dtype, shape }];
  },
  expand: (inputs, { shape }) => {
    arity(inputs, 1);
    if (!sameShape(broadcastShapes(inputs[0]!.shape, shape), shape))
      fail(`expected a shape that broadcasts to [${shape.join(', ')}]`);
    return [{ dtype: inputs[0]!.dtype, shape }];
  },
  transpose: (inputs, { permutation }) => {
    arity(inputs, 1);
    const { dtype, shape } = inputs[0]!;
    if (
      [...permutation].sort((a, b) => a - b).some((axis, i) => axis !== i) ||
      permutation.length !== shape.length
    )
      fail(`permutation: expected one of ${shape.length} axes, got [${permutation.join(', ')}]`);
    return [{ dtype, shape: permutation.map((axis) => shape[axis]!) }];
  },
  slice: (inputs, { axis, start, end }) => {
    arity(inputs, 1);
    const { dtype, shape } = inputs[0]!;
    if (axis < 0 || axis >= shape.length) fail(`axis: ${axis} is outside rank ${shape.length}`);
    return [{ dtype, shape: shape.map((dim, i) => (i === axis ? subtractDims(end, start) : dim)) }];
  },
  concat: (inputs, { axis }) => {
    if (inputs.length === 0) fail('expected at least one input, got none');
    const { dtype, shape } = inputs[0]!;
    for (const other of inputs) {
      if (other.dtype !== dtype) fail(`expected ${dtype}, got ${other.dtype}`);
      const fits =
        other.shape.length === shape.length && other.shape.every((d, i) => i === axis || d === shape[i]);
      if (!fits)
        fail(`expected [${shape.join(', ')}] except for axis ${axis}, got [${other.shape.join(', ')}]`);
    }
    const total = inputs.reduce<Dim>((sum, input) => addDims(sum, input.shape[axis]!), 0);
    return [{ dtype, shape: shape.map((dim, i) => (i === axis ? total : dim)) }];
  },
  gatherRows: (inputs) => {
    arity(inputs, 2);
    const table = expectDType(inputs[0], 'f32', 'table');
    const indices = expectDType(inputs[1], 'i64', 'indices');
    return [{ dtype: 'f32', shape: [...indices.shape, ...expectRank(table, 2, 'table').slice(1)] }];
  },
  scatterAddRows: (inputs) => {
    arity(inputs, 3);
    const base = expectDType(inputs[0], 'f32', 'base');
    const indices = expectRank(expectDType(inputs[1], 'i64', 'indices'), 1, 'indices');
    const updates = expectRank(expectDType(inputs[2], 'f32', 'updates'), 2, 'updates');
    expectDim(updates[0], indices[0], 'updates: rows');
    expectDim(updates[1], expectRank(base, 2, 'base')[1], 'updates: columns');
    return [base];
  },
  gatherElements: (inputs) => {
    arity(inputs, 2);
    const x = expectRank(expectDType(inputs[0], 'f32', 'input'), 2, 'input');
    const indices = expectDType(inputs[1], 'i64', 'indices');
    expectDim(expectRank(indices, 2, 'indices')[0], x[0], 'indices: rows');
    return [{ dtype: 'f32', shape: indices.shape }];
  },
  scatterAddElements: (inputs) => {
    arity(inputs, 3);
    const base = expectDType(inputs[0], 'f32', 'base');
    const indices = expectDType(inputs[1], 'i64', 'indices');
    const updates = expectDType(inputs[2], 'f32', 'updates');
    if (!sameShape(indices.shape, updates.shape)) fail('updates: expected the shape of the indices');
    expectDim(expectRank(updates, 2, 'updates')[0], expectRank(base, 2, 'base')[0], 'updates: rows');
    return [base];
  },
  rotary: (inputs, { heads }) => {
    arity(inputs, 4);
    const x = expectDType(inputs[0], 'f32', 'input');
    const [batch, length, width] = expectRank(x, 3, 'input') as [Dim, Dim, Dim];
    const positions = expectRank(expectDType(inputs[1], 'i64', 'positions'), 2, 'positions');
    expectDim(positions[0], batch, 'positions: batch');
    expectDim(positions[1], length, 'positions: length');
    const cosine = expectRank(expectDType(inputs[2], 'f32', 'cosines'), 2, 'cosines');
    if (!sameShape(expectDType(inputs[3], 'f32', 'sines').shape, cosine))
      fail('sines: expected the shape of cosines');
    expectDim(width, multiplyDims(2 * heads, cosine[1]!), 'width (heads × 2 × cosines)');
    return [x];
  },
};
