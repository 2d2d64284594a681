/** @file What an architecture provides, and what it is given: models are written against these types alone. */
import type { Value } from '../ops/value.ts';
import type { ModelParameter } from '../weights/model-parameter.ts';
import type { Attention } from './attention.ts';
import type { ConfigKeys, DecoderConfig } from './hf-config.ts';
import type { ParameterSource } from './parameters.ts';
import type { RotaryInputs } from './rotary.ts';

/** What a decoder is given of the sequences that it runs over. */
export interface DecoderInputs {
  readonly tokenIds: Value; // i64[B, T]
  readonly positions: Value; // i64[B, T]
  readonly rotary: RotaryInputs;
  /** Mixes the heads of each layer: the whole pass, or a cache and what is new. */
  readonly attention: Attention;
  /** Whether layers are computed again in the backward pass: see decoderLayer of blocks.ts. */
  readonly recompute?: boolean;
}

/** What an architecture must provide. */
export interface Architecture {
  /** The config that config.json describes. @throws {WeightsError} naming a key that is malformed or not implemented */
  config(keys: ConfigKeys): DecoderConfig;
  /** Names (Hugging Face's), shapes and roles of all parameters. */
  parameters(config: DecoderConfig): ModelParameter[];
  /** f32[S, D]: hidden states at the flat positions `rows`, i64[S] of b · T + t. */
  hidden(config: DecoderConfig, source: ParameterSource, inputs: DecoderInputs, rows: Value): Value;
  /** f32[S, V] of f32[S, D]. */
  logits(config: DecoderConfig, source: ParameterSource, hidden: Value): Value;
}
