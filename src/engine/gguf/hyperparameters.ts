/** @file What of a GGUF file's metadata a model's config is made from. */
import type { GgufFile } from './gguf-file.ts';

/** Reads numbers below `ARCHITECTURE.` of the metadata. */
export interface Hyperparameters {
  readonly file: GgufFile;
  readonly architecture: string;
  number(key: string): number;
  optional(key: string): number | undefined;
  /** What each rotary frequency is divided by, where the file has a tensor of them. */
  readonly ropeFactors: Float32Array | undefined;
}
