/** @file Trains the embedded model's tokenizer on its corpus and writes the tokenizer files of models/embedded. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { trainByteLevelBpe } from '../../src/engine/tokenizer/train-bpe.ts';
import { corpusTexts } from './corpus.ts';

/** Special tokens: padding, and the marks of the turns. */
const SPECIAL_TOKENS = ['<|pad|>', '<|user|>', '<|assistant|>', '<|end|>'];
export const VOCABULARY_SIZE = 4096;

/** One turn of each, which is all that a prompt needs. */
const CHAT_TEMPLATE =
  "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

export function writeTokenizer(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const tokenizer = trainByteLevelBpe(corpusTexts(), {
    vocabularySize: VOCABULARY_SIZE,
    specialTokens: SPECIAL_TOKENS,
  });
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    pad_token: '<|pad|>',
    eos_token: '<|end|>',
    clean_up_tokenization_spaces: false,
    chat_template: CHAT_TEMPLATE,
  };
  writeFileSync(join(folder, 'tokenizer.json'), `${JSON.stringify(tokenizer)}\n`);
  writeFileSync(join(folder, 'tokenizer_config.json'), `${JSON.stringify(config, null, 2)}\n`);
}
