/** @file The table of architectures by Hugging Face's model_type. Adding a model is one file and one row. */
import type { Value } from '../ops/value.ts';
import type { RotaryTables, TokenInputs } from './blocks.ts';
import type { DecoderConfig } from './hf-config.ts';
import { llamaHidden, llamaLogits, llamaParameters } from './llama.ts';
import type { ParameterShape, ParameterSource } from './parameters.ts';

/** What an architecture must provide. */
export interface Architecture {
  parameters(config: DecoderConfig): ParameterShape[];
  /** f32[S, D]: hidden states at the flat positions `rows`. */
  hidden(
    config: DecoderConfig,
    source: ParameterSource,
    tokens: TokenInputs,
    tables: RotaryTables,
    rows: Value,
  ): Value;
  /** f32[S, V] of f32[S, D]. */
  logits(config: DecoderConfig, source: ParameterSource, hidden: Value): Value;
}

export const architectures: Readonly<Record<string, Architecture>> = {
  llama: { parameters: llamaParameters, hidden: llamaHidden, logits: llamaLogits },
};

/** The architecture of a config, which {@link parseDecoderConfig} has checked. */
export function architectureOf(config: DecoderConfig): Architecture {
  return architectures[config.modelType]!;
}
