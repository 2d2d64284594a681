/**
 * @file Compares a real tokenizer.json with the tokenizer that its vocabulary makes in a GGUF file: the same ids?
 *
 * Run: npx tsx tests/golden/make/compare-gguf-tokenizer.ts FOLDER PRE TEXTS.json
 * FOLDER holds tokenizer.json and tokenizer_config.json; PRE is what `tokenizer.ggml.pre` would be, or `gemma`; the
 * texts are those of nasty-texts.py.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GgufValue } from '../../../src/engine/gguf/header.ts';
import { tokenizerFiles } from '../../../src/engine/gguf/tokenizer-files.ts';
import { createTokenizer, loadTokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';
import { checkTokenizerJson, type TokenizerJson } from '../../../src/engine/tokenizer/tokenizer-json.ts';

const [folder, pre, textsFile] = process.argv.slice(2) as [string, string, string];
const texts = JSON.parse(await readFile(textsFile, 'utf8')) as string[];
const json = JSON.parse(await readFile(join(folder, 'tokenizer.json'), 'utf8')) as TokenizerJson;
const isGemma = pre === 'gemma';

const tokens: string[] = [];
const kinds: number[] = [];
for (const [token, id] of Object.entries(json.model.vocab)) {
  tokens[id] = token;
  kinds[id] = 1;
}
for (const { id, content, special } of json.added_tokens) {
  tokens[id] = content;
  kinds[id] = special ? 3 : 4;
}
for (let id = 0; id < tokens.length; id++) {
  tokens[id] ??= `[PAD${id}]`;
  kinds[id] ??= 5;
  if (!isGemma) continue;
  if (/^<0x[0-9A-F]{2}>$/.test(tokens[id]!)) kinds[id] = 6;
  if (tokens[id] === '<unk>') kinds[id] = 2;
  if (/^▁{2,}$/.test(tokens[id]!)) tokens[id] = ' '.repeat(tokens[id]!.length);
}
const metadata = new Map<string, GgufValue>([
  ['general.architecture', isGemma ? 'gemma3' : 'llama'],
  ['tokenizer.ggml.model', isGemma ? 'llama' : 'gpt2'],
  ['tokenizer.ggml.tokens', tokens],
  ['tokenizer.ggml.token_type', kinds],
  ['tokenizer.ggml.eos_token_id', json.added_tokens[0]!.id],
]);
if (isGemma) metadata.set('tokenizer.ggml.add_space_prefix', false);
else {
  metadata.set('tokenizer.ggml.pre', pre);
  metadata.set(
    'tokenizer.ggml.merges',
    json.model.merges.map((merge) => (typeof merge === 'string' ? merge : merge.join(' '))),
  );
}
const made = tokenizerFiles({ path: folder, files: [folder], metadata, tensors: new Map() });
const ours = createTokenizer(checkTokenizerJson(folder, made.tokenizer), {
  hash: '',
  configs: { tokenizer: made.config, generation: {}, model: {} },
  chatTemplate: undefined,
});
const real = await loadTokenizer(folder);
const differing = texts.filter((text) => String(ours.encode(text).ids) !== String(real.encode(text).ids));
for (const text of differing.slice(0, 5)) console.log(JSON.stringify(text.slice(0, 80)));
console.log(`${folder}: ${texts.length} texts, ${differing.length} differ`);
