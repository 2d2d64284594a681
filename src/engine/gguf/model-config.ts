/** @file The config.json that Hugging Face would have for the model of a GGUF file, from its metadata. */
import { WeightsError } from '../../base/errors.ts';
import { type GgufFile, metadataValue, optionalValue } from './gguf-file.ts';
import type { Hyperparameters } from './hyperparameters.ts';
import { ropeScaling } from './rope-scaling.ts';
import { unreadKeys } from './unread-keys.ts';

type Json = Record<string, unknown>;

/** What each architecture has beyond the shape of a decoder. */
const configOf: Readonly<Record<string, (parameters: Hyperparameters) => Json>> = {
  llama: (p) => {
    const hasBias = (part: string) => p.file.tensors.has(`blk.0.${part}.bias`);
    return {
      ...rotaryDecoder(p),
      ...ropeScaling(p),
      model_type: 'llama',
      architectures: ['LlamaForCausalLM'],
      hidden_act: 'silu',
      attention_bias: hasBias('attn_q'),
      mlp_bias: hasBias('ffn_up'),
    };
  },
  qwen2: (p) => ({
    ...rotaryDecoder(p),
    ...ropeScaling(p),
    model_type: 'qwen2',
    architectures: ['Qwen2ForCausalLM'],
    hidden_act: 'silu',
    use_sliding_window: false,
  }),
  qwen3: (p) => ({
    ...rotaryDecoder(p),
    ...ropeScaling(p),
    model_type: 'qwen3',
    architectures: ['Qwen3ForCausalLM'],
    hidden_act: 'silu',
    attention_bias: p.file.tensors.has('blk.0.attn_q.bias'),
    use_sliding_window: false,
  }),
  gemma3: (p) => {
    const layers = p.number('block_count');
    const pattern = p.optional('attention.sliding_window_pattern') ?? 6;
    return {
      ...rotaryDecoder(p, 1_000_000),
      ...ropeScaling(p),
      model_type: 'gemma3_text',
      architectures: ['Gemma3ForCausalLM'],
      hidden_activation: 'gelu_pytorch_tanh',
      attention_bias: false,
      rope_local_base_freq: p.optional('rope.freq_base_swa') ?? 10_000,
      sliding_window: p.number('attention.sliding_window'),
      layer_types: Array.from({ length: layers }, (_, layer) =>
        (layer + 1) % pattern === 0 ? 'full_attention' : 'sliding_attention',
      ),
      // No key holds it; llama.cpp too knows the one model that differs by its number of layers.
      query_pre_attn_scalar:
        layers === 62 ? p.number('embedding_length') / p.number('attention.head_count') : headSize(p),
      attn_logit_softcapping: null,
      final_logit_softcapping: p.optional('final_logit_softcapping') ?? null,
    };
  },
  gpt2: (p) => ({
    ...everyModel(p),
    model_type: 'gpt2',
    architectures: ['GPT2LMHeadModel'],
    activation_function: 'gelu_new',
    n_embd: p.number('embedding_length'),
    n_layer: p.number('block_count'),
    n_head: p.number('attention.head_count'),
    n_inner: p.number('feed_forward_length'),
    n_positions: p.number('context_length'),
    layer_norm_epsilon: p.number('attention.layer_norm_epsilon'),
  }),
};

/** Architectures that we can read from GGUF, by llama.cpp's names. */
export const ggufArchitectures: readonly string[] = Object.keys(configOf);

/** The architecture that a file names. @throws {WeightsError} when it is none that we know */
export function ggufArchitecture(file: GgufFile): string {
  const name = metadataValue(file, 'general.architecture', 'string');
  if (Object.hasOwn(configOf, name)) return name;
  throw new WeightsError(
    `${file.path}: general.architecture: expected one of ${ggufArchitectures.join(', ')}, got ${JSON.stringify(name)}`,
    { code: 'gguf/architecture', hint: 'Use a model of a supported architecture.' },
  );
}

/**
 * The config.json of the model in a file, by Hugging Face's keys.
 * @param ropeFactors f32[E / 2], the tensor `rope_freqs.weight` where the file has one
 * @param onWarning told of keys of the architecture that are not known
 * @throws {WeightsError} naming the key of the metadata that is missing or asks for what config.json cannot say
 */
export function modelConfig(
  file: GgufFile,
  ropeFactors?: Float32Array,
  onWarning: (message: string) => void = () => {},
): Json {
  const architecture = ggufArchitecture(file);
  const read = new Set(['rope.scaling.type']);
  const parameters: Hyperparameters = {
    file,
    architecture,
    number: (key) => {
      read.add(key);
      const name = `${architecture}.${key}`;
      return numberOf(file, name) ?? metadataValue(file, name, 'number');
    },
    optional: (key) => {
      read.add(key);
      return numberOf(file, `${architecture}.${key}`);
    },
    ropeFactors,
  };
  if ((parameters.optional('expert_count') ?? 0) > 0)
    throw new WeightsError(
      `${file.path}: ${architecture}.expert_count: expected a dense model, got experts`,
      {
        code: 'gguf/unsupported',
        hint: 'Use a model without experts.',
      },
    );
  const config = configOf[architecture]!(parameters);
  const unknown = unreadKeys(parameters, file, new Set(read));
  if (unknown.length > 0)
    onWarning(
      `${file.path}: keys of the metadata that are not known are not used: ${unknown.slice(0, 10).join(', ')}${unknown.length > 10 ? ` and ${unknown.length - 10} more` : ''}`,
    );
  return config;
}

/** A number, or a list that says the same number for every layer. */
function numberOf(file: GgufFile, key: string): number | undefined {
  const value = file.metadata.get(key);
  const numbers = Array.isArray(value) ? (value as readonly unknown[]) : [];
  const isSame = numbers.length > 0 && numbers.every((one) => one === numbers[0]);
  if (isSame && typeof numbers[0] === 'number') return numbers[0];
  return optionalValue(file, key, 'number');
}

function everyModel({ file }: Hyperparameters): Json {
  const embedding = file.tensors.get('token_embd.weight');
  if (embedding === undefined || embedding.shape.length !== 2)
    throw new WeightsError(`${file.path}: expected a matrix "token_embd.weight", got none`, {
      code: 'weights/missing-tensor',
      hint: 'Convert the model to GGUF again.',
    });
  const id = (name: string) => optionalValue(file, `tokenizer.ggml.${name}_token_id`, 'number') ?? null;
  return {
    vocab_size: embedding.shape[0],
    // Without a head of its own, a model uses the embedding table.
    tie_word_embeddings: !file.tensors.has('output.weight'),
    bos_token_id: id('bos'),
    eos_token_id: id('eos'),
    pad_token_id: id('padding'),
    dtype: 'float32',
  };
}

function headSize(p: Hyperparameters): number {
  return (
    p.optional('attention.key_length') ?? p.number('embedding_length') / p.number('attention.head_count')
  );
}

function rotaryDecoder(p: Hyperparameters, theta = 10_000): Json {
  const size = headSize(p);
  for (const key of ['attention.value_length', 'rope.dimension_count'])
    if ((p.optional(key) ?? size) !== size)
      throw new WeightsError(
        `${p.file.path}: ${p.architecture}.${key}: expected the head size ${size}, got ${p.optional(key)}`,
        {
          code: 'gguf/unsupported',
          hint: 'Use a model whose heads are all of one size, and rotated as a whole.',
        },
      );
  return {
    ...everyModel(p),
    hidden_size: p.number('embedding_length'),
    intermediate_size: p.number('feed_forward_length'),
    num_hidden_layers: p.number('block_count'),
    num_attention_heads: p.number('attention.head_count'),
    num_key_value_heads: p.optional('attention.head_count_kv') ?? p.number('attention.head_count'),
    head_dim: size,
    max_position_embeddings: p.number('context_length'),
    rms_norm_eps: p.number('attention.layer_norm_rms_epsilon'),
    rope_theta: p.optional('rope.freq_base') ?? theta,
  };
}
