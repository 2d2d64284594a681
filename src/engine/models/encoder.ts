/**
 * @file BERT and RoBERTa (model_type bert, roberta), which read a text both ways: hidden states of one of their layers, for
 * BERTScore. They are not trained here.
 */
import { join } from 'node:path';
import { defaultCacheFolder } from '../../base/cache-folder.ts';
import { WeightsError } from '../../base/errors.ts';
import {
  add,
  expand,
  gatherRows,
  gelu,
  greater,
  input,
  layerNorm,
  reshape,
  slice,
  where,
} from '../ops/operators.ts';
import { type Value, withScope } from '../ops/value.ts';
import { type EncoderTokenizer, loadEncoderTokenizer } from '../tokenizer/encoder-tokenizer.ts';
import { mappedF32 } from '../weights/f32-cache.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { entryOf } from '../weights/safetensors.ts';
import type { TensorDirectory } from '../weights/tensor-entry.ts';
import { groupedQueryAttention, HIDDEN_SCORE } from './attention.ts';
import { configKeys } from './hf-config.ts';
import { frozenParameters } from './parameters.ts';
import { openSession } from './pass.ts';

/** The numbers that fix an encoder. */
export interface EncoderConfig {
  readonly modelType: 'bert' | 'roberta';
  readonly vocabularySize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly normEpsilon: number;
  /** Rows of the table of positions. */
  readonly positions: number;
  /** The row of a text's first token: RoBERTa's first rows stand for padding. */
  readonly firstPosition: number;
  readonly tokenTypes: number;
}

export interface Encoder {
  readonly config: EncoderConfig;
  readonly tokenizer: EncoderTokenizer;
  readonly weights: TensorDirectory;
}

/**
 * Opens the folder of an encoder in Hugging Face's layout, with or without a head.
 * @throws {WeightsError} for another model_type, a config that asks for something that is not implemented, a tensor that is missing or
 *   has another shape, and tokenizer files that do not fit
 */
export async function loadEncoder(folder: string, cacheFolder = defaultCacheFolder()): Promise<Encoder> {
  const opened = await openModelFolder(folder);
  const config = encoderConfig(opened.config, join(folder, 'config.json'));
  const tensors = withPlainNames(opened.weights);
  const names = encoderParameters(config);
  for (const [name, shape] of names) {
    const { file, shape: found } = entryOf(tensors, name);
    if (found.join() !== shape.join())
      throw new WeightsError(
        `${file}: ${name}: expected shape [${shape.join(', ')}] by config.json, got [${found.join(', ')}]`,
        { code: 'weights/shape', hint: 'Check that the weights belong to the config.json beside them.' },
      );
  }
  return {
    config,
    tokenizer: await loadEncoderTokenizer(folder, config.modelType, config.positions - config.firstPosition),
    weights: await mappedF32(tensors, cacheFolder, [...names.keys()]),
  };
}

function encoderConfig(json: Readonly<Record<string, unknown>>, where: string): EncoderConfig {
  const { model_type: modelType } = json;
  if (modelType !== 'bert' && modelType !== 'roberta')
    throw new WeightsError(
      `${where}: model_type: expected an encoder, bert or roberta, got ${JSON.stringify(modelType) ?? 'nothing'}`,
      { code: 'config/model-type', hint: 'Name the folder of a model such as roberta-large.' },
    );
  const keys = configKeys(json, where);
  keys.choice('hidden_act', ['gelu']);
  keys.choice('position_embedding_type', ['absolute']);
  keys.refuse('is_decoder', false);
  const hiddenSize = keys.whole('hidden_size', 768);
  const heads = keys.whole('num_attention_heads', 12);
  if (hiddenSize % heads !== 0)
    throw keys.malformed('num_attention_heads', `a divisor of hidden_size (${hiddenSize})`);
  return {
    modelType,
    vocabularySize: keys.whole('vocab_size', modelType === 'bert' ? 30522 : 50265),
    hiddenSize,
    intermediateSize: keys.whole('intermediate_size', 3072),
    layers: keys.whole('num_hidden_layers', 12),
    heads,
    normEpsilon: keys.number('layer_norm_eps', 1e-12),
    positions: keys.whole('max_position_embeddings', 512),
    firstPosition: modelType === 'bert' ? 0 : keys.count('pad_token_id', 1) + 1,
    tokenTypes: keys.whole('type_vocab_size', 2),
  };
}

/** Tensors without the name of the model before them; `gamma` and `beta`, as TensorFlow named them, are weight and bias. */
function withPlainNames(directory: TensorDirectory): TensorDirectory {
  const tensors = new Map(
    [...directory.tensors].map(([name, entry]) => [
      name
        .replace(/^(bert|roberta)\./, '')
        .replace(/LayerNorm\.gamma$/, 'LayerNorm.weight')
        .replace(/LayerNorm\.beta$/, 'LayerNorm.bias'),
      entry,
    ]),
  );
  return { ...directory, tensors };
}

const layerName = (layer: number) => `encoder.layer.${layer}`;

function encoderParameters(config: EncoderConfig): Map<string, readonly number[]> {
  const { hiddenSize: d, intermediateSize: f } = config;
  const linear = (name: string, out: number, inputs: number) =>
    [
      [`${name}.weight`, [out, inputs]],
      [`${name}.bias`, [out]],
    ] as const;
  const norm = (name: string) =>
    [
      [`${name}.weight`, [d]],
      [`${name}.bias`, [d]],
    ] as const;
  return new Map<string, readonly number[]>([
    ['embeddings.word_embeddings.weight', [config.vocabularySize, d]],
    ['embeddings.position_embeddings.weight', [config.positions, d]],
    ['embeddings.token_type_embeddings.weight', [config.tokenTypes, d]],
    ...norm('embeddings.LayerNorm'),
    ...Array.from({ length: config.layers }, (_, layer) => {
      const name = layerName(layer);
      return [
        ...['query', 'key', 'value'].flatMap((part) => linear(`${name}.attention.self.${part}`, d, d)),
        ...linear(`${name}.attention.output.dense`, d, d),
        ...norm(`${name}.attention.output.LayerNorm`),
        ...linear(`${name}.intermediate.dense`, f, d),
        ...linear(`${name}.output.dense`, d, f),
        ...norm(`${name}.output.LayerNorm`),
      ];
    }).flat(),
  ]);
}

/** f32[B, T, D]: hidden states after so many layers, of sequences whose mask says where there is a token. */
function hiddenStates(config: EncoderConfig, layers: number): Value {
  const { hiddenSize: d, intermediateSize: f, heads, normEpsilon } = config;
  const source = frozenParameters();
  const tokenIds = input('tokenIds', 'i64', ['B', 'T']);
  const positions = input('positions', 'i64', ['B', 'T']);
  const mask = input('mask', 'f32', ['B', 'T']);
  const norm = (name: string, x: Value) =>
    layerNorm(x, source.tensor(`${name}.weight`, [d]), source.tensor(`${name}.bias`, [d]), normEpsilon);
  const linear = (name: string, out: number, inputs: number, x: Value) =>
    source.linear(name, out, inputs, { bias: true }).apply(x);
  const table = (name: string, rows: number) =>
    source.tensor(`embeddings.${name}_embeddings.weight`, [rows, d]);
  const bias = expand(reshape(where(greater(mask, 0), 0, HIDDEN_SCORE), ['B', 1, 1, 1, 'T']), [
    'B',
    1,
    1,
    'T',
    'T',
  ]);
  let x = withScope('embed', () =>
    norm(
      'embeddings.LayerNorm',
      add(
        add(
          gatherRows(table('word', config.vocabularySize), tokenIds),
          gatherRows(table('position', config.positions), positions),
        ),
        slice(table('token_type', config.tokenTypes), 0, 0, 1),
      ),
    ),
  );
  for (let layer = 0; layer < layers; layer++) {
    const name = layerName(layer);
    x = withScope(`layers.${layer}`, () => {
      const [query, key, value] = ['query', 'key', 'value'].map((part) =>
        linear(`${name}.attention.self.${part}`, d, d, x),
      ) as [Value, Value, Value];
      const shape = { heads, keyValueHeads: heads, headSize: d / heads };
      const mixed = groupedQueryAttention(query, key, value, [bias], shape);
      const seen = norm(
        `${name}.attention.output.LayerNorm`,
        add(linear(`${name}.attention.output.dense`, d, d, mixed), x),
      );
      const wide = gelu(linear(`${name}.intermediate.dense`, f, d, seen));
      return norm(`${name}.output.LayerNorm`, add(linear(`${name}.output.dense`, d, f, wide), seen));
    });
  }
  return x;
}

/** An encoder that is ready to read texts. */
export interface OpenedEncoder extends AsyncDisposable {
  /** f32[T, D] of each sequence of ids: hidden states after the layer. */
  read(sequences: readonly (readonly number[])[]): Promise<Float32Array[]>;
}

/**
 * Compiles an encoder up to a layer.
 * @param layers 1 to all of them
 * @throws {WeightsError} for a layer that there is none of
 */
export async function openEncoder(
  { config, tokenizer, weights }: Encoder,
  layers: number,
  options: { readonly threads?: number } = {},
): Promise<OpenedEncoder> {
  if (!Number.isInteger(layers) || layers < 1 || layers > config.layers)
    throw new WeightsError(`layer: expected 1 to ${config.layers}, as the encoder has, got ${layers}`, {
      code: 'encoder/layer',
      hint: 'Name a layer of the model.',
    });
  const session = await openSession({ weights }, { hidden: hiddenStates(config, layers) }, options);
  return {
    read: async (sequences) => {
      const length = Math.max(...sequences.map((ids) => ids.length));
      const size = sequences.length * length;
      const tokenIds = new BigInt64Array(size).fill(BigInt(tokenizer.padId));
      const positions = new BigInt64Array(size);
      const mask = new Float32Array(size);
      sequences.forEach((ids, row) => {
        ids.forEach((id, t) => {
          tokenIds[row * length + t] = BigInt(id);
          positions[row * length + t] = BigInt(config.firstPosition + t);
          mask[row * length + t] = 1;
        });
      });
      const shape = [sequences.length, length];
      const { hidden } = await session.run({
        tokenIds: { data: tokenIds, shape },
        positions: { data: positions, shape },
        mask: { data: mask, shape },
      });
      const data = hidden!.data as Float32Array;
      const width = config.hiddenSize;
      return sequences.map((ids, row) =>
        data.slice(row * length * width, (row * length + ids.length) * width),
      );
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}
