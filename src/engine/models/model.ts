/** @file Opens a model folder for use: its config checked, its weights mapped in f32, its tokenizer loaded. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WeightsError } from '../../base/errors.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';
import { loadTokenizer, type Tokenizer } from '../tokenizer/tokenizer.ts';
import { mappedF32 } from '../weights/f32-cache.ts';
import { weightsFingerprint } from '../weights/fingerprint.ts';
import { fileWithTensor, openModelFolder } from '../weights/model-folder.ts';
import type { SafetensorsFile } from '../weights/safetensors.ts';
import type { Architecture } from './architecture.ts';
import type { DecoderConfig } from './hf-config.ts';
import type { ModelParameter } from './parameters.ts';
import { architectureOf, parseDecoderConfig } from './registry.ts';

/** A decoder ready to be compiled into graphs. Holds no memory of its own: weights stay in their file. */
export interface Model {
  readonly folder: string;
  readonly config: DecoderConfig;
  readonly architecture: Architecture;
  readonly parameters: readonly ModelParameter[];
  readonly tokenizer: Tokenizer;
  /** The f32 file that sessions map. */
  readonly weights: SafetensorsFile;
  /** Names the model in manifests: config, a fingerprint of the weights, and tokenizer. */
  readonly hash: string;
}

/** Where converted weights are kept. */
export function defaultCacheFolder(): string {
  return process.env.NEXTQUILL_CACHE ?? join(tmpdir(), 'nextquill-cache');
}

/**
 * Opens a folder in Hugging Face's layout.
 * @throws {WeightsError} a file is missing, truncated or does not fit the config; the tokenizer does not fit the model
 */
export async function loadModel(folder: string, cacheFolder = defaultCacheFolder()): Promise<Model> {
  const opened = await openModelFolder(folder);
  const config = parseDecoderConfig(opened.config, join(folder, 'config.json'));
  const architecture = architectureOf(config);
  const parameters = architecture.parameters(config);
  for (const { name, shape } of parameters) {
    const file = fileWithTensor(opened, name);
    const found = file.tensors.get(name)!.shape;
    if (found.length !== shape.length || found.some((size, axis) => size !== shape[axis]))
      throw new WeightsError(
        `${file.path}: ${name}: expected shape [${shape.join(', ')}] by config.json, got [${found.join(', ')}]`,
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
    opened.weights[0]!,
    cacheFolder,
    parameters.map(({ name }) => name),
  );
  const fingerprint = await weightsFingerprint(opened.weights[0]!);
  const hash = sha256(
    canonicalJson({ config: opened.config, weights: fingerprint, tokenizer: tokenizer.hash }),
  );
  return { folder: opened.path, config, architecture, parameters, tokenizer, weights, hash };
}
