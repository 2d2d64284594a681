/** @file Weights that are numbers: a NaN or an infinity is named by its tensor, before it makes every result one. */
import { WeightsError } from '../../base/errors.ts';
import { tensorPieces } from './safetensors.ts';
import type { TensorDirectory } from './tensor-entry.ts';

/** @param name of the tensor, and its file if that is not plain @throws {WeightsError} when a value is NaN or infinite */
export function checkFinite(name: string, values: Float32Array): void {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) throw notFinite(name, values[at]!, at);
}

/**
 * Looks for NaN and infinities in the tensors of a model, such as when its results are none.
 * @param names of the tensors that are looked at
 * @throws {WeightsError} naming the first tensor that has one
 * Cost: one read of the tensors.
 */
export async function checkFiniteWeights(
  { tensors }: TensorDirectory,
  names: Iterable<string>,
): Promise<void> {
  for (const name of names) {
    const entry = tensors.get(name);
    if (entry === undefined) continue;
    let before = 0;
    for await (const piece of tensorPieces(entry)) {
      const at = piece.findIndex((value) => !Number.isFinite(value));
      if (at >= 0) throw notFinite(`${entry.file}: ${name}`, piece[at]!, before + at);
      before += piece.length;
    }
  }
}

const notFinite = (where: string, got: number, at: number) =>
  new WeightsError(`${where}: expected finite numbers, got ${got} at ${at}`, {
    code: 'weights/not-finite',
    hint: 'Download or train the weights again: with such a number every result is NaN.',
  });
