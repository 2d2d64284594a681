/** @file Every gradient rule against central differences; on WebGPU too where NEXTQUILL_WEBGPU=1. */
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/base/random.ts';
import { checkGradient } from '../../../src/engine/autodiff/gradient-check.ts';
import { vjpRules } from '../../../src/engine/autodiff/rules.ts';
import { vjp } from '../../../src/engine/autodiff/vjp.ts';
import * as ops from '../../../src/engine/ops/operators.ts';
import { evaluate } from '../../../src/engine/runtime/evaluate.ts';
import type { HostTensor } from '../../../src/engine/runtime/session.ts';
import { testedDevices } from '../../support/devices.ts';
import { input, type OpName, type Value } from '../../support/engine.ts';

interface Case {
  readonly op: OpName;
  readonly of: string;
  /** Variables by name: shape, and the range that values are drawn from. */
  readonly variables: Readonly<Record<string, { shape: number[]; from?: number; to?: number }>>;
  readonly fixed?: Readonly<Record<string, HostTensor>>;
  readonly build: (v: Record<string, Value>) => Value;
}

const x = { shape: [3, 4] };
const positive = { shape: [3, 4], from: 0.5, to: 2 };
const i64 = (...values: number[]): HostTensor => ({
  data: BigInt64Array.from(values, BigInt),
  shape: [values.length],
});

const unary = (op: OpName, build: (x: Value) => Value, range = x): Case => ({
  op,
  of: op,
  variables: { x: range },
  build: (v) => build(v.x!),
});

const binary = (op: OpName, build: (a: Value, b: Value) => Value, b = { shape: [3, 4] }): Case => ({
  op,
  of: `${op} of [3, 4] and [${b.shape}]`,
  variables: { x, b },
  build: (v) => build(v.x!, v.b!),
});

const products = [false, true].flatMap((transA) =>
  [false, true].map((transB) => ({ transA, transB, alpha: 0.7 })),
);
const angles = Float32Array.from({ length: 10 }, (_, i) => 0.3 * i + 0.1);

/** A matrix [5, 32] in blocks of 16. */
function quantisedMatrix(bits: 4 | 8): ops.QuantisedMatrix {
  const size = 2 * bits;
  const data = Uint8Array.from({ length: 10 * size }, (_, i) => (i * 7919) % 256);
  return {
    bits,
    blocks: ops.bytes(data, 'u8', [5, 2, size]),
    rows: ops.bytes(data, bits === 4 ? 'u4' : 'u8', [5, 32]),
    scales: ops.constant(
      Float32Array.from({ length: 10 }, (_, i) => (0.01 + 0.002 * i) * (bits === 4 ? 8 : 1)),
      [5, 2],
    ),
  };
}

const cases: Case[] = [
  binary('add', ops.add),
  binary('add', ops.add, { shape: [1, 4] }),
  binary('add', ops.add, { shape: [] }),
  binary('sub', ops.sub, { shape: [4] }),
  binary('mul', ops.mul, { shape: [3, 1] }),
  { op: 'div', of: 'div', variables: { x, b: positive }, build: (v) => ops.div(v.x!, v.b!) },
  {
    op: 'div',
    of: 'div by a row',
    variables: { x, b: { shape: [4], from: 0.5, to: 2 } },
    build: (v) => ops.div(v.x!, v.b!),
  },
  binary('maximum', ops.maximum),
  binary('minimum', ops.minimum),
  {
    op: 'where',
    of: 'where, broadcasting both branches',
    variables: { x, b: { shape: [1, 4] } },
    build: (v) => ops.where(ops.greater(v.x!, 0.1), v.x!, v.b!),
  },
  unary('neg', ops.neg),
  unary('exp', ops.exp),
  unary('log', ops.log, positive),
  unary('sqrt', ops.sqrt, positive),
  unary('tanh', ops.tanh),
  unary('sigmoid', ops.sigmoid),
  unary('silu', ops.silu),
  unary('gelu', ops.gelu),
  unary('geluTanh', ops.geluTanh),
  {
    op: 'dropout',
    of: 'dropout',
    variables: { x },
    fixed: { rows: i64(-7, 1234567, 99), columns: i64(5, -2000000001, 77777777, 13) },
    build: (v) => ops.dropout(ops.mul(v.x!, v.x!), v.rows!, v.columns!, 0.4),
  },
  unary('barrier', (v) => ops.barrier(ops.mul(v, v), ops.exp(v))),
  {
    op: 'recompute',
    of: 'recompute of a chain with two inputs',
    variables: { x, b: x },
    build: (v) =>
      ops.exp(ops.recompute((a, b) => ops.mul(ops.tanh(a), ops.silu(b)), v.x!, ops.mul(v.b!, v.x!))),
  },
  unary('reduceSum', (v) => ops.reduceSum(ops.mul(v, v), [0])),
  unary('reduceSum', (v) => ops.reduceSum(ops.mul(v, v), [-1], true)),
  unary('reduceMax', (v) => ops.reduceMax(ops.mul(v, v), [0])),
  unary('reduceMax', (v) => ops.reduceMax(ops.mul(v, v), [-1], true)),
  unary('softmax', ops.softmax),
  unary('logSoftmax', ops.logSoftmax),
  {
    op: 'selectedLogProbability',
    of: 'selectedLogProbability',
    variables: { x },
    fixed: { targets: i64(2, 0, 2) },
    build: (v) => ops.selectedLogProbability(v.x!, v.targets!),
  },
  {
    op: 'rmsNorm',
    of: 'rmsNorm',
    variables: { x: { shape: [2, 3, 4] }, b: { shape: [4] } },
    build: (v) => ops.rmsNorm(v.x!, v.b!, 1e-5),
  },
  {
    op: 'layerNorm',
    of: 'layerNorm',
    variables: { x: { shape: [2, 3, 4] }, b: { shape: [4] }, c: { shape: [4] } },
    build: (v) => ops.layerNorm(v.x!, v.b!, v.c!, 1e-5),
  },
  ...products.map(
    (p): Case => ({
      op: 'gemm',
      of: `gemm transA=${p.transA} transB=${p.transB} with a row added`,
      variables: {
        x: { shape: p.transA ? [4, 3] : [3, 4] },
        b: { shape: p.transB ? [5, 4] : [4, 5] },
        c: { shape: [5] },
      },
      build: (v) => ops.gemm(v.x!, v.b!, { ...p, c: v.c! }),
    }),
  ),
  ...products.map(
    (p): Case => ({
      op: 'matmul',
      of: `matmul transA=${p.transA} transB=${p.transB}`,
      variables: {
        x: { shape: [2, ...(p.transA ? [4, 3] : [3, 4])] },
        b: { shape: [2, ...(p.transB ? [5, 4] : [4, 5])] },
      },
      build: (v) => ops.matmul(v.x!, v.b!, p),
    }),
  ),
  ...([4, 8] as const).flatMap((bits) =>
    [false, true].map(
      (transposed): Case => ({
        op: 'quantisedProduct',
        of: `quantisedProduct of ${bits} bits, transposed=${transposed}`,
        variables: { x: { shape: [3, transposed ? 5 : 32] } },
        build: (v) => ops.quantisedProduct(v.x!, quantisedMatrix(bits), transposed),
      }),
    ),
  ),
  {
    op: 'attend',
    of: 'attend with two query heads to a group and a hidden key',
    variables: {
      query: { shape: [2, 2, 6, 4] },
      key: { shape: [2, 2, 5, 4] },
      value: { shape: [2, 2, 5, 4] },
    },
    fixed: {
      bias: {
        data: Float32Array.from({ length: 30 }, (_, i) => (i % 7 === 3 ? -1e30 : 0.1 * (i % 4))),
        shape: [2, 1, 1, 3, 5],
      },
    },
    build: (v) => ops.attend(v.query!, v.key!, v.value!, v.bias!, { group: 2, scale: 0.7 }),
  },
  unary('reshape', (v) => ops.reshape(ops.mul(v, v), [2, 6])),
  {
    op: 'expand',
    of: 'expand',
    variables: { x: { shape: [3, 1] } },
    build: (v) => ops.expand(ops.mul(v.x!, v.x!), [2, 3, 4]),
  },
  {
    op: 'transpose',
    of: 'transpose of three axes',
    variables: { x: { shape: [2, 3, 4] } },
    build: (v) => ops.transpose(ops.mul(v.x!, v.x!), [1, 2, 0]),
  },
  unary('slice', (v) => ops.slice(ops.mul(v, v), 1, 1, 3)),
  unary('slice', (v) => ops.slice(ops.mul(v, v), 0, 0, 2)),
  {
    op: 'concat',
    of: 'concat',
    variables: { x, b: { shape: [3, 2] } },
    build: (v) => ops.concat([v.x!, v.b!, v.x!], 1),
  },
  {
    op: 'gatherRows',
    of: 'gatherRows with repeated rows',
    variables: { x },
    fixed: { indices: i64(2, 0, 2, 2, 1) },
    build: (v) => ops.gatherRows(v.x!, v.indices!),
  },
  {
    op: 'scatterAddRows',
    of: 'scatterAddRows with repeated rows',
    variables: { x, b: { shape: [4, 4] } },
    fixed: { indices: i64(2, 0, 2, 2) },
    build: (v) => ops.scatterAddRows(v.x!, v.indices!, v.b!),
  },
  {
    op: 'gatherElements',
    of: 'gatherElements',
    variables: { x },
    fixed: { indices: { data: BigInt64Array.of(1n, 3n, 0n, 0n, 2n, 1n), shape: [3, 2] } },
    build: (v) => ops.gatherElements(v.x!, v.indices!),
  },
  {
    op: 'scatterAddElements',
    of: 'scatterAddElements',
    variables: { x, b: { shape: [3, 2] } },
    fixed: { indices: { data: BigInt64Array.of(1n, 1n, 0n, 0n, 2n, 1n), shape: [3, 2] } },
    build: (v) => ops.scatterAddElements(v.x!, v.indices!, v.b!),
  },
  {
    op: 'rotary',
    of: 'rotary with two heads',
    variables: { x: { shape: [2, 3, 8] } },
    fixed: {
      positions: { data: BigInt64Array.of(0n, 1n, 2n, 4n, 3n, 2n), shape: [2, 3] },
      cosines: { data: angles.map(Math.cos), shape: [5, 2] },
      sines: { data: angles.map(Math.sin), shape: [5, 2] },
    },
    build: (v) => ops.rotary(v.x!, v.positions!, v.cosines!, v.sines!, 2),
  },
];

/** Central differences in f32 with a step of 1e-3: rounding of about 1e-7/1e-3, curvature of about 1e-6. */
const TOLERANCE = 2e-3;

describe.each(testedDevices)('gradient rules on %s', (device) => {
  it.each(cases)('$of agrees with central differences', async ({ op, variables, fixed = {}, build }) => {
    const random = randomStream(7, op);
    const draw = (shape: readonly number[], from = -1, to = 1): HostTensor => {
      const size = shape.reduce((a, b) => a * b, 1);
      return { data: Float32Array.from({ length: size }, () => from + (to - from) * random.next()), shape };
    };
    const feeds: Record<string, HostTensor> = { ...fixed };
    for (const [name, { shape, from, to }] of Object.entries(variables)) feeds[name] = draw(shape, from, to);
    const values = Object.fromEntries(
      Object.entries(feeds).map(([name, { data, shape }]) => [
        name,
        input(name, data instanceof Float32Array ? 'f32' : 'i64', shape),
      ]),
    );
    const output = build(values);
    feeds.cotangent = draw(output.shape as number[]);
    const cotangent = input('cotangent', 'f32', output.shape);
    const wanted = Object.fromEntries(Object.keys(variables).map((name) => [name, values[name]!]));
    const check = await checkGradient(output, wanted, cotangent, feeds, { device });
    expect(check.checked).toBeGreaterThan(0);
    expect(check.worst, check.where).toBeLessThan(TOLERANCE);
  });

  it('shares the gradient of a largest value equally at a tie', async () => {
    const variable = input('x', 'f32', [2, 3]);
    const [gradient] = vjp(ops.reduceSum(ops.reduceMax(variable, [1]), [0]), [variable]);
    const data = Float32Array.of(1, 3, 3, 2, 0, -1);
    const { dx } = await evaluate({ dx: gradient! }, { x: { data, shape: [2, 3] } });
    expect([...(dx!.data as Float32Array)]).toEqual([0, 0.5, 0.5, 1, 0, 0]);
  });

  it('covers every operator that carries a gradient', () => {
    const without: OpName[] = [
      'input',
      'weight',
      'constant',
      'greater',
      'lessEqual',
      'and',
      'cast',
      'stopGradient',
      'cachedAttention',
    ];
    const covered = new Set<string>([...cases.map((c) => c.op), ...without]);
    expect(Object.keys(vjpRules).filter((op) => !covered.has(op))).toEqual([]);
  });
});
