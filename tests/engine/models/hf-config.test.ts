/** @file What config.json says: both ways of writing it, defaults by type, and an error that names what we do not implement. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseDecoderConfig } from '../../../src/engine/models/registry.ts';

const shape = {
  vocab_size: 41,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
};
const llama = { model_type: 'llama', ...shape };
const gemma3 = { model_type: 'gemma3_text', ...shape };
const qwen2 = { model_type: 'qwen2', ...shape };
const parse = (json: object) => parseDecoderConfig(json, 'config.json');
const saved = (name: string) =>
  JSON.parse(readFileSync(`tests/golden/${name}/config.json`, 'utf8')) as Record<string, unknown>;

describe('config.json', () => {
  it('means the same in the words of transformers 4 and 5', () => {
    const { rope_parameters: llama3, ...rest } = saved('tiny-llama3') as { rope_parameters: object };
    const { rope_theta, ...scaling } = llama3 as { rope_theta: number };
    expect(parse({ ...rest, rope_theta, rope_scaling: scaling })).toEqual(parse(saved('tiny-llama3')));

    const { rope_parameters: _, layer_types: __, ...gemma } = saved('tiny-gemma3');
    const older = {
      ...gemma,
      sliding_window_pattern: 2,
      rope_theta: 1000,
      rope_local_base_freq: 100,
      rope_scaling: { rope_type: 'linear', factor: 8 },
    };
    expect(parse(older)).toEqual(parse(saved('tiny-gemma3')));
  });

  it('takes the scaling by its older name "type" too', () => {
    const { rotary } = parse({ ...llama, rope_scaling: { type: 'linear', factor: 2 } });
    expect(rotary).toEqual({ full: { theta: 10000, scaling: { type: 'linear', factor: 2 } } });
  });

  it('ties the head by default where the type does', () => {
    expect(parse(llama).tiedHead).toBe(false);
    expect(parse(qwen2).tiedHead).toBe(false);
    expect(parse({ ...qwen2, model_type: 'qwen3' }).tiedHead).toBe(false);
    expect(parse(gemma3).tiedHead).toBe(true);
    expect(parse({ model_type: 'gpt2' }).tiedHead).toBe(true);
  });

  it('gives Gemma 3 five sliding layers before each full one, by default', () => {
    const { layerTypes, slidingWindow } = parse({ ...gemma3, num_hidden_layers: 7 });
    expect(layerTypes).toEqual([...new Array(5).fill('sliding'), 'full', 'sliding']);
    expect(slidingWindow).toBe(4096);
  });

  it('counts the window of Qwen only with use_sliding_window, and in the upper layers', () => {
    const windowed = { ...qwen2, sliding_window: 8, max_window_layers: 2 };
    expect(parse({ ...windowed, use_sliding_window: false })).toMatchObject({
      layerTypes: ['full', 'full', 'full'],
    });
    expect(parse({ ...windowed, use_sliding_window: true })).toMatchObject({
      layerTypes: ['full', 'full', 'sliding'],
      slidingWindow: 8,
    });
  });

  it('gives Qwen 3 heads of a size of their own', () => {
    expect(parse({ ...qwen2, model_type: 'qwen3' }).headSize).toBe(128);
    expect(parse(qwen2).headSize).toBe(4);
  });

  it.each([
    [
      { ...llama, model_type: 'llama4' },
      'model_type: expected one of gemma3_text, gpt2, llama, qwen2, qwen3, got "llama4"',
    ],
    ...['mistral', 'mixtral', 'qwen3_moe', 'gemma2', 'phi3', 'gemma3'].map(
      (type) => [{ ...llama, model_type: type }, `model_type: expected one of`] as [object, string],
    ),
    [{ ...llama, model_type: ['llama'] }, 'model_type: expected one of'],
    [{ ...shape }, 'model_type: expected one of gemma3_text, gpt2, llama, qwen2, qwen3, got nothing'],
    [{ ...llama, hidden_act: 'gelu' }, 'hidden_act: expected "silu" or "swish", got "gelu"'],
    [{ ...llama, sliding_window: 512 }, 'sliding_window: expected nothing, got 512'],
    [
      { ...llama, layer_types: ['full_attention', 'chunked_attention', 'full_attention'] },
      'layer_types: expected',
    ],
    [{ ...llama, layer_types: Array(3).fill('constructor') }, 'layer_types: expected'],
    [{ ...llama, layer_types: ['full_attention'] }, 'layer_types: expected a list of 3 names'],
    [
      { ...llama, rope_scaling: { rope_type: 'dynamic', factor: 2 } },
      'rope_scaling: rope_type: expected "default" or',
    ],
    [
      { ...llama, rope_parameters: { rope_type: 'longrope' } },
      'rope_parameters: rope_type: expected "default" or',
    ],
    [
      { ...llama, rope_scaling: { rope_type: 'llama3', factor: 8 } },
      'rope_scaling: low_freq_factor: expected',
    ],
    [
      { ...llama, rope_scaling: { type: 'mrope', mrope_section: [1] } },
      'mrope_section: expected nothing, got [1]',
    ],
    [{ ...llama, partial_rotary_factor: 0.5 }, 'partial_rotary_factor: expected 1 or nothing, got 0.5'],
    [{ ...llama, quantization_config: { bits: 4 } }, 'quantization_config: expected nothing'],
    [{ ...llama, residual_multiplier: 0.2 }, 'residual_multiplier: expected 1 or nothing, got 0.2'],
    [
      { ...llama, num_key_value_heads: 3 },
      'num_key_value_heads: expected a divisor of num_attention_heads (4), got 3',
    ],
    [
      { ...llama, num_attention_heads: 5, num_key_value_heads: 5 },
      'num_attention_heads: expected a divisor of hidden_size (16), got 5',
    ],
    [{ ...llama, head_dim: 5 }, 'head_dim: expected an even number'],
    [{ ...llama, hidden_size: Number.POSITIVE_INFINITY }, 'hidden_size: expected a whole number above 0'],
    [{ ...llama, num_hidden_layers: 2.5 }, 'num_hidden_layers: expected a whole number above 0, got 2.5'],
    [{ ...llama, num_hidden_layers: 1e9 }, 'num_hidden_layers: expected at most 1000 layers, got 1000000000'],
    [{ ...llama, mlp_bias: 'no' }, 'mlp_bias: expected true or false, got "no"'],
    [{ ...gemma3, attn_logit_softcapping: 50 }, 'attn_logit_softcapping: expected nothing, got 50'],
    [{ ...gemma3, final_logit_softcapping: 30 }, 'final_logit_softcapping: expected nothing, got 30'],
    [
      { ...gemma3, use_bidirectional_attention: true },
      'use_bidirectional_attention: expected false or nothing',
    ],
    [{ ...gemma3, sliding_window: null }, 'sliding_window: expected the window of the sliding layers'],
    [{ model_type: 'gpt2', activation_function: 'relu' }, 'activation_function: expected "gelu_new" or'],
    [
      { model_type: 'gpt2', scale_attn_by_inverse_layer_idx: true },
      'scale_attn_by_inverse_layer_idx: expected false',
    ],
    [
      { model_type: 'gpt2', add_cross_attention: true },
      'add_cross_attention: expected false or nothing, got true',
    ],
    [{ model_type: 'gpt2', n_head: 7 }, 'n_head: expected a divisor of n_embd (768), got 7'],
  ])('is refused by the name of what is wrong: %j', (json, message) => {
    expect(() => parse(json)).toThrow(message);
  });

  it('is refused when it is no object', () => {
    expect(() => parseDecoderConfig(null, 'config.json')).toThrow('config.json: expected a JSON object');
    expect(() => parseDecoderConfig([], 'config.json')).toThrow('config.json: expected a JSON object');
  });
});
