/** @file The parts of a layer that decoders share, except for attention. */
import { multiplyDims } from '../ops/dimension.ts';
import { input, mul, recompute, reshape } from '../ops/operators.ts';
import { nodesInOrder, type Value } from '../ops/value.ts';
import type { DecoderInputs } from './architecture.ts';
import type { Linear } from './parameters.ts';

/**
 * One layer of a decoder: `body(x)`. Where the pass asks for it, x alone is kept for the backward pass, which computes the
 * layer again when its turn has come.
 * @param x f32[..., D], all that one layer has from the one before
 */
export function decoderLayer(
  { recompute: isComputedAgain = false }: DecoderInputs,
  x: Value,
  body: (x: Value) => Value,
): Value {
  if (!isComputedAgain) return body(x);
  // Built once over a stand-in to find what the layer reads: its trained parameters are inputs of the graph.
  const standIn = input('x', x.dtype, x.shape);
  const parameters = nodesInOrder([body(standIn)])
    .filter(({ op }) => op === 'input')
    .map(({ outputs }) => outputs[0]!)
    .filter((value) => value !== standIn && value.dtype === 'f32');
  return recompute((again) => body(again!), x, ...parameters);
}

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
