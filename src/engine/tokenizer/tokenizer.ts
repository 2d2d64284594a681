/** @file A model's tokenizer: text to ids with the place of each token, and back; user text never becomes special. */
import { join } from 'node:path';
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { ShapeError } from '../../base/errors.ts';
import { sha256 } from '../../base/hash.ts';
import { missingFile, parseJsonObject, readIfThere } from '../../base/json-file.ts';
import { addedTokenFinder } from './added-tokens.ts';
import { chatPieces } from './chat-template.ts';
import { normalizerOf } from './normalizer.ts';
import { bytesOfToken, type Encoding, spansOfTokens, type TokenSpelling } from './offsets.ts';
import { prefixer } from './prefix-space.ts';
import * as special from './special-tokens.ts';
import { checkTokenizerJson, portablePreTokenizer, type TokenizerJson } from './tokenizer-json.ts';
import { sliceTracked, type TrackedText, trackOriginal } from './tracked-text.ts';

export type { Encoding } from './offsets.ts';

/** A stretch of a text: the template's own, where special tokens count, or a user's, where they are only text. */
export interface TextPart {
  readonly text: string;
  readonly isTemplate: boolean;
}

/** A model's tokenizer. */
export interface Tokenizer {
  /** One more than the largest id; a model may have more rows. */
  readonly vocabularySize: number;
  /** SHA-256 of tokenizer.json. */
  readonly hash: string;
  /** Ends a response; training fits it too. */
  readonly endOfTurnId: number;
  /** Tokens at which generation ends: the end of a turn, and what the model's configuration adds. */
  readonly endIds: readonly number[];
  /** The token that a text begins with, where the tokenizer puts one. */
  readonly beginId: number | undefined;
  readonly padId: number;
  /** Jinja source of the chat template. */
  readonly chatTemplate: string | undefined;
  /** Texts of `bos_token` and the like, for the chat template. */
  readonly specialTokenTexts: special.SpecialTokenTexts;
  /** Plain text: never yields a special token, even if the text spells one; adds none. */
  encode(text: string): Encoding;
  /** Text of a template: special tokens are recognised; adds none. */
  encodeTemplate(text: string): number[];
  /** A template's and a user's texts in one: stretches without a special token between them are encoded together. */
  encodeParts(parts: readonly TextPart[]): number[];
  /** The text of ids, special tokens included; bytes that are no UTF-8 become U+FFFD. */
  decode(ids: readonly number[]): string;
  /** The text of one token, its leading space included; U+FFFD for part of a character. */
  tokenText(id: number): string;
  isSpecial(id: number): boolean;
}

/**
 * Loads the tokenizer of a model folder: tokenizer.json and, where they are, tokenizer_config.json,
 * chat_template.jinja, generation_config.json and config.json.
 * @throws {WeightsError} when a file is missing, cut, or asks for something that is not supported
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const file = join(folder, 'tokenizer.json');
  const source = await readIfThere(file);
  if (source === undefined) throw missingFile(file, 'none');
  const configOf = async (name: string) => {
    const text = await readIfThere(join(folder, name));
    return text === undefined ? {} : parseJsonObject(join(folder, name), text);
  };
  const configs = {
    tokenizer: await configOf('tokenizer_config.json'),
    generation: await configOf('generation_config.json'),
    model: await configOf('config.json'),
  };
  const chatTemplate =
    (await readIfThere(join(folder, 'chat_template.jinja'))) ??
    chatTemplateOf(configs.tokenizer.chat_template);
  return createTokenizer(checkTokenizerJson(file, parseJsonObject(file, source)), {
    hash: sha256(source),
    configs,
    chatTemplate,
  });
}

/** A tokenizer from parsed files; see {@link loadTokenizer}. */
export function createTokenizer(
  json: TokenizerJson,
  options: { hash: string; configs: special.TokenizerConfigs; chatTemplate: string | undefined },
): Tokenizer {
  const { configs, chatTemplate } = options;
  const specials = special.specialIds(json, configs);
  const isSpecial = (id: number) => specials.has(id);
  const tokens = tokensById(json);
  const { model, preTokenizer, decoder } = library(json, specials);
  const spelling: TokenSpelling = {
    isByteLevel: JSON.stringify(json.pre_tokenizer ?? null).includes('"ByteLevel"'),
    byteFallback: json.model.byte_fallback ?? false,
    unknownToken: json.model.unk_token ?? undefined,
  };
  const tokensOfPiece = remembered((piece) => (piece === '' ? [] : model._call([piece])));
  const normalize = normalizerOf(json.normalizer);
  const addPrefix = prefixer(json.pre_tokenizer);

  // Tokens that are matched before normalising, and those that are matched after it, in their normalised form.
  const isLate = (token: { normalized?: boolean; special?: boolean }) =>
    json.normalizer !== null && (token.normalized ?? !token.special);
  const plainAdded = json.added_tokens.filter((token) => !specials.has(token.id));
  const normalizedContent = ({ content }: { content: string }) =>
    normalize(trackOriginal(content, 0, content.length)).text;
  const findPlain = addedTokenFinder(plainAdded.filter((token) => !isLate(token)));
  const findPlainLate = addedTokenFinder(plainAdded.filter(isLate), normalizedContent);
  const findSpecial = addedTokenFinder([
    ...json.added_tokens.filter((token) => specials.has(token.id)),
    ...[...specials]
      .filter((id) => tokens.has(id) && !json.added_tokens.some((token) => token.id === id))
      .map((id) => ({ id, content: tokens.get(id)! })),
  ]);

  function encode(text: string): Encoding {
    // Half of a surrogate pair has no UTF-8; like TextEncoder, U+FFFD stands in for it, at the same length.
    const whole = text.replace(/\p{Surrogate}/gu, '\ufffd');
    const encoding: Encoding = { ids: [], starts: [], ends: [] };
    const push = (id: number, start: number, end: number) => {
      encoding.ids.push(id);
      encoding.starts.push(start);
      encoding.ends.push(end);
    };
    for (const section of findPlain(whole)) {
      if (section.id !== undefined) {
        push(section.id, section.from, section.to);
        continue;
      }
      const normalized = normalize(trackOriginal(whole, section.from, section.to));
      for (const late of findPlainLate(normalized.text)) {
        const tracked = sliceTracked(normalized, late.from, late.to);
        if (late.id !== undefined) push(late.id, tracked.starts[0]!, tracked.ends.at(-1)!);
        else encodeModel(addPrefix(tracked, section.from === 0 && late.from === 0), push);
      }
    }
    return encoding;
  }

  function encodeModel(tracked: TrackedText, push: (id: number, start: number, end: number) => void): void {
    const pieces = preTokenizer === null ? [tracked.text] : preTokenizer.pre_tokenize(tracked.text);
    const found = pieces.flatMap(tokensOfPiece);
    const { starts, ends } = spansOfTokens(found, tracked, spelling);
    for (let t = 0; t < found.length; t++) push(model.tokens_to_ids.get(found[t]!)!, starts[t]!, ends[t]!);
  }

  function encodeParts(parts: readonly TextPart[]): number[] {
    const ids: number[] = [];
    let plain = '';
    const flush = () => {
      if (plain !== '') for (const id of encode(plain).ids) ids.push(id);
      plain = '';
    };
    for (const { text, isTemplate } of parts) {
      if (!isTemplate) {
        plain += text;
        continue;
      }
      for (const { from, to, id } of findSpecial(text)) {
        if (id === undefined) plain += text.slice(from, to);
        else {
          flush();
          ids.push(id);
        }
      }
    }
    flush();
    return ids;
  }

  const tokenAt = (id: number) => {
    const token = tokens.get(id);
    if (token === undefined)
      throw new ShapeError(`token id: expected one below ${vocabularySize} of the tokenizer, got ${id}`, {
        code: 'tokenizer/unknown-id',
      });
    return token;
  };
  const addedIds = new Set(json.added_tokens.map((token) => token.id));
  let vocabularySize = 0;
  for (const id of tokens.keys()) vocabularySize = Math.max(vocabularySize, id + 1);
  const encodeTemplate = (text: string) => encodeParts([{ text, isTemplate: true }]);
  const specialTokenTexts = special.specialTokenTexts(configs);
  const endOfTurnId = special.endOfTurnId(json, configs, isSpecial, afterResponse());

  /** What the chat template writes after an assistant's text. */
  function afterResponse(): number[] | undefined {
    if (chatTemplate === undefined) return undefined;
    const last = chatPieces(chatTemplate, ['user', 'assistant'], false, specialTokenTexts).at(-1);
    return last && 'markup' in last ? encodeTemplate(last.markup) : undefined;
  }

  return {
    vocabularySize,
    hash: options.hash,
    endOfTurnId,
    endIds: special.endIds(configs, endOfTurnId),
    beginId: special.beginId(json, configs),
    padId: special.padId(json, configs, endOfTurnId),
    chatTemplate,
    specialTokenTexts,
    encode,
    encodeTemplate,
    encodeParts,
    decode: (ids) => {
      const texts = ids.map(tokenAt);
      return decoder === null ? texts.join('') : decoder.decode(texts);
    },
    tokenText: (id) => {
      const token = tokenAt(id);
      if (addedIds.has(id)) return token;
      const text = textDecoder.decode(bytesOfToken(token, spelling));
      return spelling.isByteLevel ? text : text.replaceAll('▁', ' ');
    },
    isSpecial,
  };
}

/** Words come again and again: so many of them keep their tokens. The library's own cache costs more than it saves. */
const REMEMBERED_PIECES = 1 << 16;
/** Longer pieces seldom come again, and would hold memory. */
const REMEMBERED_LENGTH = 64;

/** The same function, which looks up what it was asked before; when there is no more room it begins anew. */
function remembered(tokensOf: (piece: string) => readonly string[]): (piece: string) => readonly string[] {
  const known = new Map<string, readonly string[]>();
  return (piece) => {
    const before = known.get(piece);
    if (before !== undefined) return before;
    const tokens = tokensOf(piece);
    if (piece.length > REMEMBERED_LENGTH) return tokens;
    if (known.size === REMEMBERED_PIECES) known.clear();
    known.set(piece, tokens);
    return tokens;
  };
}

const textDecoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** What we use of the library; its own declarations do not resolve under Node's module rules. */
interface LibraryParts {
  model: { tokens_to_ids: Map<string, number>; _call(pieces: string[]): string[] };
  preTokenizer: { pre_tokenize(text: string): string[] } | null;
  decoder: { decode(tokens: string[]): string } | null;
}

/** The library's model, pre-tokenizer and decoder; the model cannot spell a special token. */
function library(json: TokenizerJson, specials: ReadonlySet<number>): LibraryParts {
  const unknown = json.model.unk_token;
  const isSpecialText = new Set(
    [...tokensById(json)]
      .filter(([id, token]) => specials.has(id) && token !== unknown)
      .map(([, token]) => token),
  );
  const merges = json.model.merges
    .map((merge) => (typeof merge === 'string' ? (merge.split(' ', 2) as [string, string]) : merge))
    .filter(([left, right]) => !isSpecialText.has(left + right));
  const parts = new LibraryTokenizer(
    {
      ...json,
      normalizer: null,
      post_processor: null,
      pre_tokenizer: json.pre_tokenizer === null ? null : portablePreTokenizer(json.pre_tokenizer),
      model: { ...json.model, merges },
    } as object,
    {},
  ) as unknown as {
    model: LibraryParts['model'];
    pre_tokenizer: LibraryParts['preTokenizer'];
    decoder: LibraryParts['decoder'];
  };
  for (const text of isSpecialText) parts.model.tokens_to_ids.delete(text);
  decodeBytesAsPythonDoes(parts.decoder);
  return { model: parts.model, preTokenizer: parts.pre_tokenizer, decoder: parts.decoder };
}

/** Python's decoder keeps a byte order mark, and writes one U+FFFD for each byte of a run that is no UTF-8. */
function decodeBytesAsPythonDoes(decoder: object | null): void {
  const { type } = (decoder as { config?: { type?: string } } | null)?.config ?? {};
  if (type === 'Sequence')
    for (const inner of (decoder as { decoders: object[] }).decoders) decodeBytesAsPythonDoes(inner);
  if (type !== 'ByteFallback') return;
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const decode = (bytes: Uint8Array) => {
    try {
      return strict.decode(bytes);
    } catch {
      return '\ufffd'.repeat(bytes.length);
    }
  };
  Object.assign(decoder!, { text_decoder: { decode } });
}

function tokensById(json: TokenizerJson): Map<number, string> {
  const tokens = new Map(Object.entries(json.model.vocab).map(([token, id]) => [id, token]));
  for (const { id, content } of json.added_tokens) tokens.set(id, content);
  return tokens;
}

/** A chat template may be one, or a list of named ones with a `default`. */
function chatTemplateOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  const named = value as { name?: unknown; template?: unknown }[];
  const chosen = named.find(({ name }) => name === 'default') ?? named[0];
  return typeof chosen?.template === 'string' ? chosen.template : undefined;
}
