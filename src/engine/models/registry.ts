/** @file The table of architectures by Hugging Face's model_type. Adding a model is one file and one row. */
import type { Architecture } from './architecture.ts';
import type { DecoderConfig } from './hf-config.ts';
import { llamaHidden, llamaLogits, llamaParameters } from './llama.ts';

export const architectures: Readonly<Record<string, Architecture>> = {
  llama: { parameters: llamaParameters, hidden: llamaHidden, logits: llamaLogits },
};

/** The architecture of a config, which {@link parseDecoderConfig} has checked. */
export function architectureOf(config: DecoderConfig): Architecture {
  return architectures[config.modelType]!;
}
