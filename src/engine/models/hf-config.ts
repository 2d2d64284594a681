/** @file Hugging Face's config.json: the numbers that fix a decoder, and the reader that checks and refuses keys by name. */
import { WeightsError } from '../../base/errors.ts';

/** How a layer attends: to all tokens before, or to the last of them. */
export type LayerType = 'full' | 'sliding';

/** One rotary embedding: θ, and how its angles are stretched beyond the length of pretraining (see rotary.ts). */
export interface RotaryConfig {
  readonly theta: number;
  readonly scaling?: RotaryScaling;
}

/** Names and meanings as in Hugging Face's `rope_parameters`; originalPositions is the length of pretraining, tokens. */
export type RotaryScaling =
  | { readonly type: 'linear'; readonly factor: number }
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalPositions: number;
    }
  | {
      readonly type: 'yarn';
      readonly factor: number;
      readonly attentionFactor: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      readonly truncate: boolean;
      readonly originalPositions: number;
    };

/** The numbers that fix a decoder; names of Hugging Face's keys in camel case. */
export interface DecoderConfig {
  readonly modelType: string;
  readonly vocabularySize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  /** Factor of the attention scores. */
  readonly attentionScale: number;
  readonly normEpsilon: number;
  /** The rotary embedding of each type of layer; a type that is absent uses that of `full`. None for learned positions. */
  readonly rotary: Partial<Readonly<Record<LayerType, RotaryConfig>>>;
  /** The type of each layer. */
  readonly layerTypes: readonly LayerType[];
  /** Tokens that a query of a sliding layer sees, itself counted. */
  readonly slidingWindow?: number;
  /** Which linear layers have a bias. */
  readonly biases: {
    readonly queryKeyValue: boolean;
    readonly attentionOutput: boolean;
    readonly feedForward: boolean;
  };
  /** Longest sequence that the model was made for, tokens. */
  readonly maxPositions: number;
  /** Whether the head is the embedding table. */
  readonly tiedHead: boolean;
}

/** Window of a layer, tokens; undefined where it sees all before it. */
export function windowOf({ layerTypes, slidingWindow }: DecoderConfig, layer: number): number | undefined {
  return layerTypes[layer] === 'sliding' ? slidingWindow : undefined;
}

export type Json = Readonly<Record<string, unknown>>;

/** The keys of one JSON object, each read with a check; what does not fit is an error that names file and key. */
export interface ConfigKeys {
  readonly json: Json;
  /** A number above 0. */
  number(key: string, fallback?: number): number;
  /** A whole number above 0. */
  whole(key: string, fallback?: number): number;
  /** A whole number of at least 0. */
  count(key: string, fallback: number): number;
  flag(key: string, fallback: boolean): boolean;
  /** One of `allowed`, the first of them when the key is absent or null. */
  choice<T extends string>(key: string, allowed: readonly T[]): T;
  /** An object below a key; undefined when absent or null. */
  object(key: string): ConfigKeys | undefined;
  /** Refuses a key that changes the mathematics, unless it has a value that does not (or is absent or null). */
  refuse(key: string, ...neutral: readonly unknown[]): void;
  /** An error about a key: expected what, got its value. */
  malformed(key: string, expected: string): WeightsError;
}

/** @param where file and, below its top, key: for messages */
export function configKeys(json: Json, where: string): ConfigKeys {
  const malformed = (key: string, expected: string) =>
    new WeightsError(
      `${where}: ${key}: expected ${expected}, got ${JSON.stringify(json[key]) ?? 'nothing'}`,
      {
        code: 'config/value',
        hint: 'Check that config.json is the one that the model was published with.',
      },
    );
  const number = (
    key: string,
    fallback: number | undefined,
    fits: (value: number) => boolean,
    what: string,
  ) => {
    const value = json[key] ?? fallback;
    if (typeof value === 'number' && Number.isFinite(value) && fits(value)) return value;
    throw malformed(key, what);
  };
  return {
    json,
    number: (key, fallback) => number(key, fallback, (value) => value > 0, 'a number above 0'),
    whole: (key, fallback) =>
      number(key, fallback, (value) => value > 0 && Number.isSafeInteger(value), 'a whole number above 0'),
    count: (key, fallback) =>
      number(
        key,
        fallback,
        (value) => value >= 0 && Number.isSafeInteger(value),
        'a whole number of at least 0',
      ),
    flag: (key, fallback) => {
      const value = json[key] ?? fallback;
      if (typeof value !== 'boolean') throw malformed(key, 'true or false');
      return value;
    },
    choice: (key, allowed) => {
      const value = allowed.find((name) => name === (json[key] ?? allowed[0]));
      if (value === undefined) throw unsupported(where, key, allowed, json[key]);
      return value;
    },
    object: (key) => {
      const value = json[key] ?? undefined;
      if (value === undefined) return undefined;
      if (typeof value !== 'object' || Array.isArray(value)) throw malformed(key, 'an object');
      return configKeys(value as Json, `${where}: ${key}`);
    },
    refuse: (key, ...neutral) => {
      const value = json[key] ?? null;
      if (value !== null && !neutral.includes(value))
        throw unsupported(where, key, [...neutral, null], value);
    },
    malformed,
  };
}

function unsupported(where: string, key: string, allowed: readonly unknown[], got: unknown): WeightsError {
  const expected = allowed.map((value) => (value === null ? 'nothing' : JSON.stringify(value))).join(' or ');
  return new WeightsError(
    `${where}: ${key}: expected ${expected}, got ${JSON.stringify(got)}, which is not implemented`,
    { code: 'config/unsupported', hint: 'Use a model without this feature.' },
  );
}

/** Keys of any family that change what a decoder computes, with the values that change nothing. */
const neutralValues: readonly (readonly [key: string, ...neutral: readonly unknown[]])[] = [
  ['quantization_config'],
  ['is_encoder_decoder', false],
  ['add_cross_attention', false],
  ['is_decoder', true, false],
  ['attn_logit_softcapping'],
  ['final_logit_softcapping'],
  ['logit_scale', 1],
  ['logits_scaling', 1],
  ['embedding_multiplier', 1],
  ['residual_multiplier', 1],
  ['attention_multiplier'],
  ['partial_rotary_factor', 1],
  ['rope_interleaved', false],
  ['no_rope_layers'],
  ['use_bidirectional_attention', false],
  ['use_qk_norm', false],
  ['clip_qkv'],
  ['num_experts', 0, 1],
  ['num_local_experts', 0, 1],
  ['alibi', false],
  ['pretraining_tp', 1],
  ['pruned_heads'],
];

/**
 * What all architectures refuse, and all that have these keys read alike.
 * @throws {WeightsError} for a value that we do not implement
 */
export function refuseForeignFeatures(keys: ConfigKeys): void {
  for (const [key, ...neutral] of neutralValues) {
    const value = keys.json[key];
    const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
    if (!isEmpty) keys.refuse(key, ...neutral);
  }
}

/** More layers than any model has: a list of so many types is no attack on memory. */
const MOST_LAYERS = 1000;

/** The number of layers. */
export function layerCount(keys: ConfigKeys, key: string, fallback?: number): number {
  const layers = keys.whole(key, fallback);
  if (layers > MOST_LAYERS) throw keys.malformed(key, `at most ${MOST_LAYERS} layers`);
  return layers;
}

/** Heads of queries, heads of keys and values, and the size of one. */
export function attentionHeads(keys: ConfigKeys, hiddenSize: number, defaultHeadSize?: number) {
  const heads = keys.whole('num_attention_heads');
  const keyValueHeads = keys.whole('num_key_value_heads', heads);
  if (heads % keyValueHeads !== 0)
    throw keys.malformed('num_key_value_heads', `a divisor of num_attention_heads (${heads})`);
  const isDerived = (keys.json.head_dim ?? defaultHeadSize) === undefined;
  if (isDerived && hiddenSize % heads !== 0)
    throw keys.malformed('num_attention_heads', `a divisor of hidden_size (${hiddenSize})`);
  const headSize = keys.whole('head_dim', defaultHeadSize ?? hiddenSize / heads);
  if (headSize % 2 !== 0) throw keys.malformed('head_dim', 'an even number, for rotation by halves');
  return { heads, keyValueHeads, headSize };
}

const layerTypeNames: Readonly<Record<string, LayerType>> = {
  full_attention: 'full',
  sliding_attention: 'sliding',
};

/**
 * The type of each layer: by `layer_types`, or by `fallback` when the config does not list them.
 * @param window of the sliding layers, tokens; undefined when the config has none
 */
export function layerWindows(
  keys: ConfigKeys,
  layers: number,
  window: number | undefined,
  fallback: (layer: number) => LayerType,
): Pick<DecoderConfig, 'layerTypes' | 'slidingWindow'> {
  const listed = keys.json.layer_types ?? undefined;
  if (listed !== undefined && (!Array.isArray(listed) || listed.length !== layers))
    throw keys.malformed('layer_types', `a list of ${layers} names, one for each layer`);
  const layerTypes = Array.from({ length: layers }, (_, layer): LayerType => {
    if (listed === undefined) return fallback(layer);
    const name = String(listed[layer]);
    const type = Object.hasOwn(layerTypeNames, name) ? layerTypeNames[name] : undefined;
    if (type === undefined) throw keys.malformed('layer_types', Object.keys(layerTypeNames).join(' or '));
    return type;
  });
  if (!layerTypes.includes('sliding')) return { layerTypes };
  if (window === undefined)
    throw keys.malformed('sliding_window', 'the window of the sliding layers, tokens');
  return { layerTypes, slidingWindow: window };
}
