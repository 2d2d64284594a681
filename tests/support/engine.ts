/** @file Names of the engine that many tests use together. */
export { input } from '../../src/engine/ops/operators.ts';
export type { OpName, Value } from '../../src/engine/ops/value.ts';

import type { HostTensor } from '../../src/engine/runtime/session.ts';

/** Largest |a − b| / (1 + |b|) of two tensors; NaN and different sizes count as infinite. */
export function largestDifference(a: HostTensor, b: HostTensor): number {
  if (a.data.length !== b.data.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < a.data.length; i++) {
    const expected = Number(b.data[i]);
    const difference = Math.abs(Number(a.data[i]) - expected) / (1 + Math.abs(expected));
    if (!(difference <= worst)) worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return worst;
}

/** Largest |a − b| of two lists of numbers. */
export const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
