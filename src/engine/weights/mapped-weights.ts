/** @file Frozen weights as a session sees them: a folder to map from, and each tensor's place in its file. */
import { basename, dirname } from 'node:path';
import type { ExternalTensor } from '../onnx/emit.ts';
import type { SafetensorsFile } from './safetensors.ts';

/** What a graph's frozen weights are mapped from: for `compile` and for the session's `weightsFolder`. */
export function mappedWeights(file: SafetensorsFile): {
  folder: string;
  tensors: ReadonlyMap<string, ExternalTensor>;
} {
  const location = basename(file.path);
  const tensors = [...file.tensors.values()].map(
    ({ name, byteOffset, byteLength }) =>
      [name, { location, offset: byteOffset, length: byteLength }] as const,
  );
  return { folder: dirname(file.path), tensors: new Map(tensors) };
}
