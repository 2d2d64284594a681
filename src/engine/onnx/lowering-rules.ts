/** @file How every operator becomes ONNX nodes, as a table typed over the operators. */
import { type Dim, sizeOf } from '../ops/dimension.ts';
import { dropoutThreshold } from '../ops/operators.ts';
import type { Node, OpName, Value } from '../ops/value.ts';
import { type Emitter, MICROSOFT } from './emit.ts';
import { logSoftmax, matmul } from './lowering-by-device.ts';
import { TensorProto_DataType as DataType } from './onnx_pb.ts';

/** Emits one node: `inputs` and `outputs` are names of the graph under construction. */
export type LoweringRule<K extends OpName> = (
  emit: Emitter,
  node: Node<K>,
  inputs: readonly string[],
  outputs: readonly string[],
) => void;

function direct<K extends OpName>(type: string): LoweringRule<K> {
  return (emit, _node, inputs, outputs) => emit.node(type, inputs, outputs);
}

function lastAxis<K extends OpName>(type: string): LoweringRule<K> {
  return (emit, _node, inputs, outputs) => emit.node(type, inputs, outputs, { axis: { int: -1 } });
}

const leaf = () => {};

const int = (flag: boolean) => ({ int: flag ? 1 : 0 });

function reduction(type: string): LoweringRule<'reduceSum' | 'reduceMax'> {
  return (emit, node, inputs, outputs) =>
    emit.node(type, [inputs[0]!, emit.integers(node.attributes.axes)], outputs, {
      keepdims: int(node.attributes.keepDims),
    });
}

export const onnxTypes = {
  f32: DataType.FLOAT,
  i64: DataType.INT64,
  bool: DataType.BOOL,
  u8: DataType.UINT8,
  u4: DataType.UINT4,
} as const;

export const loweringRules: { readonly [K in OpName]: LoweringRule<K> } = {
  input: leaf,
  weight: leaf,
  constant: leaf,
  stopGradient: leaf,
  recompute: leaf,
  add: direct('Add'),
  sub: direct('Sub'),
  mul: direct('Mul'),
  div: direct('Div'),
  maximum: direct('Max'),
  minimum: direct('Min'),
  greater: direct('Greater'),
  lessEqual: direct('LessOrEqual'),
  and: direct('And'),
  where: direct('Where'),
  neg: direct('Neg'),
  exp: direct('Exp'),
  log: direct('Log'),
  sqrt: direct('Sqrt'),
  tanh: direct('Tanh'),
  sigmoid: direct('Sigmoid'),
  // QuickGelu is x · sigmoid(α x).
  silu: (emit, _node, inputs, outputs) => emit.node('QuickGelu', inputs, outputs, { alpha: 1 }, MICROSOFT),
  gelu: (emit, _node, inputs, outputs) =>
    emit.node('Gelu', inputs, outputs, { approximate: { text: 'none' } }),
  geluTanh: (emit, _node, inputs, outputs) =>
    emit.node('Gelu', inputs, outputs, { approximate: { text: 'tanh' } }),
  cast: (emit, node, inputs, outputs) =>
    emit.node('Cast', inputs, outputs, { to: { int: onnxTypes[node.attributes.to] } }),
  // 32-bit products wrap around, as everywhere.
  dropout: (emit, node, [x, rowNoise, columnNoise], outputs) => {
    const narrow = (noise: string, axis: number) => {
      const column = emit.call('Unsqueeze', [noise, emit.integers([axis])]);
      return emit.call('Cast', [column], { to: { int: DataType.INT32 } });
    };
    const product = emit.call('Mul', [narrow(rowNoise!, 1), narrow(columnNoise!, 0)]);
    const threshold = emit.integers([dropoutThreshold(node.attributes.rate)]);
    const kept = emit.call('Less', [
      product,
      emit.call('Cast', [threshold], { to: { int: DataType.INT32 } }),
    ]);
    emit.node('Mul', [x!, emit.call('Cast', [kept], { to: { int: DataType.FLOAT } })], outputs);
  },
  // ONNX Runtime orders nodes by data alone: x reshaped to its own shape + 0 · (a size of what must come first).
  // A Reshape copies nothing. Where sizes are constants the order may be lost, and with it only memory.
  barrier: (emit, _node, inputs, outputs) => {
    const [x, after] = inputs as [string, string];
    const zero = emit.shared(`barrier ${after}`, () => {
      const sizes = emit.call('Concat', [emit.call('Shape', [after]), emit.integers([0])], {
        axis: { int: 0 },
      });
      return emit.call('ReduceProd', [sizes, emit.integers([0])], { keepdims: int(true) });
    });
    emit.node('Reshape', [x, emit.call('Add', [emit.call('Shape', [x]), zero])], outputs, SIZES);
  },
  reduceSum: reduction('ReduceSum'),
  reduceMax: reduction('ReduceMax'),
  softmax: lastAxis('Softmax'),
  logSoftmax: (emit, _node, [x], [y]) => logSoftmax(emit, x!, y!),
  selectedLogProbability: (emit, _node, [logits, targets], [selected, logProbabilities]) => {
    logSoftmax(emit, logits!, logProbabilities!);
    const column = emit.call('Unsqueeze', [targets!, emit.integers([1])]);
    const picked = emit.call('GatherElements', [logProbabilities!, column], { axis: { int: 1 } });
    emit.node('Squeeze', [picked, emit.integers([1])], [selected!]);
  },
  rmsNorm: (emit, node, inputs, [normed, inverse]) => {
    const { epsilon } = node.attributes;
    const attributes = { axis: { int: -1 }, epsilon, stash_type: { int: 1 } };
    // The WebGPU provider leaves the second output empty, without a word: losses stay right and gradients do not.
    const fillsInverse = emit.device !== 'webgpu';
    emit.node(
      'SimplifiedLayerNormalization',
      inputs,
      fillsInverse ? [normed!, inverse!] : [normed!],
      attributes,
    );
    if (fillsInverse || !emit.isUsed(node.outputs[1]!)) return;
    const [x] = inputs as [string];
    const width = { keepdims: { int: 1 } };
    const mean = emit.call('ReduceMean', [emit.call('Mul', [x, x]), emit.integers([-1])], width);
    const small = emit.floats(Float32Array.of(epsilon), []);
    emit.node('Reciprocal', [emit.call('Sqrt', [emit.call('Add', [mean, small])])], [inverse!]);
  },
  layerNorm: (emit, node, inputs, outputs) =>
    emit.node('LayerNormalization', inputs, outputs, {
      axis: { int: -1 },
      epsilon: node.attributes.epsilon,
      stash_type: { int: 1 },
    }),
  gemm: (emit, node, inputs, outputs) => {
    const { transA, transB, alpha } = node.attributes;
    emit.node('Gemm', inputs, outputs, { transA: int(transA), transB: int(transB), alpha, beta: 1 });
  },
  matmul: (emit, node, inputs, outputs) => {
    const [a, b] = inputs as [string, string];
    matmul(emit, { a, b, rank: node.inputs[0]!.shape.length, ...node.attributes }, outputs[0]!);
  },
  quantisedProduct: (emit, node, [x, blocks, rows, scales], outputs) => {
    const { bits, transposed, products } = node.attributes;
    const [out, count] = node.inputs[3]!.shape as [number, number];
    const inputs = node.inputs[2]!.shape[1] as number;
    const size = { int: inputs / count };
    if (!transposed) {
      // Accuracy level 0: products and sums in f32; level 4: the input rounded to 8 bits, products in integers.
      const level = { int: products === 'int8' ? 4 : 0 };
      const attributes = { K: { int: inputs }, N: { int: out }, bits: { int: bits }, block_size: size };
      emit.node(
        'MatMulNBits',
        [x!, blocks!, scales!],
        outputs,
        { ...attributes, accuracy_level: level },
        MICROSOFT,
      );
      return;
    }
    // A second copy, quantised along the other axis, would be another matrix, and not faster (measured).
    const zero = emit.shared(`zero points ${bits} ${out} ${count}`, () =>
      bits === 4
        ? emit.bytes(DataType.UINT4, new Uint8Array(Math.ceil((out * count) / 2)).fill(0x88), [out, count])
        : emit.bytes(DataType.UINT8, new Uint8Array(out * count).fill(0x80), [out, count]),
    );
    const matrix = emit.call('DequantizeLinear', [rows!, scales!, zero], {
      axis: { int: 1 },
      block_size: size,
    });
    emit.node('Gemm', [x!, matrix], outputs);
  },
  attend: (emit, node, [query, key, value, bias], outputs) => {
    const { group, scale } = node.attributes;
    const product = { rank: 4, transA: false };
    const scores = emit.fresh();
    matmul(emit, { ...product, a: query!, b: key!, transB: true, alpha: scale }, scores);
    // [B, K, G · Q, P] as [B, K, G, Q, P]: Q is the only size that is not known or copied.
    const split = emit.call('Reshape', [scores, emit.shape(scoreShape(node, group))], SIZES);
    const masked = emit.call('Add', [split, bias!]);
    const probabilities = emit.call('Softmax', [masked], { axis: { int: -1 } });
    const folded = emit.call('Reshape', [probabilities, emit.call('Shape', [scores])], SIZES);
    matmul(emit, { ...product, a: folded, b: value!, transB: false, alpha: 1 }, outputs[0]!);
  },
  cachedAttention: (emit, node, inputs, outputs) => {
    const { heads, keyValueHeads, scale, window } = node.attributes;
    const int32 = (name: string) =>
      emit.shared(`int32 ${name}`, () => emit.call('Cast', [name], { to: { int: DataType.INT32 } }));
    const [query, key, value, pastKey, pastValue, last, total] = inputs as [string, ...string[]];
    emit.node(
      'GroupQueryAttention',
      [query, key!, value!, pastKey!, pastValue!, int32(last!), int32(total!)],
      outputs,
      {
        num_heads: { int: heads },
        kv_num_heads: { int: keyValueHeads },
        scale,
        ...(window > 0 && { local_window_size: { int: window } }),
      },
      MICROSOFT,
    );
  },
  // One unknown dimension needs no arithmetic: −1 stands for it.
  reshape: (emit, node, inputs, outputs) => {
    const { shape } = node.attributes;
    const unknown = shape.filter((dim) => typeof dim !== 'number').length;
    const from = node.inputs[0]!.shape;
    const kept = shape.map((dim, axis) => (typeof dim === 'number' ? dim : dim === from[axis] ? 0 : -1));
    if (unknown <= 1 && sizeOf(shape) !== 0)
      emit.node(
        'Reshape',
        [inputs[0]!, emit.integers(shape.map((dim) => (typeof dim === 'number' ? dim : -1)))],
        outputs,
      );
    else if (kept.filter((dim) => dim === -1).length <= 1)
      emit.node('Reshape', [inputs[0]!, emit.integers(kept)], outputs);
    else emit.node('Reshape', [inputs[0]!, emit.shape(shape)], outputs, SIZES);
  },
  expand: (emit, node, inputs, outputs) =>
    emit.node('Expand', [inputs[0]!, emit.shape(node.attributes.shape)], outputs),
  transpose: (emit, node, inputs, outputs) =>
    emit.node('Transpose', inputs, outputs, { perm: node.attributes.permutation }),
  slice: (emit, node, inputs, outputs) => {
    const { axis, start, end } = node.attributes;
    emit.node('Slice', [inputs[0]!, emit.shape([start]), emit.shape([end]), emit.integers([axis])], outputs);
  },
  concat: (emit, node, inputs, outputs) =>
    emit.node('Concat', inputs, outputs, { axis: { int: node.attributes.axis } }),
  gatherRows: (emit, _node, inputs, outputs) => emit.node('Gather', inputs, outputs, { axis: { int: 0 } }),
  // ScatterElements adds one element after the other. ScatterND adds in parallel without a lock, so that rows
  // that occur twice race (onnxruntime issue 23396) and a run does not repeat.
  scatterAddRows: (emit, node, [base, indices, updates], outputs) => {
    const column = emit.call('Unsqueeze', [indices!, emit.integers([1])]);
    const spread = emit.call('Expand', [column, emit.shape((node.inputs[2] as Value).shape)]);
    emit.node('ScatterElements', [base!, spread, updates!], outputs, { axis: { int: 0 }, ...ADD });
  },
  gatherElements: (emit, _node, inputs, outputs) =>
    emit.node('GatherElements', inputs, outputs, { axis: { int: 1 } }),
  scatterAddElements: (emit, _node, inputs, outputs) =>
    emit.node('ScatterElements', inputs, outputs, { axis: { int: 1 }, ...ADD }),
  rotary: (emit, node, inputs, outputs) =>
    emit.node('RotaryEmbedding', inputs, outputs, { num_heads: { int: node.attributes.heads } }, MICROSOFT),
};

/** [B, K, G, Q, P] of an attend node. */
function scoreShape(node: Node<'attend'>, group: number): Dim[] {
  const [query, , , bias] = node.inputs as [Value, Value, Value, Value];
  return [query.shape[0]!, query.shape[1]!, group, bias.shape[3]!, bias.shape[4]!];
}

/** Of a Reshape: a size of 0 is a size, not the mark of one to be copied. */
const SIZES = { allowzero: { int: 1 } };

const ADD = { reduction: { text: 'add' } };
