/** @file The parts of a layer that decoders share, but for attention. */
import { multiplyDims } from '../ops/dimension.ts';
import { mul, recompute, reshape, silu } from '../ops/operators.ts';
import type { Value } from '../ops/value.ts';
import type { Linear } from './parameters.ts';

/**
 * SwiGLU: down(silu(gate(x)) ⊙ up(x)); the product is computed again in the backward pass.
 * @param x f32[..., D]
 */
export function gatedFeedForward(x: Value, gate: Linear, up: Linear, down: Linear): Value {
  return recompute(
    (g, u, ...parameters) => down.apply(mul(silu(g), u), parameters),
    gate.apply(x),
    up.apply(x),
    ...down.parameters,
  );
}

/** @param x f32[B, T, D] @returns f32[B · T, D] */
export function foldRows(x: Value): Value {
  const [batch, length, width] = x.shape as [number, number, number];
  return reshape(x, [multiplyDims(batch, length), width]);
}
