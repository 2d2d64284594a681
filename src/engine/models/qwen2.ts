/** @file Qwen 2 and 2.5 (model_type qwen2): biases on queries, keys and values; sliding windows in the upper layers, if any. */
import type { Architecture } from './architecture.ts';
import { type ConfigKeys, type DecoderConfig, layerWindows } from './hf-config.ts';
import { rotaryConfig } from './rope-config.ts';
import { rotaryDecoder, sharedConfig } from './rotary-decoder.ts';

export const qwen2: Architecture = {
  ...rotaryDecoder({}),
  config: (keys) => ({
    ...qwenConfig(keys),
    biases: { queryKeyValue: true, attentionOutput: false, feedForward: false },
  }),
};

/**
 * What Qwen 2 and Qwen 3 have in common: windows count with `use_sliding_window` only, above `max_window_layers`.
 * @param headSize default of `head_dim`
 */
export function qwenConfig(keys: ConfigKeys, headSize?: number): Omit<DecoderConfig, 'biases'> {
  keys.choice('hidden_act', ['silu', 'swish']);
  const shared = sharedConfig(keys, {
    maxPositions: 32768,
    tiedHead: false,
    ...(headSize === undefined ? {} : { headSize }),
  });
  const isWindowed = keys.flag('use_sliding_window', false) && keys.json.sliding_window !== null;
  const window = isWindowed ? keys.whole('sliding_window', 4096) : undefined;
  const fullLayers = isWindowed ? keys.count('max_window_layers', 28) : shared.layers;
  return {
    ...shared,
    ...layerWindows(keys, shared.layers, window, (layer) => (layer < fullLayers ? 'full' : 'sliding')),
    rotary: { full: rotaryConfig(keys, shared.maxPositions) },
  };
}
