/** @file The first values of an adapter, drawn by the seed: the same whoever trains it. */
import { randomStream } from '../../base/random.ts';
import type { ParameterShape } from '../../engine/weights/model-parameter.ts';

/**
 * PEFT's start: A uniform in ±1/√in (kaiming_uniform with a = √5), B zero, so that the adapter changes nothing yet.
 * @param values zeros, f32[elements of the matrix], filled in place
 */
export function fillInitial(values: Float32Array, { name, shape }: ParameterShape, seed: number): void {
  if (!name.includes('.lora_A.')) return;
  const random = randomStream(seed, `lora/init/${name}`);
  const bound = 1 / Math.sqrt(shape[1]!);
  for (let i = 0; i < values.length; i++) values[i] = (2 * random.next() - 1) * bound;
}
