/** @file Qwen 3 (model_type qwen3): norms of each head of queries and keys, heads of a size of their own. */
import type { Architecture } from './architecture.ts';
import { qwenConfig } from './qwen2.ts';
import { attentionBiases, rotaryDecoder } from './rotary-decoder.ts';

export const qwen3: Architecture = {
  ...rotaryDecoder({ headNorms: true }),
  config: (keys) => ({ ...qwenConfig(keys, 128), biases: attentionBiases(keys) }),
};
