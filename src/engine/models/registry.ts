/** @file The table of architectures by Hugging Face's model_type. Adding a model is one file and one row. */
import { nearestName, WeightsError } from '../../base/errors.ts';
import type { Architecture } from './architecture.ts';
import { gemma3Text } from './gemma3.ts';
import { gpt2 } from './gpt2.ts';
import { configKeys, type DecoderConfig, type Json, refuseForeignFeatures } from './hf-config.ts';
import { llama } from './llama.ts';
import { qwen2 } from './qwen2.ts';
import { qwen3 } from './qwen3.ts';

export const architectures: Readonly<Record<string, Architecture>> = {
  gemma3_text: gemma3Text,
  gpt2,
  llama,
  qwen2,
  qwen3,
};

/**
 * The decoder that a config.json describes.
 * @param where the file, for messages
 * @throws {WeightsError} for an unknown model_type, a missing or malformed key, or a value that we do not implement
 */
export function parseDecoderConfig(json: unknown, where: string): DecoderConfig {
  if (json === null || typeof json !== 'object' || Array.isArray(json))
    throw new WeightsError(
      `${where}: expected a JSON object, got ${Array.isArray(json) ? 'an array' : json === null ? 'null' : `a ${typeof json}`}`,
      { code: 'config/type', hint: "Use the model's own config.json." },
    );
  const { model_type: type } = json as Json;
  const names = Object.keys(architectures);
  if (typeof type !== 'string' || !names.includes(type)) {
    const near = typeof type === 'string' ? nearestName(type, names) : undefined;
    throw new WeightsError(
      `${where}: model_type: expected one of ${names.join(', ')}, got ${JSON.stringify(type) ?? 'nothing'}`,
      {
        code: 'config/model-type',
        hint: `Use a model of a supported architecture${near === undefined ? '' : `, such as ${near}`}.`,
      },
    );
  }
  const keys = configKeys(json as Json, where);
  refuseForeignFeatures(keys);
  return architectures[type]!.config(keys);
}

/** The architecture of a config that {@link parseDecoderConfig} made. */
export function architectureOf(config: DecoderConfig): Architecture {
  return architectures[config.modelType]!;
}
