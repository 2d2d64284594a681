/** @file A whole model folder with random weights and the small tokenizer of the goldens: what a test starts from that begins with texts. */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { randomStream } from '../../src/base/random.ts';
import type { Model } from '../../src/engine/models/model.ts';
import { architectureOf, parseDecoderConfig } from '../../src/engine/models/registry.ts';
import type { HostTensor } from '../../src/engine/runtime/session.ts';
import { loadTokenizer } from '../../src/engine/tokenizer/tokenizer.ts';
import { writeSafetensors } from '../../src/engine/weights/safetensors.ts';

/** Far larger than a real start: effects of a random model must be visible. */
const WEIGHT_SCALE = 0.3;

const tinyLlama = {
  model_type: 'llama',
  architectures: ['LlamaForCausalLM'],
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 8,
  max_position_embeddings: 1024,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
  torch_dtype: 'float32',
};

/**
 * Writes config.json, model.safetensors and the tokenizer's files; the same every time for a seed.
 * @param decoder config.json but for the vocabulary's size; a tiny Llama by default
 */
export async function writeModelFolder(folder: string, seed = 0, decoder: object = tinyLlama): Promise<void> {
  await mkdir(folder, { recursive: true });
  await cp(resolve(import.meta.dirname, '../golden/tokenizer-small'), folder, { recursive: true });
  const json = { ...decoder, vocab_size: (await loadTokenizer(folder)).vocabularySize };
  await writeFile(join(folder, 'config.json'), JSON.stringify(json));
  const config = parseDecoderConfig(json, folder);
  const random = randomStream(seed, 'tests/model-folder');
  await writeSafetensors(
    join(folder, 'model.safetensors'),
    architectureOf(config)
      .parameters(config)
      .map(({ name, shape }) => {
        const size = shape.reduce((a, b) => a * b, 1);
        const data = Float32Array.from({ length: size }, () =>
          shape.length === 1 ? 1 : random.normal() * WEIGHT_SCALE,
        );
        return { name, dtype: 'F32', shape, data };
      }),
    { format: 'pt' },
  );
}

/** Weights of zero for a model, under which every token is as likely as any other. */
export function zeroWeights({ parameters }: Pick<Model, 'parameters'>): Record<string, HostTensor> {
  return Object.fromEntries(
    parameters.map(({ name, shape }) => [
      name,
      { data: new Float32Array(shape.reduce((a, b) => a * b, 1)), shape },
    ]),
  );
}
