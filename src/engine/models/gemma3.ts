/**
 * @file Gemma 3, text alone (model_type gemma3_text): four norms a layer whose weights are stored as w of 1 + w, norms of
 * queries and keys, scaled embeddings, and sliding layers with a rotary embedding of their own.
 */
import { geluTanh } from '../ops/operators.ts';
import type { Architecture } from './architecture.ts';
import { type ConfigKeys, type DecoderConfig, layerWindows } from './hf-config.ts';
import { rotaryOf } from './rope-config.ts';
import { attentionBiases, rotaryDecoder, sharedConfig } from './rotary-decoder.ts';

export const gemma3Text: Architecture = {
  ...rotaryDecoder({
    activation: geluTanh,
    headNorms: true,
    outputNorms: true,
    normOffset: 1,
    scaledEmbedding: true,
  }),
  config: (keys) => {
    keys.choice('hidden_activation', ['gelu_pytorch_tanh']);
    const shared = sharedConfig(keys, { headSize: 256, maxPositions: 131072, tiedHead: true });
    const pattern = keys.whole('sliding_window_pattern', 6);
    const window = keys.json.sliding_window === null ? undefined : keys.whole('sliding_window', 4096);
    const type = (layer: number) => ((layer + 1) % pattern === 0 ? 'full' : 'sliding');
    return {
      ...shared,
      ...layerWindows(keys, shared.layers, window, type),
      attentionScale: keys.number('query_pre_attn_scalar', 256) ** -0.5,
      rotary: gemmaRotary(keys, shared.maxPositions),
      biases: attentionBiases(keys),
    };
  },
};

/** One embedding for each type of layer: nested in `rope_parameters`, or `rope_theta`, `rope_scaling` and `rope_local_base_freq`. */
function gemmaRotary(keys: ConfigKeys, maxPositions: number): DecoderConfig['rotary'] {
  const nested = keys.object('rope_parameters');
  const full = nested?.object('full_attention');
  const sliding = nested?.object('sliding_attention');
  const theta = (own: ConfigKeys | undefined, key: string, fallback: number) =>
    own?.json.rope_theta === undefined ? keys.number(key, fallback) : own.number('rope_theta');
  return {
    full: rotaryOf(keys.object('rope_scaling') ?? full, theta(full, 'rope_theta', 1e6), maxPositions),
    sliding: rotaryOf(sliding, theta(sliding, 'rope_local_base_freq', 1e4), maxPositions),
  };
}
