/** @file Opens a model folder for use: its config checked, its weights mapped in f32, its tokenizer loaded. */
import { join } from 'node:path';
import { defaultCacheFolder } from '../../base/cache-folder.ts';
import { WeightsError } from '../../base/errors.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';
import type { QuantisedBase } from '../quantisation/layout.ts';
import { loadTokenizer, type Tokenizer } from '../tokenizer/tokenizer.ts';
import { type ConversionOptions, mappedF32 } from '../weights/f32-cache.ts';
import { weightsFingerprint } from '../weights/fingerprint.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import type { ModelParameter } from '../weights/model-parameter.ts';
import { entryOf } from '../weights/safetensors.ts';
import type { TensorDirectory } from '../weights/tensor-entry.ts';
import type { Architecture } from './architecture.ts';
import type { DecoderConfig } from './hf-config.ts';
import { architectureOf, parseDecoderConfig } from './registry.ts';

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
  /** Names the model in manifests: config, a fingerprint of the weights, and tokenizer. */
  readonly hash: string;
}

/**
 * Opens a folder in Hugging Face's layout.
 * @param options who hears of weights being converted to f32, and how that is stopped
 * @throws {WeightsError} a file is missing, truncated or does not fit the config; the tokenizer does not fit the model
 */
export async function loadModel(
  folder: string,
  cacheFolder = defaultCacheFolder(),
  options: ConversionOptions = {},
): Promise<Model> {
  const opened = await openModelFolder(folder);
  const config = parseDecoderConfig(opened.config, join(folder, 'config.json'));
  const architecture = architectureOf(config);
  const parameters = architecture.parameters(config);
  const stored = withWholeNames(
    opened.weights,
    parameters.map(({ name }) => name),
  );
  for (const { name, shape } of parameters) {
    const { file, shape: found } = entryOf(stored, name);
    if (found.length !== shape.length || found.some((size, axis) => size !== shape[axis]))
      throw new WeightsError(
        `${file}: ${name}: expected shape [${shape.join(', ')}] by config.json, got [${found.join(', ')}]`,
        { code: 'weights/shape', hint: 'Check that the weights belong to the config.json beside them.' },
      );
  }
  const tokenizer = await loadTokenizer(folder);
  if (tokenizer.vocabularySize > config.vocabularySize)
    throw new WeightsError(
      `${join(folder, 'tokenizer.json')}: expected at most ${config.vocabularySize} tokens by config.json, got ${tokenizer.vocabularySize}`,
      { code: 'weights/tokenizer', hint: "Use the model's own tokenizer." },
    );
  const weights = await mappedF32(
    stored,
    cacheFolder,
    parameters.map(({ name }) => name),
    options,
  );
  const fingerprint = await weightsFingerprint(opened.weights);
  const hash = sha256(
    canonicalJson({ config: opened.config, weights: fingerprint, tokenizer: tokenizer.hash }),
  );
  return { folder: opened.path, config, architecture, parameters, tokenizer, weights, hash };
}

/**
 * The tensors by the names of the whole model: files of a model without its head, such as GPT-2's own, leave the first
 * part of the names out.
 */
function withWholeNames(directory: TensorDirectory, names: readonly string[]): TensorDirectory {
  const { path, tensors } = directory;
  const whole = new Map(tensors);
  for (const name of names) {
    const found = tensors.get(name.slice(name.indexOf('.') + 1));
    if (!whole.has(name) && found !== undefined) whole.set(name, { ...found, name });
  }
  return { path, tensors: whole };
}
