/** @file The peak of a graph by sizes alone, where it can be counted by hand. */
import { expect, it } from 'vitest';
import { vjp } from '../../../src/engine/autodiff/vjp.ts';
import { peakBytes } from '../../../src/engine/memory/liveness.ts';
import * as ops from '../../../src/engine/ops/operators.ts';
import type { Value } from '../../../src/engine/ops/value.ts';

const x = ops.input('x', 'f32', ['B', 10]);
const w = ops.input('w', 'f32', [10, 10]);
const sizes = (batch: number) => new Map([['B', batch]]);
/** Bytes of one value f32[B, 10]. */
const one = (batch: number) => 4 * 10 * batch;
const sum = (value: Value) => ops.reduceSum(value, [0, 1]);

it('is two values for a chain of products, whatever its length, and grows with the batch', () => {
  const chain = (length: number) => ({
    y: sum(Array.from({ length }).reduce<Value>((value) => ops.gemm(value, w), x)),
  });
  expect(peakBytes(chain(3), sizes(100))).toBe(2 * one(100));
  expect(peakBytes(chain(9), sizes(100))).toBe(2 * one(100));
  expect(peakBytes(chain(9), sizes(300))).toBe(2 * one(300));
});

it('counts a result in its operand’s place as nothing, unless the operand is read again', () => {
  const product = ops.gemm(x, w);
  expect(peakBytes({ y: sum(ops.tanh(product)) }, sizes(7))).toBe(one(7));
  expect(peakBytes({ y: sum(ops.mul(ops.tanh(product), product)) }, sizes(7))).toBe(2 * one(7));
});

it('leaves out inputs, outputs and what only has another shape', () => {
  expect(peakBytes({ y: ops.gemm(x, w) }, sizes(7))).toBe(0);
  expect(peakBytes({ y: sum(ops.reshape(ops.gemm(x, w), ['10*B', 1])) }, sizes(7))).toBe(one(7));
});

it('grows by what each layer keeps for the gradient, and by its input alone where the layer is computed again', () => {
  const peakOf = (length: number, isAgain: boolean) => {
    const weights = Array.from({ length }, (_, i) => ops.input(`w${i}`, 'f32', [10, 10]));
    const block = (value: Value, weight: Value) =>
      [1, 2, 3].reduce((y) => ops.tanh(ops.gemm(y, weight)), value);
    const loss = sum(
      weights.reduce(
        (y, weight) => (isAgain ? ops.recompute((v) => block(v!, weight), y, weight) : block(y, weight)),
        x,
      ),
    );
    const gradients = vjp(loss, weights).map((gradient, i) => [`gradient${i}`, gradient]);
    return peakBytes(Object.fromEntries(gradients), sizes(1000));
  };
  const growth = (isAgain: boolean) => (peakOf(12, isAgain) - peakOf(6, isAgain)) / 6;
  expect(growth(false)).toBe(3 * one(1000));
  expect(growth(true)).toBe(one(1000));
});
