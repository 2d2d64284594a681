/** @file Frozen weights as a session sees them: a folder to map from, and each tensor's place below it. */
import { dirname, isAbsolute, relative, sep } from 'node:path';
import { WeightsError } from '../../base/errors.ts';
import type { ExternalTensor } from '../onnx/emit.ts';
import type { TensorDirectory } from './tensor-entry.ts';

/**
 * What a graph's frozen weights are mapped from: for `compile` and for the session's `weightsFolder`.
 *
 * ONNX Runtime takes one folder a session, and names of files below it. Where the files of a model lie in several
 * folders (shards beside their converted copies, links of the hub's cache), it is the nearest folder above all of them.
 * @throws {WeightsError} when the files lie on two drives, which have no folder above them
 */
export function mappedWeights({ path, tensors }: TensorDirectory): {
  folder: string;
  tensors: ReadonlyMap<string, ExternalTensor>;
} {
  const files = [...new Set([...tensors.values()].map(({ file }) => file))];
  const folder = files.map(dirname).reduce(
    (above, other) => {
      let common = above;
      while (!isBelow(common, other)) {
        const next = dirname(common);
        if (next === common)
          throw new WeightsError(`${path}: expected weights on one drive, got ${above} and ${other}`, {
            code: 'weights/two-drives',
            hint: 'Set NEXTQUILL_CACHE to a folder on the drive of the model.',
          });
        common = next;
      }
      return common;
    },
    dirname(files[0] ?? path),
  );
  const locations = new Map(files.map((file) => [file, relative(folder, file).replaceAll(sep, '/')]));
  return {
    folder,
    tensors: new Map(
      [...tensors].map(([name, { file, byteOffset, byteLength }]) => [
        name,
        { location: locations.get(file)!, offset: byteOffset, length: byteLength },
      ]),
    ),
  };
}

function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return !isAbsolute(way) && way !== '..' && !way.startsWith(`..${sep}`);
}
