/** @file Integer products with a base of 4 and 8 bits: their numbers, worked out here, and the gradient that passes by the rounding. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/base/errors.ts';
import { randomStream } from '../../../src/base/random.ts';
import { vjp } from '../../../src/engine/autodiff/vjp.ts';
import { loadModel } from '../../../src/engine/models/model.ts';
import { frozenParameters } from '../../../src/engine/models/parameters.ts';
import * as ops from '../../../src/engine/ops/operators.ts';
import { type BaseBits, dequantiseRows, quantiseRows } from '../../../src/engine/quantisation/blocks.ts';
import { writingBase } from '../../../src/engine/quantisation/layout.ts';
import { checkBase, withQuantisedBase } from '../../../src/engine/quantisation/quantised-base.ts';
import { evaluate } from '../../../src/engine/runtime/evaluate.ts';
import { scoredHash } from '../../../src/method/scoring/scored-hash.ts';
import { input, largestDifference } from '../../support/engine.ts';
import { logitsOf } from '../../support/logits.ts';
import { writeModelFolder } from '../../support/model-folder.ts';

const [ROWS, INPUTS, OUT, BLOCK] = [5, 96, 40, 32];
const random = randomStream(1, 'tests/integer-products');
const normals = (count: number) => Float32Array.from({ length: count }, () => random.normal());
// One row of zeros, one of outliers.
const x = normals(ROWS * INPUTS).map((value, i) => (i < INPUTS ? 0 : i % 37 === 0 ? 30 * value : value));
const weights = normals(OUT * INPUTS);

function matrixOf(bits: BaseBits, products: 'f32' | 'int8') {
  const { numbers, scales } = quantiseRows(weights, BLOCK, bits);
  const matrix: ops.QuantisedMatrix = {
    bits,
    products,
    blocks: ops.bytes(numbers, 'u8', [OUT, INPUTS / BLOCK, (BLOCK * bits) / 8]),
    rows: ops.bytes(numbers, bits === 4 ? 'u4' : 'u8', [OUT, INPUTS]),
    scales: ops.constant(scales, [OUT, INPUTS / BLOCK]),
  };
  return { matrix, numbers, scales, values: dequantiseRows({ numbers, scales }, BLOCK, bits) };
}

/** Blocks of x in whole steps of their largest magnitude over 127, as the kernel rounds them. */
function roundedBlocks(): Float64Array {
  const rounded = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += BLOCK) {
    const block = x.subarray(start, start + BLOCK);
    const step = block.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
    for (const [i, value] of block.entries())
      rounded[start + i] = step === 0 ? 0 : Math.round(value / step) * step;
  }
  return rounded;
}

/** a · Wᵀ in doubles. */
function productOf(a: ArrayLike<number>, values: Float32Array): Float64Array {
  return Float64Array.from({ length: ROWS * OUT }, (_, at) => {
    const [row, column] = [Math.floor(at / OUT), at % OUT];
    let sum = 0;
    for (let i = 0; i < INPUTS; i++) sum += a[row * INPUTS + i]! * values[column * INPUTS + i]!;
    return sum;
  });
}

describe.each([4, 8] as const)('integer products with a base of %d bits', (bits) => {
  it('are those of rounded blocks, summed exactly', async () => {
    const { matrix, values } = matrixOf(bits, 'int8');
    const y = ops.quantisedProduct(input('x', 'f32', [ROWS, INPUTS]), matrix);
    const { y: result } = await evaluate({ y }, { x: { data: x, shape: [ROWS, INPUTS] } });
    const expected = productOf(roundedBlocks(), values);
    const exact = productOf(x, values);
    // A number that lies half way between two steps may be rounded to either by one unit in the last place of its quotient: then
    // results differ by one step of a block times one weight. Such numbers are none or few among 480; all else is f32 sums.
    const step = (30 * 4) / 127;
    const largestWeight = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const gaps = Array.from(result!.data as Float32Array, (value, i) => Math.abs(value - expected[i]!));
    expect(Math.max(...gaps)).toBeLessThan(step * largestWeight);
    expect(gaps.toSorted((a, b) => a - b)[Math.floor(0.9 * gaps.length)]).toBeLessThan(1e-4);
    // The rounding is there: f32 products are further away than that.
    const off = Array.from(exact, (value, i) => Math.abs(value - expected[i]!));
    expect(off.toSorted((a, b) => a - b)[Math.floor(0.9 * off.length)]).toBeGreaterThan(1e-2);
    expect([...(result!.data as Float32Array).subarray(0, OUT)].every((value) => value === 0)).toBe(true);
  });

  it('have the gradient of the f32 product with the same matrix, bit for bit', async () => {
    const dy = normals(ROWS * OUT);
    const gradientOf = async (products: 'f32' | 'int8') => {
      const variable = input('x', 'f32', [ROWS, INPUTS]);
      const y = ops.quantisedProduct(variable, matrixOf(bits, products).matrix);
      const [dx] = vjp(y, [variable], input('dy', 'f32', [ROWS, OUT]));
      const feeds = { x: { data: x, shape: [ROWS, INPUTS] }, dy: { data: dy, shape: [ROWS, OUT] } };
      return (await evaluate({ dx: dx! }, feeds)).dx!;
    };
    const gradient = await gradientOf('int8');
    expect([...gradient.data]).toEqual([...(await gradientOf('f32')).data]);
    expect(gradient.data.some((value) => value !== 0)).toBe(true);
  });
});

describe('a model over a base with integer products', () => {
  it('gives other logits than in f32, near them, and has another name for its scores', async () => {
    const home = await mkdtemp(join(tmpdir(), 'nextquill-integer-'));
    await writeModelFolder(join(home, 'model'));
    const model = await loadModel(join(home, 'model'), join(home, 'cache'));
    const plain = await withQuantisedBase(model, 8, join(home, 'cache'));
    const integer = await withQuantisedBase(model, 8, join(home, 'cache'), { products: 'int8' });
    // The same file: only products differ.
    expect(integer.quantised.file.path).toBe(plain.quantised.file.path);
    const ids = [5, 17, 42, 3, 60, 8, 8, 21];
    const logits = await logitsOf(plain, ids, frozenParameters(plain.quantised));
    const rounded = await logitsOf(integer, ids, frozenParameters(integer.quantised));
    const scale = Math.max(...[...logits.data].map((value) => Math.abs(Number(value))));
    expect(largestDifference(rounded, logits)).toBeGreaterThan(1e-6 * scale);
    expect(largestDifference(rounded, logits)).toBeLessThan(0.05 * scale);
    // Scores are of the f32 head; texts are written over the same head in 8 bits.
    const written = await logitsOf(integer, ids, frozenParameters(writingBase(integer.quantised)));
    expect(largestDifference(written, rounded)).toBeGreaterThan(1e-6 * scale);
    expect(largestDifference(written, rounded)).toBeLessThan(0.02 * scale);
    expect(writingBase(plain.quantised)).toBe(plain.quantised);
    const names = [model, plain, integer].map((each) => scoredHash({ model: each }));
    expect(new Set(names).size).toBe(3);
  });

  it.each([
    [{ products: 'int8', device: 'webgpu' }, 'config/products'],
    [{ products: 'int8', device: 'auto' }, 'config/products'],
    [{ products: 'int8', engine: 'torch' }, 'config/products'],
    [{ bits: 8, engine: 'torch' }, 'engine/base-bits'],
  ] as const)('is refused where nothing computes it: %j', (asked, code) => {
    expect(() => checkBase(asked)).toThrow(expect.objectContaining({ constructor: ConfigError, code }));
  });

  it.each([{}, { bits: 4, device: 'webgpu' }, { bits: 4, products: 'int8' }, { device: 'cuda' }] as const)(
    'refuses nothing else: %j',
    (asked) => {
      expect(() => checkBase(asked)).not.toThrow();
    },
  );
});
