/** @file A model folder with random weights and the small tokenizer of the goldens: everything a text needs to be trained on. */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { randomStream } from '../../src/base/random.ts';
import { parseDecoderConfig } from '../../src/engine/models/hf-config.ts';
import { architectureOf } from '../../src/engine/models/registry.ts';
import { loadTokenizer } from '../../src/engine/tokenizer/tokenizer.ts';
import { writeSafetensors } from '../../src/engine/weights/safetensors.ts';

/** Writes config.json, model.safetensors and the tokenizer's files into a new folder. */
export async function writeTinyModelFolder(folder: string, seed = 0): Promise<void> {
  await mkdir(folder, { recursive: true });
  await cp(resolve(import.meta.dirname, '../golden/tokenizer-small'), folder, { recursive: true });
  const json = {
    model_type: 'llama',
    architectures: ['LlamaForCausalLM'],
    vocab_size: (await loadTokenizer(folder)).vocabularySize,
    hidden_size: 16,
    intermediate_size: 32,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    max_position_embeddings: 512,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: true,
    torch_dtype: 'float32',
  };
  await writeFile(join(folder, 'config.json'), JSON.stringify(json));
  const config = parseDecoderConfig(json, folder);
  const random = randomStream(seed, 'tests/tiny-model-folder');
  await writeSafetensors(
    join(folder, 'model.safetensors'),
    architectureOf(config)
      .parameters(config)
      .map(({ name, shape }) => {
        const size = shape.reduce((a, b) => a * b, 1);
        const data = Float32Array.from({ length: size }, () =>
          shape.length === 1 ? 1 : random.normal() / 5,
        );
        return { name, dtype: 'F32', shape, data };
      }),
    { format: 'pt' },
  );
}
