/** @file Reads Hugging Face's config.json: what a decoder of the Llama family is made of, and what we refuse. */
import { WeightsError } from '../../base/errors.ts';

/** How a layer attends: to all tokens before, or to the last of them. */
export type LayerType = 'full' | 'sliding';

/** One rotary embedding: its angles are p · θ^(−2i/E). */
export interface RotaryConfig {
  readonly theta: number;
}

/** The numbers that fix a decoder's shape; names of Hugging Face's keys in camel case. */
export interface DecoderConfig {
  readonly modelType: string;
  readonly vocabularySize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly normEpsilon: number;
  /** The rotary embedding of each type of layer; a type that is absent uses that of `full`. None for learned positions. */
  readonly rotary: Partial<Readonly<Record<LayerType, RotaryConfig>>>;
  /** The type of each layer. */
  readonly layerTypes: readonly LayerType[];
  /** Tokens that a query of a sliding layer sees, itself counted. */
  readonly slidingWindow?: number;
  /** Longest sequence that the model was made for, tokens. */
  readonly maxPositions: number;
  /** Whether the head is the embedding table. */
  readonly tiedHead: boolean;
}

type Json = Readonly<Record<string, unknown>>;

/** What each model_type accepts: a key with another value than these changes the mathematics, and is refused. */
const requiredValues: Readonly<Record<string, readonly unknown[]>> = {
  hidden_act: ['silu', undefined],
  attention_bias: [false, undefined],
  mlp_bias: [false, undefined],
  rope_scaling: [null, undefined],
  pretraining_tp: [1, undefined],
  sliding_window: [null, undefined],
};

const supportedTypes = ['llama'];

/**
 * The decoder that a config.json describes.
 * @param where the file, for messages
 * @throws {WeightsError} for an unknown model_type, a missing or malformed key, or a value that we do not implement
 */
export function parseDecoderConfig(json: unknown, where: string): DecoderConfig {
  if (json === null || typeof json !== 'object')
    throw new WeightsError(`${where}: expected a JSON object`, { code: 'config/type' });
  const config = json as Json;
  if (!supportedTypes.includes(config.model_type as string))
    throw new WeightsError(
      `${where}: model_type: expected one of ${supportedTypes.join(', ')}, got ${JSON.stringify(config.model_type)}`,
      { code: 'config/model-type', hint: 'Use a model of a supported architecture.' },
    );
  for (const [key, allowed] of Object.entries(requiredValues)) {
    if (!allowed.includes(config[key]))
      throw new WeightsError(
        `${where}: ${key}: expected ${JSON.stringify(allowed[0])}, got ${JSON.stringify(config[key])}, which is not implemented`,
        { code: 'config/unsupported', hint: 'Use a model without this feature.' },
      );
  }
  const number = (key: string, fallback?: number): number => {
    const value = config[key] ?? fallback;
    if (typeof value !== 'number' || !(value > 0))
      throw new WeightsError(
        `${where}: ${key}: expected a positive number, got ${JSON.stringify(config[key])}`,
        {
          code: 'config/value',
        },
      );
    return value;
  };
  const heads = number('num_attention_heads');
  const hiddenSize = number('hidden_size');
  const keyValueHeads = number('num_key_value_heads', heads);
  if (heads % keyValueHeads !== 0)
    throw new WeightsError(
      `${where}: num_attention_heads (${heads}) must be divisible by num_key_value_heads (${keyValueHeads})`,
      { code: 'config/value' },
    );
  // transformers 5 writes the base into rope_parameters, earlier versions into rope_theta.
  const rope = (config.rope_parameters ?? {}) as Json;
  if (rope.rope_type !== undefined && rope.rope_type !== 'default')
    throw new WeightsError(
      `${where}: rope_parameters.rope_type: expected "default", got ${JSON.stringify(rope.rope_type)}`,
      {
        code: 'config/unsupported',
        hint: 'Use a model without scaled rotary embeddings.',
      },
    );
  const ropeTheta = (config.rope_theta ?? rope.rope_theta ?? 10000) as number;
  return {
    modelType: config.model_type as string,
    vocabularySize: number('vocab_size'),
    hiddenSize,
    intermediateSize: number('intermediate_size'),
    layers: number('num_hidden_layers'),
    layerTypes: new Array<LayerType>(number('num_hidden_layers')).fill('full'),
    heads,
    keyValueHeads,
    headSize: number('head_dim', hiddenSize / heads),
    normEpsilon: number('rms_norm_eps', 1e-6),
    rotary: { full: { theta: ropeTheta } },
    maxPositions: number('max_position_embeddings', 2048),
    tiedHead: config.tie_word_embeddings === true,
  };
}
