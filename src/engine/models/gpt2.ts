/**
 * @file GPT-2 (model_type gpt2): LayerNorm, learned positions, queries, keys and values from one product, biases
 * throughout, and matrices stored as f32[in, out] (Conv1D).
 */
import { add, gatherRows, geluTanh, layerNorm, slice } from '../ops/operators.ts';
import { type Value, withScope } from '../ops/value.ts';
import type { ModelParameter } from '../weights/model-parameter.ts';
import type { Architecture, DecoderInputs } from './architecture.ts';
import { decoderLayer, feedForward, foldRows } from './blocks.ts';
import { type ConfigKeys, type DecoderConfig, layerCount } from './hf-config.ts';
import { headParameter, linearParameters, type ParameterSource, vector } from './parameters.ts';

export const gpt2: Architecture = {
  config,
  parameters,
  hidden,
  logits: (config, source, x) => {
    const name = config.tiedHead ? WORDS : 'lm_head';
    return withScope('head', () => source.linear(name, config.vocabularySize, config.hiddenSize).apply(x));
  },
};

const WORDS = 'transformer.wte';
const POSITIONS = 'transformer.wpe';
const layout = { bias: true, transposed: true };
const layerName = (layer: number) => `transformer.h.${layer}`;

function config(keys: ConfigKeys): DecoderConfig {
  keys.choice('activation_function', ['gelu_new', 'gelu_pytorch_tanh']);
  keys.refuse('scale_attn_by_inverse_layer_idx', false);
  const hiddenSize = keys.whole('n_embd', 768);
  const heads = keys.whole('n_head', 12);
  if (hiddenSize % heads !== 0) throw keys.malformed('n_head', `a divisor of n_embd (${hiddenSize})`);
  const headSize = hiddenSize / heads;
  const layers = layerCount(keys, 'n_layer', 12);
  return {
    modelType: 'gpt2',
    vocabularySize: keys.whole('vocab_size', 50257),
    hiddenSize,
    intermediateSize: keys.whole('n_inner', 4 * hiddenSize),
    layers,
    heads,
    keyValueHeads: heads,
    headSize,
    attentionScale: keys.flag('scale_attn_weights', true) ? headSize ** -0.5 : 1,
    normEpsilon: keys.number('layer_norm_epsilon', 1e-5),
    rotary: {},
    layerTypes: new Array<'full'>(layers).fill('full'),
    biases: { queryKeyValue: true, attentionOutput: true, feedForward: true },
    maxPositions: keys.whole('n_positions', 1024),
    tiedHead: keys.flag('tie_word_embeddings', true),
  };
}

function parameters(config: DecoderConfig): ModelParameter[] {
  const { hiddenSize: d, intermediateSize: f, vocabularySize: v, maxPositions } = config;
  const norm = (name: string) => [vector(`${name}.weight`, d), vector(`${name}.bias`, d)];
  const list: ModelParameter[] = [
    { name: `${WORDS}.weight`, shape: [v, d], role: 'table', isHead: config.tiedHead },
    { name: `${POSITIONS}.weight`, shape: [maxPositions, d], role: 'table' },
  ];
  for (let layer = 0; layer < config.layers; layer++) {
    const name = layerName(layer);
    list.push(
      ...norm(`${name}.ln_1`),
      ...linearParameters(`${name}.attn.c_attn`, 3 * d, d, layout),
      ...linearParameters(`${name}.attn.c_proj`, d, d, layout),
      ...norm(`${name}.ln_2`),
      ...linearParameters(`${name}.mlp.c_fc`, f, d, layout),
      ...linearParameters(`${name}.mlp.c_proj`, d, f, layout),
    );
  }
  list.push(...norm('transformer.ln_f'));
  if (!config.tiedHead) list.push(headParameter(v, d));
  return list;
}

function hidden(config: DecoderConfig, source: ParameterSource, inputs: DecoderInputs, rows: Value): Value {
  const { hiddenSize: d, intermediateSize: f, vocabularySize, maxPositions, layers } = config;
  const norm = (name: string, x: Value) =>
    layerNorm(
      x,
      source.tensor(`${name}.weight`, [d]),
      source.tensor(`${name}.bias`, [d]),
      config.normEpsilon,
    );
  let x = withScope('embed', () =>
    add(
      gatherRows(source.tensor(`${WORDS}.weight`, [vocabularySize, d]), inputs.tokenIds),
      gatherRows(source.tensor(`${POSITIONS}.weight`, [maxPositions, d]), inputs.positions),
    ),
  );
  for (let layer = 0; layer < layers; layer++) {
    x = decoderLayer(inputs, x, (before) => {
      const name = layerName(layer);
      const mixed = withScope(`layers.${layer}.attention`, () => {
        const projected = source
          .linear(`${name}.attn.c_attn`, 3 * d, d, layout)
          .apply(norm(`${name}.ln_1`, before));
        const part = (i: number) => slice(projected, 2, i * d, (i + 1) * d);
        return inputs.attention({
          layer,
          query: part(0),
          key: part(1),
          value: part(2),
          heads: config.heads,
          keyValueHeads: config.keyValueHeads,
          headSize: config.headSize,
          scale: config.attentionScale,
        });
      });
      const between = withScope(`layers.${layer}`, () => {
        // What follows the last attention runs at the rows that are asked for only.
        const pick = (value: Value) => (layer === layers - 1 ? gatherRows(foldRows(value), rows) : value);
        return add(pick(before), source.linear(`${name}.attn.c_proj`, d, d, layout).apply(pick(mixed)));
      });
      return withScope(`layers.${layer}.mlp`, () => {
        const up = source.linear(`${name}.mlp.c_fc`, f, d, layout);
        const down = source.linear(`${name}.mlp.c_proj`, d, f, layout);
        return add(between, feedForward(norm(`${name}.ln_2`, between), up, down, geluTanh));
      });
    });
  }
  return withScope('norm', () => norm('transformer.ln_f', x));
}
