/** @file Rotary embeddings in config.json: `rope_theta` with `rope_scaling` of earlier transformers, `rope_parameters` of version 5. */
import type { ConfigKeys, RotaryConfig, RotaryScaling } from './hf-config.ts';

const scalingTypes = ['default', 'linear', 'llama3', 'yarn'] as const;

/**
 * The one rotary embedding of a config.
 * @throws {WeightsError} for a malformed key, or a type such as `dynamic` or `longrope` that we do not implement
 */
export function rotaryConfig(keys: ConfigKeys, maxPositions: number): RotaryConfig {
  const rope = keys.object('rope_scaling') ?? keys.object('rope_parameters');
  const theta =
    rope?.json.rope_theta === undefined ? keys.number('rope_theta', 10000) : rope.number('rope_theta');
  return rotaryOf(rope, theta, maxPositions);
}

/**
 * A rotary embedding by the object that describes its scaling, if any; θ lies elsewhere in configs of earlier versions.
 * @param maxPositions the length of pretraining where the object does not tell it
 */
export function rotaryOf(rope: ConfigKeys | undefined, theta: number, maxPositions: number): RotaryConfig {
  const scaling = rope && rotaryScaling(rope, maxPositions);
  return { theta, ...(scaling === undefined ? {} : { scaling }) };
}

function rotaryScaling(rope: ConfigKeys, maxPositions: number): RotaryScaling | undefined {
  rope.refuse('partial_rotary_factor', 1);
  rope.refuse('mrope_section');
  const type = rope.choice(rope.json.rope_type === undefined ? 'type' : 'rope_type', scalingTypes);
  const originalPositions = rope.whole('original_max_position_embeddings', maxPositions);
  switch (type) {
    case 'default':
      return undefined;
    case 'linear':
      return { type, factor: rope.number('factor') };
    case 'llama3': {
      const lowFrequencyFactor = rope.number('low_freq_factor');
      const highFrequencyFactor = rope.number('high_freq_factor');
      if (!(highFrequencyFactor > lowFrequencyFactor))
        throw rope.malformed('high_freq_factor', `a number above low_freq_factor (${lowFrequencyFactor})`);
      return {
        type,
        factor: rope.number('factor'),
        lowFrequencyFactor,
        highFrequencyFactor,
        originalPositions,
      };
    }
    case 'yarn': {
      const factor = rope.number('factor', maxPositions / originalPositions);
      return {
        type,
        factor,
        attentionFactor: rope.number('attention_factor', attentionFactor(rope, factor)),
        betaFast: rope.number('beta_fast', 32),
        betaSlow: rope.number('beta_slow', 1),
        truncate: rope.flag('truncate', true),
        originalPositions,
      };
    }
  }
}

/** YaRN (arXiv 2309.00071, eq. 22): 0.1 ln(factor) + 1, or the ratio of two such terms where the config has both. */
function attentionFactor(rope: ConfigKeys, factor: number): number {
  const term = (scale: number) => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
  const { mscale, mscale_all_dim } = rope.json;
  if (!mscale || !mscale_all_dim) return term(1);
  return term(rope.number('mscale')) / term(rope.number('mscale_all_dim'));
}
