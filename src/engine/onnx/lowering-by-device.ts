/**
 * @file Operators that the WebGPU provider does not have, made of those that it has: left to the processor, each would copy
 * the largest tensors of a pass to and fro.
 */
import { type Emitter, MICROSOFT } from './emit.ts';

/** α · op(A) · op(B) over leading axes that both have. */
interface Product {
  readonly a: string;
  readonly b: string;
  readonly rank: number;
  readonly transA: boolean;
  readonly transB: boolean;
  readonly alpha: number;
}

export function matmul(emit: Emitter, product: Product, output: string): void {
  const { a, b, rank, transA, transB, alpha } = product;
  if (emit.device !== 'webgpu') {
    const attributes = { transA: { int: Number(transA) }, transB: { int: Number(transB) }, alpha };
    emit.node('FusedMatMul', [a, b], [output], attributes, MICROSOFT);
    return;
  }
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  const perm = [...axes.slice(0, -2), rank - 1, rank - 2];
  const turned = (x: string, isTurned: boolean) => (isTurned ? emit.call('Transpose', [x], { perm }) : x);
  const factors = [turned(a, transA), turned(b, transB)];
  if (alpha === 1) emit.node('MatMul', factors, [output]);
  else emit.node('Mul', [emit.call('MatMul', factors), emit.floats(Float32Array.of(alpha), [])], [output]);
}

/** Over the last axis. */
export function logSoftmax(emit: Emitter, x: string, output: string): void {
  if (emit.device !== 'webgpu') {
    emit.node('LogSoftmax', [x], [output], { axis: { int: -1 } });
    return;
  }
  const reduced = (type: string, y: string) =>
    emit.call(type, [y, emit.integers([-1])], { keepdims: { int: 1 } });
  const below = emit.call('Sub', [x, reduced('ReduceMax', x)]);
  const sum = emit.call('Log', [reduced('ReduceSum', emit.call('Exp', [below]))]);
  emit.node('Sub', [below, sum], [output]);
}
