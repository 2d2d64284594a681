/** @file Opens a model folder for use: its config checked, its weights mapped in f32, its tokenizer loaded. */
import { join } from 'node:path';
import { defaultCacheFolder } from '../../base/cache-folder.ts';
import type { Device } from '../../base/device.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';
import type { QuantisedBase } from '../quantisation/layout.ts';
import type { ComputeThread } from '../runtime/compute-thread.ts';
import { loadTokenizer, type Tokenizer } from '../tokenizer/tokenizer.ts';
import { type ConversionOptions, mappedF32 } from '../weights/f32-cache.ts';
import { weightsFingerprint } from '../weights/fingerprint.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import type { ModelParameter } from '../weights/model-parameter.ts';
import type { TensorDirectory } from '../weights/tensor-entry.ts';
import type { Architecture } from './architecture.ts';
import type { DecoderConfig } from './hf-config.ts';
import type { ModelWorker } from './model-worker.ts';
import { architectureOf, parseDecoderConfig } from './registry.ts';
import { storedParameters } from './stored-parameters.ts';

/** A decoder ready to be compiled into graphs. Holds no memory of its own: weights stay in their file. */
export interface Model {
  readonly folder: string;
  readonly config: DecoderConfig;
  readonly architecture: Architecture;
  readonly parameters: readonly ModelParameter[];
  readonly tokenizer: Tokenizer;
  /** The tensors that sessions map, in one file or several; all parameters are F32. */
  readonly weights: TensorDirectory;
  /** In place of f32 linear layers, where the base is kept in fewer bits: see withQuantisedBase. */
  readonly quantised?: QuantisedBase;
  /** What its graphs run on; the processor where absent. */
  readonly device?: Device;
  /** Where its graphs are compiled and run; this thread where absent. */
  readonly thread?: Pick<ComputeThread, 'createSession' | 'allocate' | 'keep' | 'isAlive'>;
  /** Computes the model in place of graphs of this package, which it then cannot be compiled into. */
  readonly worker?: ModelWorker;
  /** Names the model in manifests: config, a fingerprint of the weights, and tokenizer. */
  readonly hash: string;
}

export interface LoadModelOptions extends ConversionOptions {
  /** Leaves the weights in their dtype: for a worker, which reads them itself. */
  readonly asStored?: boolean;
  /** Told of tensors that are not part of the model, and of a head that is not the one of the config. */
  readonly onWarning?: (message: string) => void;
}

/**
 * Opens a folder in Hugging Face's layout.
 * @param options who hears of weights being converted to f32 and of tensors that are not used, and how that is stopped
 * @throws {WeightsError} a file is missing, truncated or does not fit the config; the tokenizer does not fit the model
 */
export async function loadModel(
  folder: string,
  cacheFolder = defaultCacheFolder(),
  options: LoadModelOptions = {},
): Promise<Model> {
  const opened = await openModelFolder(folder);
  const parsed = parseDecoderConfig(opened.config, join(folder, 'config.json'));
  const architecture = architectureOf(parsed);
  const { config, parameters, tensors } = await storedParameters(
    opened.weights,
    parsed,
    architecture,
    options.onWarning,
  );
  const tokenizer = await loadTokenizer(folder, config.vocabularySize);
  for (const warning of tokenizer.warnings) options.onWarning?.(warning);
  const names = parameters.map(({ name }) => name);
  const weights = options.asStored ? tensors : await mappedF32(tensors, cacheFolder, names, options);
  const fingerprint = await weightsFingerprint(opened.weights, cacheFolder, options);
  const hash = sha256(
    canonicalJson({ config: opened.config, weights: fingerprint, tokenizer: tokenizer.hash }),
  );
  return { folder: opened.path, config, architecture, parameters, tokenizer, weights, hash };
}
