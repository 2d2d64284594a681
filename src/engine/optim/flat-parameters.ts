/** @file Trainable parameters as one flat buffer each of weights, gradients and moments, with a view for each tensor. */

import type { HostTensor } from '../runtime/session.ts';
import type { ParameterShape } from '../weights/model-parameter.ts';

/** A tensor's place in the flat buffers. */
export interface FlatTensor extends ParameterShape {
  readonly offset: number;
  readonly size: number;
}

/**
 * The trained state. Matrices come first, so that those with weight decay are one stretch `[0, decayed)` and the
 * optimizer runs over long slices whatever the tensors are.
 */
export interface FlatParameters {
  readonly tensors: readonly FlatTensor[];
  /** Number of leading elements that weight decay applies to: tensors of two or more axes. */
  readonly decayed: number;
  readonly size: number;
  readonly weights: Float32Array;
  readonly gradients: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
  /** Moving average of the weights, where one is kept. */
  readonly average?: Float32Array;
}

/** Elements that tensors are aligned to: 64 bytes, a cache line. */
const ALIGNMENT = 16;

/** Zeroed buffers for tensors of these names and shapes; one more where a moving average is to be kept. */
export function flatParameters(shapes: readonly ParameterShape[], averages = false): FlatParameters {
  const tensors: FlatTensor[] = [];
  let size = 0;
  let decayed = 0;
  for (const decays of [true, false]) {
    for (const { name, shape } of shapes) {
      if (shape.length >= 2 !== decays) continue;
      const elements = shape.reduce((a, b) => a * b, 1);
      tensors.push({ name, shape, offset: size, size: elements });
      size += Math.ceil(elements / ALIGNMENT) * ALIGNMENT;
    }
    if (decays) decayed = size;
  }
  const buffer = () => new Float32Array(size);
  return {
    tensors,
    decayed,
    size,
    weights: buffer(),
    gradients: buffer(),
    firstMoment: buffer(),
    secondMoment: buffer(),
    ...(averages ? { average: buffer() } : {}),
  };
}

/** Views of one flat buffer by tensor name, each name with `prefix` before it; writing to a view writes to the buffer. */
export function viewsOf(
  { tensors }: FlatParameters,
  buffer: Float32Array,
  prefix = '',
): Record<string, HostTensor & { readonly data: Float32Array }> {
  return Object.fromEntries(
    tensors.map(({ name, shape, offset, size }) => [
      prefix + name,
      { data: buffer.subarray(offset, offset + size), shape },
    ]),
  );
}
