/** @file The parts of a layer that decoders share, but for attention. */
import { multiplyDims } from '../ops/dimension.ts';
import { mul, recompute, reshape } from '../ops/operators.ts';
import type { Value } from '../ops/value.ts';
import type { Linear } from './parameters.ts';

/**
 * Gated linear unit (SwiGLU with silu): down(activation(gate(x)) ⊙ up(x)); the product is computed again in the backward pass.
 * @param x f32[..., D]
 */
export function gatedFeedForward(
  x: Value,
  gate: Linear,
  up: Linear,
  down: Linear,
  activation: (x: Value) => Value,
): Value {
  return recompute(
    (g, u, ...parameters) => down.apply(mul(activation(g), u), parameters),
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

/** down(activation(up(x))) without a gate; the activation is computed again in the backward pass. @param x f32[..., D] */
export function feedForward(x: Value, up: Linear, down: Linear, activation: (x: Value) => Value): Value {
  return recompute(
    (u, ...parameters) => down.apply(activation(u), parameters),
    up.apply(x),
    ...down.parameters,
  );
}
