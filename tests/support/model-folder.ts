/** @file A whole random model folder for tests that start from one: config, weights and a tokenizer whose sizes agree. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomStream } from '../../src/base/random.ts';
import { parseDecoderConfig } from '../../src/engine/models/hf-config.ts';
import { architectureOf } from '../../src/engine/models/registry.ts';
import { trainByteLevelBpe } from '../../src/engine/tokenizer/train-bpe.ts';
import { writeSafetensors } from '../../src/engine/weights/safetensors.ts';

const VOCABULARY_SIZE = 320;

const config = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 8,
  vocab_size: VOCABULARY_SIZE,
  max_position_embeddings: 1024,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  hidden_act: 'silu',
  tie_word_embeddings: true,
  pad_token_id: 0,
  eos_token_id: 3,
};

const chatTemplate =
  "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

/** Writes the folder; the same every time. */
export async function writeModelFolder(folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const decoder = parseDecoderConfig(config, 'config.json');
  const tensors = architectureOf(decoder)
    .parameters(decoder)
    .map(({ name, shape }) => {
      const random = randomStream(1, `tests/model/${name}`);
      const size = shape.reduce((a, b) => a * b, 1);
      // Far larger than a real start: effects of a random model must be visible.
      const data = Float32Array.from({ length: size }, () =>
        shape.length === 1 ? 1 : random.normal() * 0.3,
      );
      return { name, dtype: 'F32' as const, shape, data };
    });
  const texts = [
    'The reviewer wrote this for the user. ',
    'An earlier text by the same user, and the last one. ',
  ];
  const tokenizer = trainByteLevelBpe(texts, {
    vocabularySize: VOCABULARY_SIZE,
    specialTokens: ['<|pad|>', '<|user|>', '<|assistant|>', '<|end|>'],
    minFrequency: 1,
  });
  const write = (name: string, value: object) =>
    writeFileSync(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
  write('config.json', config);
  write('tokenizer.json', tokenizer);
  write('tokenizer_config.json', {
    tokenizer_class: 'PreTrainedTokenizerFast',
    pad_token: '<|pad|>',
    eos_token: '<|end|>',
    chat_template: chatTemplate,
  });
  await writeSafetensors(join(folder, 'model.safetensors'), tensors);
  return folder;
}
