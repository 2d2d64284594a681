/** @file How text is cut before byte-level BPE, by the names that GGUF files use (`tokenizer.ggml.pre`). */
import { type NormalizerJson, type PreTokenizerJson, sequence, split } from '../tokenizer/tokenizer-json.ts';

/** What a name stands for in tokenizer.json. */
export interface PreTokenization {
  readonly pre_tokenizer: PreTokenizerJson;
  readonly normalizer?: NormalizerJson;
  /** Whether a word that is in the vocabulary is one token, whatever the merges say. */
  readonly ignoreMerges?: boolean;
  /** Whether a text begins with the beginning-of-text token where the file does not say. */
  readonly beginsText?: boolean;
}

const bytes: PreTokenizerJson = {
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: false,
  use_regex: false,
};
const words: PreTokenizerJson = { ...bytes, use_regex: true };

/** Llama 3's words; Qwen's differ in the digits that go together. */
const modernWords = (digits: string) =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

const gpt2: PreTokenization = { pre_tokenizer: words };
const singleDigits: PreTokenization = {
  pre_tokenizer: sequence({ type: 'Digits', individual_digits: true }, words),
};
const llama3: PreTokenization = {
  pre_tokenizer: sequence(split(modernWords('\\p{N}{1,3}')), bytes),
  ignoreMerges: true,
  beginsText: true,
};
const qwen2: PreTokenization = {
  pre_tokenizer: sequence(split(modernWords('\\p{N}')), bytes),
  // llama.cpp does not compose characters; the model was trained on text that is.
  normalizer: { type: 'NFC' },
};
/** What llama.cpp does for files that name nothing else. */
const byDefault: PreTokenization = {
  pre_tokenizer: sequence(
    split('[\\p{P}\\$\\+<=>\\^~\\|]+'),
    split("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)"),
    split('\\p{N}+'),
    split('[0-9][0-9][0-9]'),
    bytes,
  ),
};

/** The ways that we know. */
export const preTokenizations: Readonly<Record<string, PreTokenization>> = {
  default: byDefault,
  'gpt-2': gpt2,
  'phi-2': gpt2,
  mpt: gpt2,
  olmo: gpt2,
  smollm: singleDigits,
  starcoder: singleDigits,
  refact: singleDigits,
  'command-r': singleDigits,
  'llama-bpe': llama3,
  llama3,
  'llama-v3': llama3,
  qwen2,
  'deepseek-r1-qwen': qwen2,
};
