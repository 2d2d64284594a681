/**
 * @file The tokenizer.json that we write for a GGUF file has every field that Python's `tokenizers` asks for. Where
 * NEXTQUILL_PYTHON names a Python with transformers, it and AutoTokenizer open each and give the same ids.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { GgufValue } from '../../../src/engine/gguf/header.ts';
import { openGguf } from '../../../src/engine/gguf/open-gguf.ts';
import { preTokenizations } from '../../../src/engine/gguf/pre-tokenizers.ts';
import { type TokenizerFiles, tokenizerFiles } from '../../../src/engine/gguf/tokenizer-files.ts';
import { createTokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';
import { checkTokenizerJson } from '../../../src/engine/tokenizer/tokenizer-json.ts';

const folder = resolve(import.meta.dirname, '../../golden');
const python = process.env.NEXTQUILL_PYTHON;
if (python === undefined)
  console.warn('NOT RUN: our tokenizer.json in Python. Set NEXTQUILL_PYTHON to a Python with transformers.');

const texts = [
  ...[
    '',
    ' ',
    'the',
    ' the  people',
    "I'll don't WE'RE it's",
    'in 12 345 6½ days², $3+4=7!',
    'naïve façade e\u0301',
  ],
  ...[
    '日本 語',
    '😀 a😀',
    'line\n\nline\r\n\tend ',
    '  leading',
    'a\u0085b\u00a0c\u3000d',
    '   ',
    'x--- the---?!',
    'snake_case ABC',
  ],
];

/** Each kind of tokenizer that we write, by a name. */
async function written(): Promise<Map<string, TokenizerFiles>> {
  const made = new Map<string, TokenizerFiles>();
  const add = (name: string, metadata: ReadonlyMap<string, GgufValue>) =>
    made.set(name, tokenizerFiles({ path: name, files: [name], metadata, tensors: new Map() }));
  for (const name of ['llama', 'gpt2', 'qwen2', 'qwen3', 'gemma3'])
    add(`file ${name}`, (await openGguf(join(folder, 'gguf', `${name}.gguf`))).metadata);

  const { metadata: bytes } = await openGguf(join(folder, 'gguf/gpt2.gguf'));
  for (const name of Object.keys(preTokenizations))
    add(
      `bytes ${name}`,
      new Map([...bytes, ['tokenizer.ggml.pre', name], ['tokenizer.ggml.add_bos_token', true]]),
    );

  // SentencePiece as Llama 2 has it: scores or merges, with the prefix space and without.
  const { metadata: pieces } = await openGguf(join(folder, 'gguf/gemma3.gguf'));
  const tokens = pieces.get('tokenizer.ggml.tokens') as string[];
  const llama = new Map<string, GgufValue>([
    ...[...pieces].filter(([key]) => key.startsWith('tokenizer.')),
    ['general.architecture', 'llama'],
    ['tokenizer.ggml.scores', tokens.map((_, id) => -id)],
  ]);
  for (const prefix of [true, false])
    add(`pieces, prefix ${prefix}`, new Map([...llama, ['tokenizer.ggml.add_space_prefix', prefix]]));
  return made;
}

const files = await written();

/** Fields without a default in Python's `tokenizers`, by the type of the part. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  ByteLevel: ['add_prefix_space', 'trim_offsets'],
  Digits: ['individual_digits'],
  Split: ['pattern', 'behavior', 'invert'],
  Replace: ['pattern', 'content'],
  Prepend: ['prepend'],
  Strip: ['content', 'start', 'stop'],
  BPE: ['vocab', 'merges', 'unk_token', 'continuing_subword_prefix', 'end_of_word_suffix'],
};

function missingFields(part: unknown): string[] {
  if (part === null || typeof part !== 'object') return [];
  const { type } = part as { type?: string };
  const missing = (FIELDS[type ?? ''] ?? [])
    .filter((field) => !Object.hasOwn(part, field))
    .map((field) => `${type}.${field}`);
  const inner = Array.isArray(part)
    ? part
    : Object.entries(part)
        .filter(([key]) => key !== 'vocab' && key !== 'merges')
        .map(([, value]) => value);
  return [...missing, ...inner.flatMap(missingFields)];
}

// Python's tokenizers could not open our file: "missing field trim_offsets".
it.each([...files])('of %s has every field', (_, { tokenizer }) => {
  for (const key of [
    'version',
    'truncation',
    'padding',
    'added_tokens',
    'normalizer',
    'pre_tokenizer',
    'post_processor',
    'decoder',
    'model',
  ])
    expect(tokenizer).toHaveProperty(key);
  expect(missingFields(tokenizer)).toEqual([]);
});

const SCRIPT = `
import json, sys
from tokenizers import Tokenizer
from transformers import AutoTokenizer
texts = json.loads(sys.argv[1])
made = {}
for folder in sys.argv[2:]:
    plain = Tokenizer.from_file(folder + "/tokenizer.json")
    auto = AutoTokenizer.from_pretrained(folder)
    made[folder] = {
        "plain": [plain.encode(text, add_special_tokens=False).ids for text in texts],
        "auto": [auto(text, add_special_tokens=False)["input_ids"] for text in texts],
        "begun": [auto(text)["input_ids"] for text in texts],
        "decoded": [plain.decode(plain.encode(text, add_special_tokens=False).ids) for text in texts],
    }
print(json.dumps(made))
`;

describe.skipIf(python === undefined)('Python', () => {
  it('opens each, and gives our ids and texts', () => {
    const root = mkdtempSync(join(tmpdir(), 'nextquill-tokenizers-'));
    const folders = [...files].map(([name, { tokenizer, config }], i) => {
      const path = join(root, `${i}`);
      mkdirSync(path);
      writeFileSync(join(path, 'tokenizer.json'), JSON.stringify(tokenizer));
      writeFileSync(join(path, 'tokenizer_config.json'), JSON.stringify(config));
      return { name, path, config, tokenizer };
    });
    const output = execFileSync(
      python!,
      ['-c', SCRIPT, JSON.stringify(texts), ...folders.map(({ path }) => path)],
      {
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
        env: { ...process.env, HF_HUB_OFFLINE: '1', TRANSFORMERS_VERBOSITY: 'error' },
      },
    );
    const made = JSON.parse(output.trim().split('\n').at(-1)!);
    for (const { name, path, config, tokenizer } of folders) {
      const ours = createTokenizer(checkTokenizerJson(name, tokenizer), {
        hash: name,
        configs: { tokenizer: config, generation: {}, model: {} },
        chatTemplate: undefined,
      });
      for (const [i, text] of texts.entries()) {
        const { ids } = ours.encode(text);
        const where = `${name}: ${JSON.stringify(text)}`;
        expect(made[path].plain[i], where).toEqual(ids);
        expect(made[path].auto[i], where).toEqual(ids);
        expect(made[path].begun[i], where).toEqual(ours.beginId === undefined ? ids : [ours.beginId, ...ids]);
        expect(made[path].decoded[i], where).toBe(ours.decode(ids));
      }
    }
  });
});
