/**
 * @file The decoder that Llama, Qwen and Gemma share: RMSNorm before each part, rotary positions, grouped-query
 * attention, a gated feed-forward. Architectures are configs and a {@link DecoderStyle} over it.
 */
import { sizeOf } from '../ops/dimension.ts';
import { add, gatherRows, mul, reshape, rmsNorm, silu } from '../ops/operators.ts';
import { type Value, withScope } from '../ops/value.ts';
import type { ModelParameter } from '../weights/model-parameter.ts';
import type { Architecture, DecoderInputs } from './architecture.ts';
import { decoderLayer, foldRows, gatedFeedForward } from './blocks.ts';
import { attentionHeads, type ConfigKeys, type DecoderConfig, layerCount, windowOf } from './hf-config.ts';
import { headParameter, linearParameters, type ParameterSource, vector } from './parameters.ts';
import { rotate, tablesOf } from './rotary.ts';

/** What differs between architectures beyond the numbers of their configs. */
export interface DecoderStyle {
  /** Activation of the feed-forward's gate; silu by default. */
  readonly activation?: (x: Value) => Value;
  /** Whether each head of queries and keys has an RMSNorm before it is rotated. */
  readonly headNorms?: boolean;
  /** Whether attention and feed-forward have a norm after them too. */
  readonly outputNorms?: boolean;
  /** What norms multiply with is this plus their weight; 0 by default. */
  readonly normOffset?: number;
  /** Whether embeddings are multiplied with √D. */
  readonly scaledEmbedding?: boolean;
}

const EMBEDDING = 'model.embed_tokens';
const layerName = (layer: number) => `model.layers.${layer}`;

/** The graphs of one style. */
export function rotaryDecoder(style: DecoderStyle): Pick<Architecture, 'parameters' | 'hidden' | 'logits'> {
  return {
    parameters: (config) => parameters(config, style),
    hidden: (config, source, inputs, rows) => hidden(config, style, source, inputs, rows),
    logits: (config, source, x) => {
      const name = config.tiedHead ? EMBEDDING : 'lm_head';
      return withScope('head', () => source.linear(name, config.vocabularySize, config.hiddenSize).apply(x));
    },
  };
}

/**
 * The keys that all configs of such decoders have.
 * @param defaults where a family's differ: head size (hidden size over heads), longest sequence, whether the head is tied
 */
export function sharedConfig(
  keys: ConfigKeys,
  defaults: { readonly headSize?: number; readonly maxPositions: number; readonly tiedHead: boolean },
) {
  const hiddenSize = keys.whole('hidden_size');
  const heads = attentionHeads(keys, hiddenSize, defaults.headSize);
  return {
    modelType: keys.json.model_type as string,
    vocabularySize: keys.whole('vocab_size'),
    hiddenSize,
    intermediateSize: keys.whole('intermediate_size'),
    layers: layerCount(keys, 'num_hidden_layers'),
    ...heads,
    attentionScale: heads.headSize ** -0.5,
    normEpsilon: keys.number('rms_norm_eps', 1e-6),
    maxPositions: keys.whole('max_position_embeddings', defaults.maxPositions),
    tiedHead: keys.flag('tie_word_embeddings', defaults.tiedHead),
  };
}

/** Biases of the attention's layers where `attention_bias` says so, none in the feed-forward. */
export function attentionBiases(keys: ConfigKeys): DecoderConfig['biases'] {
  const bias = keys.flag('attention_bias', false);
  return { queryKeyValue: bias, attentionOutput: bias, feedForward: false };
}

/** The norms of a layer over the residual stream, by what they stand before or after. */
function normNames({ outputNorms }: DecoderStyle) {
  return outputNorms
    ? {
        beforeAttention: 'input_layernorm',
        afterAttention: 'post_attention_layernorm',
        beforeFeedForward: 'pre_feedforward_layernorm',
        afterFeedForward: 'post_feedforward_layernorm',
      }
    : { beforeAttention: 'input_layernorm', beforeFeedForward: 'post_attention_layernorm' };
}

/** Names and shapes of all parameters, in Hugging Face's layout. */
function parameters(config: DecoderConfig, style: DecoderStyle): ModelParameter[] {
  const {
    hiddenSize: d,
    intermediateSize: f,
    vocabularySize: v,
    heads,
    keyValueHeads,
    headSize,
    biases,
  } = config;
  const linear = (name: string, out: number, inputs: number, bias: boolean) =>
    linearParameters(name, out, inputs, { bias });
  const list: ModelParameter[] = [
    { name: `${EMBEDDING}.weight`, shape: [v, d], role: 'table', isHead: config.tiedHead },
  ];
  for (let layer = 0; layer < config.layers; layer++) {
    const name = layerName(layer);
    list.push(
      ...linear(`${name}.self_attn.q_proj`, heads * headSize, d, biases.queryKeyValue),
      ...linear(`${name}.self_attn.k_proj`, keyValueHeads * headSize, d, biases.queryKeyValue),
      ...linear(`${name}.self_attn.v_proj`, keyValueHeads * headSize, d, biases.queryKeyValue),
      ...linear(`${name}.self_attn.o_proj`, d, heads * headSize, biases.attentionOutput),
      ...(style.headNorms ? ['q_norm', 'k_norm'] : []).map((norm) =>
        vector(`${name}.self_attn.${norm}.weight`, headSize),
      ),
      ...linear(`${name}.mlp.gate_proj`, f, d, biases.feedForward),
      ...linear(`${name}.mlp.up_proj`, f, d, biases.feedForward),
      ...linear(`${name}.mlp.down_proj`, d, f, biases.feedForward),
      ...Object.values(normNames(style)).map((norm) => vector(`${name}.${norm}.weight`, d)),
    );
  }
  list.push(vector('model.norm.weight', d));
  if (!config.tiedHead) list.push(headParameter(v, d));
  return list;
}

function hidden(
  config: DecoderConfig,
  style: DecoderStyle,
  source: ParameterSource,
  inputs: DecoderInputs,
  rows: Value,
): Value {
  const { hiddenSize, vocabularySize, intermediateSize, heads, headSize, biases } = config;
  const norm = normOf(config, style, source);
  const norms = normNames(style);
  let x = withScope('embed', () => {
    const table = source.tensor(`${EMBEDDING}.weight`, [vocabularySize, hiddenSize]);
    const embedded = gatherRows(table, inputs.tokenIds);
    return style.scaledEmbedding ? mul(embedded, Math.sqrt(hiddenSize)) : embedded;
  });
  for (let layer = 0; layer < config.layers; layer++) {
    x = decoderLayer(inputs, x, (before) => {
      const name = layerName(layer);
      const after = (which: string | undefined, y: Value) =>
        which === undefined ? y : norm(`${name}.${which}`, y);
      const attended = withScope(`layers.${layer}.attention`, () =>
        attention(config, style, source, layer, norm(`${name}.${norms.beforeAttention}`, before), inputs),
      );
      const between = withScope(`layers.${layer}`, () => {
        // What follows the last attention runs at the rows that are asked for only.
        const pick = (value: Value) =>
          layer === config.layers - 1 ? gatherRows(foldRows(value), rows) : value;
        const output = source.linear(`${name}.self_attn.o_proj`, hiddenSize, heads * headSize, {
          bias: biases.attentionOutput,
        });
        return add(pick(before), after(norms.afterAttention, output.apply(pick(attended))));
      });
      return withScope(`layers.${layer}.mlp`, () => {
        const part = (p: string, out: number, from: number) =>
          source.linear(`${name}.mlp.${p}_proj`, out, from, { bias: biases.feedForward });
        const mixed = gatedFeedForward(
          norm(`${name}.${norms.beforeFeedForward}`, between),
          part('gate', intermediateSize, hiddenSize),
          part('up', intermediateSize, hiddenSize),
          part('down', hiddenSize, intermediateSize),
          style.activation ?? silu,
        );
        return add(between, after(norms.afterFeedForward, mixed));
      });
    });
  }
  return withScope('norm', () => norm('model.norm', x));
}

/** RMSNorm over the last axis by the name of its weight, as long as that axis. */
function normOf({ normEpsilon }: DecoderConfig, { normOffset = 0 }: DecoderStyle, source: ParameterSource) {
  return (name: string, x: Value) => {
    const weight = source.tensor(`${name}.weight`, [x.shape.at(-1) as number]);
    return rmsNorm(x, normOffset === 0 ? weight : add(weight, normOffset), normEpsilon);
  };
}

function attention(
  config: DecoderConfig,
  style: DecoderStyle,
  source: ParameterSource,
  layer: number,
  x: Value,
  { positions, rotary, attention: mix }: DecoderInputs,
): Value {
  const { heads, keyValueHeads, headSize, hiddenSize, attentionScale: scale, biases } = config;
  const name = `${layerName(layer)}.self_attn`;
  const tables = tablesOf(rotary, config.layerTypes[layer]!);
  const norm = normOf(config, style, source);
  const project = (part: string, count: number) =>
    source
      .linear(`${name}.${part}_proj`, count * headSize, hiddenSize, { bias: biases.queryKeyValue })
      .apply(x);
  const rotated = (part: 'q' | 'k', count: number) => {
    const projected = project(part, count);
    const normed = style.headNorms
      ? perHead(projected, count, (heads) => norm(`${name}.${part}_norm`, heads))
      : projected;
    return rotate(normed, positions, tables, count);
  };
  const window = windowOf(config, layer);
  return mix({
    layer,
    query: rotated('q', heads),
    key: rotated('k', keyValueHeads),
    value: project('v', keyValueHeads),
    heads,
    keyValueHeads,
    headSize,
    scale,
    ...(window === undefined ? {} : { window }),
  });
}

/** f32[B, T, heads · E] as rows of one head each, through `body`, and back. */
function perHead(x: Value, heads: number, body: (rows: Value) => Value): Value {
  const width = (x.shape.at(-1) as number) / heads;
  return reshape(body(reshape(x, [sizeOf([...x.shape.slice(0, -1), heads]), width])), x.shape);
}
