/** @file Llama (model_type llama): Llama 2 and 3, SmolLM2, TinyLlama. */
import type { Architecture } from './architecture.ts';
import { layerWindows } from './hf-config.ts';
import { rotaryConfig } from './rope-config.ts';
import { attentionBiases, rotaryDecoder, sharedConfig } from './rotary-decoder.ts';

export const llama: Architecture = {
  ...rotaryDecoder({}),
  config: (keys) => {
    keys.choice('hidden_act', ['silu', 'swish']);
    keys.refuse('sliding_window');
    const shared = sharedConfig(keys, { maxPositions: 2048, tiedHead: false });
    return {
      ...shared,
      ...layerWindows(keys, shared.layers, undefined, () => 'full'),
      rotary: { full: rotaryConfig(keys, shared.maxPositions) },
      biases: { ...attentionBiases(keys), feedForward: keys.flag('mlp_bias', false) },
    };
  },
};
