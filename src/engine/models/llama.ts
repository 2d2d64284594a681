/** @file Llama's decoder (model_type llama): RMSNorm, rotary positions, grouped-query attention, SwiGLU. */
import { add, gatherRows, rmsNorm } from '../ops/operators.ts';
import { type Value, withScope } from '../ops/value.ts';
import type { DecoderInputs } from './architecture.ts';
import { foldRows, gatedFeedForward } from './blocks.ts';
import type { DecoderConfig } from './hf-config.ts';
import type { ParameterShape, ParameterSource } from './parameters.ts';
import { rotate } from './rotary.ts';

const layerName = (layer: number) => `model.layers.${layer}`;

/** Names and shapes of all parameters, in Hugging Face's layout. */
export function llamaParameters(config: DecoderConfig): ParameterShape[] {
  const { hiddenSize: d, intermediateSize: f, vocabularySize: v, heads, keyValueHeads, headSize } = config;
  const shapes: ParameterShape[] = [{ name: 'model.embed_tokens.weight', shape: [v, d] }];
  for (let layer = 0; layer < config.layers; layer++) {
    const matrices: [string, number[]][] = [
      ['self_attn.q_proj', [heads * headSize, d]],
      ['self_attn.k_proj', [keyValueHeads * headSize, d]],
      ['self_attn.v_proj', [keyValueHeads * headSize, d]],
      ['self_attn.o_proj', [d, heads * headSize]],
      ['mlp.gate_proj', [f, d]],
      ['mlp.up_proj', [f, d]],
      ['mlp.down_proj', [d, f]],
      ['input_layernorm', [d]],
      ['post_attention_layernorm', [d]],
    ];
    for (const [name, shape] of matrices) shapes.push({ name: `${layerName(layer)}.${name}.weight`, shape });
  }
  shapes.push({ name: 'model.norm.weight', shape: [d] });
  if (!config.tiedHead) shapes.push({ name: 'lm_head.weight', shape: [v, d] });
  return shapes;
}

/**
 * Hidden states after the last norm, at the rows that are asked for.
 * @param rows i64[S], flat indices b · T + t; the last layer's feed-forward runs at these rows only
 * @returns f32[S, D]
 */
export function llamaHidden(
  config: DecoderConfig,
  source: ParameterSource,
  inputs: DecoderInputs,
  rows: Value,
): Value {
  const { hiddenSize, vocabularySize, normEpsilon } = config;
  const norm = (name: string, x: Value) =>
    rmsNorm(x, source.tensor(`${name}.weight`, [hiddenSize]), normEpsilon);
  let x = withScope('embed', () =>
    gatherRows(source.tensor('model.embed_tokens.weight', [vocabularySize, hiddenSize]), inputs.tokenIds),
  );
  for (let layer = 0; layer < config.layers; layer++) {
    const name = layerName(layer);
    const isLast = layer === config.layers - 1;
    const attended = withScope(`layers.${layer}.attention`, () =>
      attention(config, source, layer, norm(`${name}.input_layernorm`, x), inputs),
    );
    withScope(`layers.${layer}`, () => {
      const pick = (value: Value) => (isLast ? gatherRows(foldRows(value), rows) : value);
      const output = source.linear(`${name}.self_attn.o_proj`, hiddenSize, config.heads * config.headSize);
      x = add(pick(x), output.apply(pick(attended)));
    });
    x = withScope(`layers.${layer}.mlp`, () => {
      const part = (p: string, out: number, from: number) =>
        source.linear(`${name}.mlp.${p}_proj`, out, from);
      const f = config.intermediateSize;
      const mixed = gatedFeedForward(
        norm(`${name}.post_attention_layernorm`, x),
        part('gate', f, hiddenSize),
        part('up', f, hiddenSize),
        part('down', hiddenSize, f),
      );
      return add(x, mixed);
    });
  }
  return withScope('norm', () => norm('model.norm', x));
}

/** Logits of hidden states. @param hidden f32[S, D] @returns f32[S, V] */
export function llamaLogits(config: DecoderConfig, source: ParameterSource, hidden: Value): Value {
  const name = config.tiedHead ? 'model.embed_tokens' : 'lm_head';
  return withScope('head', () => source.linear(name, config.vocabularySize, config.hiddenSize).apply(hidden));
}

function attention(
  config: DecoderConfig,
  source: ParameterSource,
  layer: number,
  x: Value,
  { positions, rotary, attention: mix }: DecoderInputs,
): Value {
  const { heads, keyValueHeads, headSize, hiddenSize } = config;
  const tables = rotary.full!;
  const project = (part: string, count: number) =>
    source.linear(`${layerName(layer)}.self_attn.${part}_proj`, count * headSize, hiddenSize).apply(x);
  return mix({
    layer,
    query: rotate(project('q', heads), positions, tables, heads),
    key: rotate(project('k', keyValueHeads), positions, tables, keyValueHeads),
    value: project('v', keyValueHeads),
    heads,
    keyValueHeads,
    headSize,
  });
}
