/** @file Graphs are verified, printed and refused by name before ONNX Runtime sees them. */
import { fromBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { vjp } from '../../../src/engine/autodiff/vjp.ts';
import { ModelProtoSchema } from '../../../src/engine/onnx/onnx_pb.ts';
import { printGraph } from '../../../src/engine/onnx/print.ts';
import { compile, compiling } from '../../../src/engine/onnx/program.ts';
import * as ops from '../../../src/engine/ops/operators.ts';
import { makeNode, type Value, withScope } from '../../../src/engine/ops/value.ts';
import { createSession } from '../../../src/engine/runtime/session.ts';

const x = ops.input('x', 'f32', ['B', 4]);
const w = ops.weight('w', [3, 4]);

// A server answered nobody while a graph of 30 layers was checked, lowered and serialised.
it('a graph is compiled in pieces, each of which is short, and is the one that compile gives at once', async () => {
  let sum: Value = x;
  for (let i = 0; i < 1000; i++) sum = ops.add(sum, ops.constant(i % 2 === 0 ? 1 : 0.5));
  const pieces = compiling({ sum });
  let count = 0;
  let piece = pieces.next();
  for (; !piece.done; piece = pieces.next()) count += 1;
  expect(count).toBeGreaterThan(3000);
  expect(Buffer.compare(piece.value.bytes, compile({ sum }).bytes)).toBe(0);
  const { node, input } = fromBinary(ModelProtoSchema, piece.value.bytes).graph!;
  expect(node.filter(({ opType }) => opType === 'Add')).toHaveLength(1000);
  expect(input.map(({ name }) => name)).toEqual(['x']);
  await using session = await createSession(piece.value);
  const outputs = await session.run({ x: { data: Float32Array.of(0, 1, 2, 3), shape: [1, 4] } });
  expect([...outputs.sum!.data]).toEqual([750, 751, 752, 753]);
});

describe('errors name the node', () => {
  it('an operator says what it got, where, and what it expected', () => {
    expect(() =>
      withScope('layers.0', () => withScope('mlp', () => ops.gemm(x, ops.input('y', 'f32', [5, 3])))),
    ).toThrowError('gemm at layers.0.mlp(f32[B, 4], f32[5, 3]): inner dimension: expected 4, got 5');
    expect(() => ops.gatherRows(x, ops.input('i', 'f32', ['S']))).toThrowError(
      'indices: expected i64, got f32',
    );
    expect(() => ops.reshape(x, [2, 'B'])).toThrowError('number of elements: expected 4*B, got 2*B');
  });

  it('a symbol that no input binds is refused', () => {
    const free = ops.expand(ops.constant(1), ['Q']);
    expect(() => compile({ free })).toThrowError('f32[Q] uses Q, which no input binds');
  });

  it('two tensors of one name are refused', () => {
    const twice = ops.add(x, ops.input('x', 'f32', ['B', 4]));
    expect(() => compile({ twice })).toThrowError('input x: the name is taken');
    expect(() => compile({ x: ops.neg(x) })).toThrowError('input x: the name is taken');
  });

  it('a weight that no file holds is refused', () => {
    expect(() => compile({ y: ops.gemm(x, w, { transB: true }) })).toThrowError('weight w: no file holds it');
  });

  it('a type that is not the rule’s is refused', () => {
    const honest = makeNode('neg', [x], {})[0]!;
    const forged: Value = { ...honest, shape: ['B', 5] };
    (honest.node.outputs as Value[])[0] = forged;
    expect(() => compile({ forged })).toThrowError('output 0: expected f32[B, 4], got f32[B, 5]');
  });

  it('a variable that no gradient reaches is refused by name', () => {
    const loss = ops.reduceSum(ops.stopGradient(x), [0, 1]);
    expect(() => vjp(loss, [x])).toThrowError('vjp: input x has no path to the loss that carries a gradient');
    expect(() => vjp(x, [x])).toThrowError('expected a scalar loss, got f32[B, 4]');
  });

  it('a feed that does not fit is refused with the sizes that were bound', async () => {
    const y = ops.input('y', 'f32', ['B']);
    await using session = await createSession(compile({ z: ops.add(x, ops.reshape(y, ['B', 1])) }));
    const feed = (rows: number) => ({ data: new Float32Array(rows), shape: [rows] });
    await expect(
      session.run({ x: { data: new Float32Array(8), shape: [2, 4] }, y: feed(3) }),
    ).rejects.toThrowError('y: expected f32[B] where B = 2, got f32[3] of 3 numbers');
    await expect(session.run({ y: feed(2) })).rejects.toThrowError(
      'x: expected a feed of f32[B, 4], got none',
    );
  });
});

describe('printing', () => {
  it('gives one readable line a value', () => {
    const y = withScope('layers.0.mlp.down', () => ops.gemm(x, w, { transB: true }));
    expect(printGraph({ loss: ops.reduceSum(y, [0, 1]) })).toBe(
      [
        '%0: f32[B, 4] = input(name=x)',
        '%1: f32[3, 4] = weight(name=w)',
        '%2: f32[B, 3] = gemm(%0, %1, transA=false, transB=true, alpha=1)  # layers.0.mlp.down',
        '%3: f32[] = reduceSum(%2, axes=[0, 1], keepDims=false)',
        'return loss = %3',
      ].join('\n'),
    );
  });
});

describe('running', () => {
  it('one session serves every length', async () => {
    await using session = await createSession(compile({ y: ops.reshape(ops.mul(x, 2), ['4*B']) }), {
      threads: 1,
    });
    for (const rows of [1, 3, 2]) {
      const { y } = await session.run({
        x: { data: new Float32Array(rows * 4).fill(1.5), shape: [rows, 4] },
      });
      expect([...y!.data]).toEqual(new Array(rows * 4).fill(3));
    }
  });

  it('an output may be written over the input it comes from', async () => {
    const data = Float32Array.of(1, 2, 3, 4);
    await using session = await createSession(compile({ y: ops.add(x, 1) }), { threads: 1 });
    await session.run({ x: { data, shape: [1, 4] } }, { y: { data, shape: [1, 4] } });
    expect([...data]).toEqual([2, 3, 4, 5]);
  });
});
