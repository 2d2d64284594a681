/** @file The parts of tokenizer.json that we read, and what must be said differently for the library to read it right. */
import { WeightsError } from '../../base/errors.ts';
import { WORD_PATTERN } from './byte-level.ts';

export interface AddedTokenJson {
  readonly id: number;
  readonly content: string;
  readonly single_word?: boolean;
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
  readonly normalized?: boolean;
  readonly special?: boolean;
}

export interface NormalizerJson {
  readonly type: string;
  readonly normalizers?: readonly NormalizerJson[];
  readonly content?: string;
  readonly prepend?: string;
  readonly strip_left?: boolean;
  readonly strip_right?: boolean;
}

export interface PreTokenizerJson {
  readonly type: string;
  readonly pretokenizers?: readonly PreTokenizerJson[];
  readonly pattern?: { readonly Regex?: string; readonly String?: string };
  readonly behavior?: string;
  readonly invert?: boolean;
  readonly use_regex?: boolean;
  readonly add_prefix_space?: boolean;
  readonly individual_digits?: boolean;
  readonly prepend_scheme?: string;
  readonly replacement?: string;
}

export interface BpeJson {
  readonly type?: string;
  readonly vocab: Readonly<Record<string, number>>;
  readonly merges: readonly (string | readonly [string, string])[];
  readonly unk_token?: string | null;
  readonly continuing_subword_prefix?: string | null;
  readonly end_of_word_suffix?: string | null;
  readonly byte_fallback?: boolean;
}

export interface TokenizerJson {
  readonly added_tokens: readonly AddedTokenJson[];
  readonly normalizer: NormalizerJson | null;
  readonly pre_tokenizer: PreTokenizerJson | null;
  readonly post_processor: unknown;
  readonly decoder: unknown;
  readonly model: BpeJson;
}

/**
 * Checks that an object is a tokenizer.json that we can read.
 * @param file its path, for messages
 * @throws {WeightsError} when it is no BPE tokenizer or its parts are missing
 */
export function checkTokenizerJson(file: string, json: Readonly<Record<string, unknown>>): TokenizerJson {
  const fail = (what: string) =>
    new WeightsError(`${file}: ${what}`, {
      code: 'tokenizer/unsupported',
      hint: 'Use a tokenizer.json with a BPE model, as decoders have.',
    });
  const model = json.model as BpeJson | undefined;
  const type = model?.type ?? (model?.merges ? 'BPE' : undefined);
  if (type !== 'BPE') throw fail(`model.type: expected BPE, got ${JSON.stringify(type) ?? 'nothing'}`);
  if (model === undefined || typeof model.vocab !== 'object' || model.vocab === null)
    throw fail('model.vocab: expected an object, got none');
  if (!Array.isArray(model.merges)) throw fail('model.merges: expected a list, got none');
  for (const [token, id] of Object.entries(model.vocab))
    if (!Number.isInteger(id) || id < 0 || id >= 2 ** 24)
      throw fail(`model.vocab: expected ids below 2^24, got ${id} for ${JSON.stringify(token)}`);
  for (const key of ['continuing_subword_prefix', 'end_of_word_suffix'] as const)
    if (model[key]) throw fail(`model.${key}: expected none, got ${JSON.stringify(model[key])}`);
  const added = json.added_tokens ?? [];
  const isAdded = (token: AddedTokenJson) =>
    typeof token?.content === 'string' && token.content !== '' && Number.isInteger(token.id) && token.id >= 0;
  if (!Array.isArray(added) || !added.every(isAdded))
    throw fail('added_tokens: expected a list of tokens with id and content, got something else');
  return {
    added_tokens: added as AddedTokenJson[],
    normalizer: (json.normalizer ?? null) as NormalizerJson | null,
    pre_tokenizer: (json.pre_tokenizer ?? null) as PreTokenizerJson | null,
    post_processor: json.post_processor ?? null,
    decoder: json.decoder ?? null,
    model: { ...model, type: 'BPE' },
  };
}

/**
 * The pre-tokenizer in words that the library reads as Python's `tokenizers` does: the library's own GPT-2 pattern
 * and digits follow JavaScript's white space and ASCII.
 * @throws {WeightsError} naming what the library would read wrongly
 */
export function portablePreTokenizer(config: PreTokenizerJson): PreTokenizerJson {
  switch (config.type) {
    case 'Sequence':
      return { type: 'Sequence', pretokenizers: (config.pretokenizers ?? []).map(portablePreTokenizer) };
    case 'ByteLevel': {
      const bytes: PreTokenizerJson = { ...config, use_regex: false, add_prefix_space: false };
      return config.use_regex === false ? bytes : sequence(split(WORD_PATTERN), bytes);
    }
    case 'Digits':
      return split(config.individual_digits ? '\\p{N}' : '\\p{N}+');
    case 'Split': {
      const behavior = (config.behavior ?? 'Isolated').toLowerCase();
      // Gemma splits at spaces after its normalizer has replaced all of them: never met.
      const isIdle = config.pattern?.String === ' ';
      if (!isIdle && ((behavior !== 'isolated' && behavior !== 'removed') || config.invert)) break;
      return config;
    }
    case 'Metaspace':
      return { type: 'Sequence', pretokenizers: [] }; // done while normalising, where places are tracked
    case 'WhitespaceSplit':
      return config;
  }
  throw new WeightsError(
    `tokenizer.json: pre_tokenizer: expected Sequence, ByteLevel, Digits, Metaspace, WhitespaceSplit or Split (isolated or removed), got ${config.type} ${config.behavior ?? ''}`.trim(),
    { code: 'tokenizer/unsupported', hint: 'Use a model whose tokenizer has one of these.' },
  );
}

export const sequence = (...pretokenizers: PreTokenizerJson[]): PreTokenizerJson => ({
  type: 'Sequence',
  pretokenizers,
});
export const split = (Regex: string): PreTokenizerJson => ({
  type: 'Split',
  pattern: { Regex },
  behavior: 'Isolated',
  invert: false,
});
