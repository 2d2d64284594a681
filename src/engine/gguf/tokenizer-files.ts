/** @file The tokenizer of a GGUF file as Hugging Face's tokenizer.json and tokenizer_config.json. */
import { WeightsError } from '../../base/errors.ts';
import { addedTokenEntry } from '../tokenizer/added-tokens.ts';
import { BYTE_OF_CHARACTER, toByteCharacters } from '../tokenizer/byte-level.ts';
import type { BpeJson, NormalizerJson, TokenizerJson } from '../tokenizer/tokenizer-json.ts';
import { type GgufFile, metadataValue, optionalValue } from './gguf-file.ts';
import { mergesByScore } from './merges-by-score.ts';
import { type PreTokenization, preTokenizations } from './pre-tokenizers.ts';

/** Kinds of tokens, by the numbers of `tokenizer.ggml.token_type`. */
const NORMAL = 1;
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;

export interface TokenizerFiles {
  readonly tokenizer: Readonly<Record<string, unknown>>;
  readonly config: Readonly<Record<string, unknown>>;
}

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly kinds: readonly number[];
}

/** A tokenizer.json without its added tokens, and whether a text begins with the beginning-of-text token by default. */
interface Model {
  readonly json: Omit<TokenizerJson, 'added_tokens' | 'post_processor'>;
  readonly tokens: readonly string[];
  readonly beginsText: boolean;
}

/**
 * The files of the tokenizer that a GGUF file holds.
 * @throws {WeightsError} for a kind of tokenizer that we do not know, and for lists that do not fit each other
 */
export function tokenizerFiles(file: GgufFile): TokenizerFiles {
  const kind = metadataValue(file, 'tokenizer.ggml.model', 'string');
  const build = Object.hasOwn(models, kind) ? models[kind]! : undefined;
  if (build === undefined)
    throw unsupported(file, 'tokenizer.ggml.model', `gpt2 (byte-level BPE) or llama (SentencePiece)`, kind);
  const tokens = metadataValue(file, 'tokenizer.ggml.tokens', 'strings');
  const kinds = optionalValue(file, 'tokenizer.ggml.token_type', 'numbers') ?? tokens.map(() => NORMAL);
  checkVocabulary(file, { tokens, kinds });
  const model = build(file, { tokens, kinds });
  const flag = (name: string) => optionalValue(file, `tokenizer.ggml.add_${name}_token`, 'boolean');
  const named = (name: string) => {
    const id = optionalValue(file, `tokenizer.ggml.${name}_token_id`, 'number');
    return id === undefined ? undefined : model.tokens[id];
  };
  const begin = (flag('bos') ?? model.beginsText) ? named('bos') : undefined;
  const end = flag('eos') ? named('eos') : undefined;
  const isAdded = (kind: number) => kind === CONTROL || kind === USER_DEFINED || kind === UNKNOWN;
  return {
    tokenizer: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: model.tokens.flatMap((content, id) =>
        isAdded(kinds[id]!) ? [addedTokenEntry(id, content, kinds[id] !== USER_DEFINED)] : [],
      ),
      ...model.json,
      post_processor: around(begin, end, (token) => model.tokens.indexOf(token)),
    },
    config: {
      tokenizer_class: 'PreTrainedTokenizerFast',
      bos_token: named('bos') ?? null,
      eos_token: named('eos') ?? null,
      unk_token: named('unknown') ?? null,
      pad_token: named('padding') ?? null,
      add_bos_token: flag('bos') ?? model.beginsText,
      add_eos_token: flag('eos') ?? false,
      chat_template: optionalValue(file, 'tokenizer.chat_template', 'string') ?? null,
      clean_up_tokenization_spaces: false,
    },
  };
}

/** A post-processor that puts the begin token before each text and the end token behind it; null where there is neither. */
function around(
  begin: string | undefined,
  end: string | undefined,
  idOf: (token: string) => number,
): unknown {
  const tokens = [begin, end].filter((token) => token !== undefined);
  if (tokens.length === 0) return null;
  const special = (token: string | undefined, type_id: number) =>
    token === undefined ? [] : [{ SpecialToken: { id: token, type_id } }];
  const sequence = (id: 'A' | 'B', type_id: number) => [
    ...special(begin, type_id),
    { Sequence: { id, type_id } },
    ...special(end, type_id),
  ];
  return {
    type: 'TemplateProcessing',
    single: sequence('A', 0),
    pair: [...sequence('A', 0), ...sequence('B', 1)],
    special_tokens: Object.fromEntries(
      tokens.map((token) => [token, { id: token, ids: [idOf(token)], tokens: [token] }]),
    ),
  };
}

/**
 * generation_config.json: every token at which the file says that a text ends; the end of a turn and of a message may have
 * tokens of their own beside the end of the text.
 * @throws {WeightsError} for a token that is not in the vocabulary
 */
export function generationConfig(file: GgufFile): Readonly<Record<string, unknown>> {
  // A file whose tokenizer lies beside it may hold none.
  const count = optionalValue(file, 'tokenizer.ggml.tokens', 'strings')?.length ?? Number.POSITIVE_INFINITY;
  const ids = ['eos', 'eot', 'eom'].flatMap((name) => {
    const key = `tokenizer.ggml.${name}_token_id`;
    const id = optionalValue(file, key, 'number');
    if (id === undefined) return [];
    if (Number.isInteger(id) && id >= 0 && id < count) return [id];
    throw unsupported(file, key, `one of ${count} tokens`, String(id));
  });
  return { eos_token_id: [...new Set(ids)] };
}

const models: Readonly<Record<string, (file: GgufFile, vocabulary: Vocabulary) => Model>> = {
  gpt2: byteLevel,
  llama: sentencePiece,
};

function byteLevel(file: GgufFile, { tokens, kinds }: Vocabulary): Model {
  const name = optionalValue(file, 'tokenizer.ggml.pre', 'string') ?? 'default';
  const cut: PreTokenization | undefined = Object.hasOwn(preTokenizations, name)
    ? preTokenizations[name]
    : undefined;
  if (cut === undefined)
    throw unsupported(file, 'tokenizer.ggml.pre', `one of ${Object.keys(preTokenizations).join(', ')}`, name);
  // Tokens that texts are cut into are spelled in the bytes' alphabet; some converters write added ones plainly too.
  const spelled = tokens.map((token, id) =>
    kinds[id] !== NORMAL || [...token].every((c) => BYTE_OF_CHARACTER.has(c))
      ? token
      : toByteCharacters(token),
  );
  return {
    tokens: spelled,
    beginsText: cut.beginsText ?? false,
    json: {
      normalizer: cut.normalizer ?? null,
      pre_tokenizer: cut.pre_tokenizer,
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: {
        ...bpe(file, spelled, mergesOf(file)),
        ignore_merges: cut.ignoreMerges ?? false,
      } as BpeJson,
    },
  };
}

function sentencePiece(file: GgufFile, { tokens, kinds }: Vocabulary): Model {
  const isGemma = metadataValue(file, 'general.architecture', 'string').startsWith('gemma');
  // Files of Gemma hold runs of spaces as they are; its other pieces write a space as ▁.
  const spelled = tokens.map((token) => (/^ {2,}$/.test(token) ? '▁'.repeat(token.length) : token));
  const given = optionalValue(file, 'tokenizer.ggml.merges', 'strings');
  // Gemma's scores are not the order in which its pieces are joined; its ids are.
  const scores = given || isGemma ? [] : metadataValue(file, 'tokenizer.ggml.scores', 'numbers');
  const rankOf = (id: number): number => {
    // Runs of spaces are joined before all else, as long as they can be.
    if (isGemma && /^▁{2,}$/.test(spelled[id]!)) return -spelled[id]!.length;
    return isGemma ? id : -(scores[id] ?? 0);
  };
  const merges =
    given === undefined
      ? mergesByScore(spelled, rankOf, (id) => kinds[id] === NORMAL || kinds[id] === USER_DEFINED)
      : mergesOf(file);
  const prefix = optionalValue(file, 'tokenizer.ggml.add_space_prefix', 'boolean') ?? true;
  const spaces: NormalizerJson = {
    type: 'Replace',
    pattern: { String: ' ' },
    content: '▁',
  } as NormalizerJson;
  const unknown = spelled[kinds.indexOf(UNKNOWN)];
  return {
    tokens: spelled,
    beginsText: true,
    json: {
      normalizer: prefix
        ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, spaces] }
        : spaces,
      pre_tokenizer: null,
      decoder: {
        type: 'Sequence',
        decoders: [
          { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
          { type: 'ByteFallback' },
          { type: 'Fuse' },
          ...(prefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
        ],
      },
      model: {
        ...bpe(file, spelled, merges),
        ...(unknown === undefined ? {} : { unk_token: unknown }),
        fuse_unk: true,
        byte_fallback: true,
      } as BpeJson,
    },
  };
}

function bpe(file: GgufFile, tokens: readonly string[], merges: BpeJson['merges']): BpeJson {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  if (ids.size !== tokens.length)
    throw unsupported(
      file,
      'tokenizer.ggml.tokens',
      'each token once',
      `${tokens.length - ids.size} of them again`,
    );
  return {
    type: 'BPE',
    vocab: Object.fromEntries(ids),
    merges,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
  };
}

function mergesOf(file: GgufFile): [string, string][] {
  return metadataValue(file, 'tokenizer.ggml.merges', 'strings').map((merge) => {
    // A part may itself begin with a space.
    const at = merge.indexOf(' ', 1);
    if (at > 0) return [merge.slice(0, at), merge.slice(at + 1)];
    throw unsupported(file, 'tokenizer.ggml.merges', 'two parts with a space between', JSON.stringify(merge));
  });
}

function checkVocabulary(file: GgufFile, { tokens, kinds }: Vocabulary): void {
  const scores = optionalValue(file, 'tokenizer.ggml.scores', 'numbers');
  for (const [key, list] of [
    ['token_type', kinds],
    ['scores', scores],
  ] as const)
    if (list !== undefined && list.length !== tokens.length)
      throw unsupported(
        file,
        `tokenizer.ggml.${key}`,
        `${tokens.length} of them, one for each token`,
        `${list.length}`,
      );
}

function unsupported(file: GgufFile, key: string, expected: string, got: string): WeightsError {
  return new WeightsError(`${file.path}: ${key}: expected ${expected}, got ${got}`, {
    code: 'gguf/tokenizer',
    hint: 'Put the model’s tokenizer.json beside the file; it is then used instead.',
  });
}
