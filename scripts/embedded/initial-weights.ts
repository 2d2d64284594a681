/** @file The embedded model's shape and its first, random weights. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomStream } from '../../src/base/random.ts';
import { architectureOf, parseDecoderConfig } from '../../src/engine/models/registry.ts';
import { writeSafetensors } from '../../src/engine/weights/safetensors.ts';
import { CONTEXT, PRETRAINING_SEED } from './corpus.ts';
import { VOCABULARY_SIZE } from './tokenizer.ts';

/** Hugging Face's config.json. */
export const config = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: 256,
  intermediate_size: 704,
  num_hidden_layers: 4,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  head_dim: 32,
  vocab_size: VOCABULARY_SIZE,
  max_position_embeddings: CONTEXT,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  hidden_act: 'silu',
  attention_bias: false,
  mlp_bias: false,
  tie_word_embeddings: true,
  pad_token_id: 0,
  bos_token_id: null,
  eos_token_id: 3,
  torch_dtype: 'float16',
};

/**
 * Normal, of deviation 1/√in for matrices, the layers' last ones smaller by √(2 · layers) as in GPT-2, and 0.02 for the
 * embedding; norms are 1. With 0.02 throughout, attention of this width starts flat, and histories were not used for long.
 */
export async function writeInitialWeights(folder: string): Promise<void> {
  writeFileSync(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  const decoder = parseDecoderConfig(config, 'config.json');
  const tensors = architectureOf(decoder)
    .parameters(decoder)
    .map(({ name, shape }) => {
      const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
      if (shape.length === 1) data.fill(1);
      else {
        const random = randomStream(PRETRAINING_SEED, `embedded/init/${name}`);
        const last = /(o_proj|down_proj)/.test(name) ? Math.sqrt(2 * decoder.layers) : 1;
        const deviation = name.includes('embed') ? 0.02 : 1 / Math.sqrt(shape[1]!) / last;
        for (let i = 0; i < data.length; i++) data[i] = random.normal() * deviation;
      }
      return { name, dtype: 'F32' as const, shape, data };
    });
  await writeSafetensors(join(folder, 'model.safetensors'), tensors);
}
