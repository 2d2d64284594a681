/** @file The parts of tokenizer.json that we read, and what must be said differently for the library to read it right. */
import { WeightsError } from '../../base/errors.ts';

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
  readonly pattern?: unknown;
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
  /** Python's `tokenizers` does not open a ByteLevel without it. */
  readonly trim_offsets?: boolean;
  readonly individual_digits?: boolean;
  readonly prepend_scheme?: string;
  readonly replacement?: string;
  readonly split?: boolean;
}

export interface BpeJson {
  readonly type?: string;
  readonly vocab: Readonly<Record<string, number>>;
  readonly merges: readonly (string | readonly [string, string])[];
  readonly unk_token?: string | null;
  readonly continuing_subword_prefix?: string | null;
  readonly end_of_word_suffix?: string | null;
  readonly byte_fallback?: boolean;
  readonly fuse_unk?: boolean;
  readonly dropout?: number | null;
}

export interface DecoderJson {
  readonly type: string;
  readonly add_prefix_space?: boolean;
  readonly trim_offsets?: boolean;
  readonly use_regex?: boolean;
  readonly decoders?: unknown;
  readonly pattern?: unknown;
  readonly content?: unknown;
  readonly start?: unknown;
  readonly stop?: unknown;
  readonly replacement?: unknown;
  readonly prepend_scheme?: unknown;
}

export interface TokenizerJson {
  readonly added_tokens: readonly AddedTokenJson[];
  readonly normalizer: NormalizerJson | null;
  readonly pre_tokenizer: PreTokenizerJson | null;
  readonly post_processor: unknown;
  readonly decoder: DecoderJson | null;
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
  const isMerge = (merge: unknown) =>
    typeof merge === 'string'
      ? merge.includes(' ')
      : Array.isArray(merge) && merge.length === 2 && merge.every((part) => typeof part === 'string');
  const badMerge = model.merges.findIndex((merge) => !isMerge(merge));
  if (badMerge >= 0)
    throw fail(
      `model.merges[${badMerge}]: expected two texts, got ${JSON.stringify(model.merges[badMerge])?.slice(0, 80)}`,
    );
  const { unk_token: unknown } = model;
  if (unknown != null && (typeof unknown !== 'string' || !Object.hasOwn(model.vocab, unknown)))
    throw fail(`model.unk_token: expected a token of the vocabulary, got ${JSON.stringify(unknown)}`);
  // Dropout makes other tokens each time.
  if (model.dropout) throw fail(`model.dropout: expected none, got ${JSON.stringify(model.dropout)}`);
  const added = json.added_tokens ?? [];
  const isAdded = (token: AddedTokenJson) =>
    typeof token?.content === 'string' && token.content !== '' && Number.isInteger(token.id) && token.id >= 0;
  if (!Array.isArray(added) || !added.every(isAdded))
    throw fail('added_tokens: expected a list of tokens with id and content, got something else');
  const part = <Part>(key: string): Part | null => {
    const value = json[key] ?? null;
    if (value !== null && !isPart(value))
      throw fail(`${key}: expected an object with a type, got another value`);
    return value as Part | null;
  };
  return {
    added_tokens: added as AddedTokenJson[],
    normalizer: part<NormalizerJson>('normalizer'),
    pre_tokenizer: part<PreTokenizerJson>('pre_tokenizer'),
    post_processor: json.post_processor ?? null,
    decoder: part<DecoderJson>('decoder'),
    model: { ...model, type: 'BPE' },
  };
}

/**
 * The error for a part that we do not do, or do not do in its place.
 * @param where the part, such as `pre_tokenizer.behavior`
 */
export function unsupported(where: string, expected: string, got: unknown): WeightsError {
  const shown = typeof got === 'string' ? got : (JSON.stringify(got) ?? 'nothing');
  return new WeightsError(`tokenizer.json: ${where}: expected ${expected}, got ${shown.slice(0, 120)}`, {
    code: 'tokenizer/unsupported',
    hint: "Use the model's own tokenizer.json, or a model whose tokenizer has such a part.",
  });
}

/** The parts of a sequence: objects with a type. @throws {WeightsError} for another value */
export function partsOf<Part extends { readonly type: string }>(
  where: string,
  value: unknown,
): readonly Part[] {
  if (Array.isArray(value) && value.every(isPart)) return value as Part[];
  throw unsupported(where, 'a list of objects with a type', value);
}

const isPart = (value: unknown) =>
  value !== null && typeof value === 'object' && typeof (value as { type?: unknown }).type === 'string';

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
