/** @file The tokenizer's files damaged: tokenizer.json, tokenizer_config.json, special_tokens_map.json and chat_template.jinja. */
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RandomStream } from '../../src/base/random.ts';
import { loadTokenizer } from '../../src/engine/tokenizer/tokenizer.ts';
import { promptIds } from '../../src/method/prompts/pair.ts';
import { type MutationTarget, mutateBytes, mutateJson, mutateText } from './mutations.ts';

const golden = (name: string) => fileURLToPath(new URL(`../golden/${name}`, import.meta.url));
const TEXT = 'The Senate\n\u00a0of 12 “naïve” 日本 😀 <|user|>  e\u0301\t';
const FOLDERS = ['tokenizer-small', 'tokenizer-fallback'];

const foldersOf = new Map<string, string>();

/** A copy of a tokenizer's folder for one kind of mutants, made once. */
function folderFor(source: string, name: string): string {
  const key = `${source}/${name}`;
  let folder = foldersOf.get(key);
  if (folder === undefined) {
    folder = mkdtempSync(join(tmpdir(), 'nextquill-mutation-'));
    cpSync(golden(source), folder, { recursive: true });
    writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(shortened(source)));
    foldersOf.set(key, folder);
  }
  return folder;
}

/** Reads a tokenizer with one file as given; its texts are cut into tokens, put into a prompt, and joined again. */
async function read(source: string, name: string, content: string | Uint8Array): Promise<void> {
  const folder = folderFor(source, name);
  writeFileSync(join(folder, name), content);
  const tokenizer = await loadTokenizer(folder);
  const { ids } = tokenizer.encode(TEXT);
  tokenizer.decode(ids);
  for (const id of ids) tokenizer.tokenText(id);
  promptIds('a query', [], tokenizer, 'default');
}

function jsonTarget(name: string, makeValue: (folder: string) => unknown): MutationTarget {
  const values = FOLDERS.map(makeValue);
  const encoder = new TextEncoder();
  return {
    name,
    tryMutant: (random) => {
      const at = random.integer(FOLDERS.length);
      const isBytes = random.next() < 0.1;
      const content = isBytes
        ? mutateBytes(encoder.encode(JSON.stringify(values[at])), random)
        : JSON.stringify(mutateJson(values[at], random));
      return read(FOLDERS[at]!, name, content);
    },
  };
}

const json = (folder: string, name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(golden(folder), name), 'utf8'));

/** A tokenizer.json with its first merges only, so that many mutants are read in little time. */
function shortened(folder: string): Record<string, unknown> {
  const whole = json(folder, 'tokenizer.json');
  const model = whole.model as { vocab: Record<string, number>; merges: (string | [string, string])[] };
  const merges = model.merges.slice(0, 40);
  const made = new Set(
    merges.map((merge) => (typeof merge === 'string' ? merge.split(' ') : merge).join('')),
  );
  const isKept = (token: string) => [...token].length === 1 || /^<.*>$/.test(token) || made.has(token);
  const vocab = Object.fromEntries(Object.entries(model.vocab).filter(([token]) => isKept(token)));
  return { ...whole, model: { ...model, merges, vocab } };
}

const llama3 = json('', 'tokenizer-llama3-encodings.json').patch as object;

const TEMPLATE =
  "{%- set first = messages[0] -%}\n{{ bos_token }}{% for m in messages %}\n{{ '<|' + m['role'] + '|>\\n' }}" +
  "{% if m.content is string and loop.index0 >= 0 %}{{ m.content | trim }}{% else %}{{ raise_exception('no') }}{% endif %}" +
  '<|end|>\n{% endfor %}{% for i in range(3) %}{{ i }}{% endfor %}{% macro f(x) %}{{ x * 2 }}{% endmacro %}{{ f(2) }}' +
  "{{ strftime_now('%d %b %Y') }}{% if add_generation_prompt %}<|assistant|>\n{% endif %}";

export const tokenizerTargets: readonly MutationTarget[] = [
  jsonTarget('tokenizer.json', (folder) => ({
    ...shortened(folder),
    ...(folder === 'tokenizer-small' ? llama3 : {}),
  })),
  jsonTarget('tokenizer_config.json', (folder) => ({
    chat_template: [{ name: 'default', template: TEMPLATE }],
    ...json(folder, 'tokenizer_config.json'),
    additional_special_tokens: ['<|user|>'],
    added_tokens_decoder: { '1': { content: '<|user|>', special: true } },
  })),
  jsonTarget('special_tokens_map.json', () => ({
    bos_token: '<|user|>',
    eos_token: { content: '<|end|>', lstrip: false },
    additional_special_tokens: ['<|pad|>'],
  })),
  {
    name: 'chat_template.jinja',
    tryMutant: (random: RandomStream) =>
      read('tokenizer-small', 'chat_template.jinja', mutateText(TEMPLATE, random)),
  },
];
