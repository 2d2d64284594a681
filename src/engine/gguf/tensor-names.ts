/** @file What GGUF calls the parameters of each architecture, what Hugging Face calls them, and what lies between. */
import { WeightsError } from '../../base/errors.ts';
import type { FileTensor, GgufFile } from './gguf-file.ts';
import type { GgufTensor } from './header.ts';
import { asStored, interleavedHalves, lessOne, type TensorLayout, transposed } from './tensor-layout.ts';

/** Where one tensor of the file goes. */
export interface PlacedTensor {
  readonly tensor: FileTensor;
  /** Hugging Face's name. */
  readonly name: string;
  /** Hugging Face's shape. */
  readonly shape: readonly number[];
  readonly layout: TensorLayout;
}

/** How many heads the rows of queries and keys are made of. */
export interface HeadCounts {
  readonly heads: number;
  readonly keyValueHeads: number;
}

/** Hugging Face's name of each tensor; `#` stands for the layer. */
type Names = Readonly<Record<string, string>>;

const decoder: Names = {
  token_embd: 'model.embed_tokens',
  output_norm: 'model.norm',
  output: 'lm_head',
  'blk.#.attn_norm': 'model.layers.#.input_layernorm',
  'blk.#.attn_q': 'model.layers.#.self_attn.q_proj',
  'blk.#.attn_k': 'model.layers.#.self_attn.k_proj',
  'blk.#.attn_v': 'model.layers.#.self_attn.v_proj',
  'blk.#.attn_output': 'model.layers.#.self_attn.o_proj',
  'blk.#.ffn_norm': 'model.layers.#.post_attention_layernorm',
  'blk.#.ffn_gate': 'model.layers.#.mlp.gate_proj',
  'blk.#.ffn_up': 'model.layers.#.mlp.up_proj',
  'blk.#.ffn_down': 'model.layers.#.mlp.down_proj',
};

const headNorms: Names = {
  'blk.#.attn_q_norm': 'model.layers.#.self_attn.q_norm',
  'blk.#.attn_k_norm': 'model.layers.#.self_attn.k_norm',
};

const names: Readonly<Record<string, Names>> = {
  llama: decoder,
  qwen2: decoder,
  qwen3: { ...decoder, ...headNorms },
  gemma3: {
    ...decoder,
    ...headNorms,
    'blk.#.post_attention_norm': 'model.layers.#.post_attention_layernorm',
    'blk.#.ffn_norm': 'model.layers.#.pre_feedforward_layernorm',
    'blk.#.post_ffw_norm': 'model.layers.#.post_feedforward_layernorm',
  },
  gpt2: {
    token_embd: 'transformer.wte',
    position_embd: 'transformer.wpe',
    output_norm: 'transformer.ln_f',
    output: 'lm_head',
    'blk.#.attn_norm': 'transformer.h.#.ln_1',
    'blk.#.attn_qkv': 'transformer.h.#.attn.c_attn',
    'blk.#.attn_output': 'transformer.h.#.attn.c_proj',
    'blk.#.ffn_norm': 'transformer.h.#.ln_2',
    'blk.#.ffn_up': 'transformer.h.#.mlp.c_fc',
    'blk.#.ffn_down': 'transformer.h.#.mlp.c_proj',
  },
};

/** Tensors that hold no parameter: what they say goes into the config. */
const ROPE_FACTORS = 'rope_freqs.weight';

/**
 * Names, shapes and layouts of all parameters, by what llama.cpp's converter does to each architecture:
 * - llama: the rows of each query and key head are interleaved, for its way to rotate;
 * - gemma3: every norm is stored as 1 + weight;
 * - gpt2: the matrices are transposed, since Hugging Face keeps GPT-2's as [in, out].
 * @throws {WeightsError} naming a tensor that the architecture has no place for: to leave it out would be another model
 */
export function placeTensors(file: GgufFile, architecture: string, counts: HeadCounts): PlacedTensor[] {
  const known = names[architecture]!;
  return [...file.tensors.values()]
    .filter(({ name }) => name !== ROPE_FACTORS)
    .map((tensor) => {
      const [, stem = '', layer = '', part = ''] =
        /^((?:blk\.(\d+)\.)?[\w.]*)\.(weight|bias)$/.exec(tensor.name) ?? [];
      const key = layer === '' ? stem : stem.replace(`blk.${layer}.`, 'blk.#.');
      const found = Object.hasOwn(known, key) ? known[key] : undefined;
      if (found === undefined)
        throw new WeightsError(
          `${file.path}: tensor ${JSON.stringify(tensor.name)}: expected a parameter of ${architecture}, got one that it does not have`,
          { code: 'gguf/unknown-tensor', hint: 'Use a model of a supported architecture.' },
        );
      const name = `${found.replace('#', layer)}.${part}`;
      const layout = layoutOf(architecture, key, tensor, counts);
      const shape = layout.swapsAxes ? [...tensor.shape].reverse() : tensor.shape;
      return { tensor, name, shape, layout };
    });
}

function layoutOf(
  architecture: string,
  key: string,
  { shape }: GgufTensor,
  counts: HeadCounts,
): TensorLayout {
  const interleaved = interleavedHeads(architecture, key, counts);
  if (interleaved !== undefined) return interleavedHalves(shape, interleaved);
  if (architecture === 'gemma3' && key.endsWith('norm')) return lessOne;
  if (architecture === 'gpt2' && shape.length === 2 && key.startsWith('blk.')) return transposed(shape);
  return asStored;
}

/**
 * What GGUF calls a linear layer, such as `blk.3.attn_q`; undefined where it has no name for it.
 * @param layer Hugging Face's name without `.weight`
 */
export function ggufLayerName(architecture: string, layer: string): string | undefined {
  const number = /\.(\d+)\./.exec(layer)?.[1] ?? '';
  const stem = number === '' ? layer : layer.replace(`.${number}.`, '.#.');
  const found = Object.entries(names[architecture] ?? {}).find(([, name]) => name === stem);
  return found?.[0].replace('#', number);
}

/** Whether llama.cpp keeps the rows of this layer's heads interleaved, and how many heads they make; undefined where not. */
export function interleavedHeads(
  architecture: string,
  ggufLayer: string,
  { heads, keyValueHeads }: HeadCounts,
): number | undefined {
  if (architecture !== 'llama') return undefined;
  if (ggufLayer.endsWith('.attn_q')) return heads;
  return ggufLayer.endsWith('.attn_k') ? keyValueHeads : undefined;
}
