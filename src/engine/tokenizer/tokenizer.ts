/** @file A model's tokenizer: text to ids with the place of each token, and back; user text never becomes special. */
import { join } from 'node:path';
import { ShapeError, WeightsError } from '../../base/errors.ts';
import { sha256 } from '../../base/hash.ts';
import { missingFile, parseJsonObject, readIfThere } from '../../base/json-file.ts';
import { addedTokenFinder } from './added-tokens.ts';
import { bpeModel, tokensById } from './bpe-model.ts';
import { chatPieces, undefinedTokens } from './chat-template.ts';
import { decoderOf } from './decoder.ts';
import { normalizerOf } from './normalizer.ts';
import { bytesOfToken, type Encoding, type TokenSpelling } from './offsets.ts';
import { preTokenizerOf } from './pre-tokenizer.ts';
import * as special from './special-tokens.ts';
import { checkTokenizerJson, type TokenizerJson } from './tokenizer-json.ts';
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
  /** What the files leave open, for the user to read. */
  readonly warnings: readonly string[];
  /**
   * Plain text: never yields a special token, even if the text spells one; adds none.
   * @param most with more tokens than this the encoding is cut: it then has more than `most`, and holds no whole text
   */
  encode(text: string, most?: number): Encoding;
  /** Text of a template: special tokens are recognised; adds none. */
  encodeTemplate(text: string): number[];
  /**
   * A template's and a user's texts in one: stretches without a special token between them are encoded together.
   * @param most as for {@link encode}
   */
  encodeParts(parts: readonly TextPart[], most?: number): number[];
  /** The text of ids, special tokens included; bytes that are not UTF-8 become U+FFFD. */
  decode(ids: readonly number[]): string;
  /** The text of one token, its leading space included; U+FFFD for part of a character. */
  tokenText(id: number): string;
  /** The bytes that a token spells; those of an added token are its text's. */
  tokenBytes(id: number): Uint8Array;
  isSpecial(id: number): boolean;
}

/**
 * Loads the tokenizer of a model folder: tokenizer.json and, where they are, tokenizer_config.json,
 * special_tokens_map.json, chat_template.jinja, generation_config.json and config.json.
 * @param rows of the model's table of embeddings. Gemma 3 has an added token without one
 * @throws {WeightsError} when a file is missing, cut, or asks for something that is not supported
 */
export async function loadTokenizer(folder: string, rows = Number.POSITIVE_INFINITY): Promise<Tokenizer> {
  const file = join(folder, 'tokenizer.json');
  const source = await readIfThere(file);
  if (source === undefined) throw missingFile(file, 'none');
  const configOf = async (name: string) => {
    const text = await readIfThere(join(folder, name));
    return text === undefined ? {} : parseJsonObject(join(folder, name), text);
  };
  const configs = {
    tokenizer: special.withSpecialTokensMap(
      await configOf('tokenizer_config.json'),
      await configOf('special_tokens_map.json'),
    ),
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
    rows,
  });
}

/** A tokenizer from parsed files; see {@link loadTokenizer}. */
export function createTokenizer(
  json: TokenizerJson,
  options: {
    hash: string;
    configs: special.TokenizerConfigs;
    chatTemplate: string | undefined;
    rows?: number;
  },
): Tokenizer {
  const { configs, chatTemplate, rows = Number.POSITIVE_INFINITY } = options;
  const specials = special.specialIds(json, configs);
  const isSpecial = (id: number) => specials.has(id);
  const tokens = tokensById(json);
  const preTokenizer = preTokenizerOf(json.pre_tokenizer);
  const spelling: TokenSpelling = {
    isByteLevel: preTokenizer.isByteLevel,
    byteFallback: json.model.byte_fallback ?? false,
    unknownToken: json.model.unk_token ?? undefined,
    fusesUnknown: json.model.fuse_unk ?? false,
  };
  const model = bpeModel(json, isSpecial, spelling);
  const decode = decoderOf(json);
  const normalize = normalizerOf(json.normalizer);

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

  const encode = (text: string, most = Number.POSITIVE_INFINITY) => encodeText(text, most, true);

  /** @param isStart whether nothing comes before the text, as a special token of the template may */
  function encodeText(text: string, most: number, isStart: boolean): Encoding {
    // Half of a surrogate pair has no UTF-8; like TextEncoder, U+FFFD stands in for it, at the same length.
    const whole = text.replace(/\p{Surrogate}/gu, '\ufffd');
    const encoding: Encoding = { ids: [], starts: [], ends: [] };
    const push = (id: number, start: number, end: number) => {
      encoding.ids.push(withRow(id));
      encoding.starts.push(start);
      encoding.ends.push(end);
    };
    for (const section of findPlain(whole)) {
      if (encoding.ids.length > most) break;
      if (section.id !== undefined) {
        push(section.id, section.from, section.to);
        continue;
      }
      const normalized = normalize(trackOriginal(whole, section.from, section.to));
      for (const late of findPlainLate(normalized.text)) {
        const tracked = sliceTracked(normalized, late.from, late.to);
        if (late.id !== undefined) push(late.id, tracked.starts[0]!, tracked.ends.at(-1)!);
        else encodePieces(preTokenizer.cut(tracked, isStart), most, encoding, push);
      }
    }
    return encoding;
  }

  function encodePieces(
    pieces: Iterable<TrackedText>,
    most: number,
    { ids: found }: Encoding,
    push: (id: number, start: number, end: number) => void,
  ): void {
    for (const piece of pieces) {
      if (found.length > most) return;
      const { text, starts, ends } = piece;
      const beyond = model.unitsBeyond(most - found.length);
      // Of a piece that is too long anyway no more is read than shows it; a surrogate pair stays whole.
      const read = text.length <= beyond ? text : text.slice(0, beyond).replace(/[\ud800-\udbff]$/, '');
      const tokens = model.tokensOf(read);
      for (let t = 0; t < tokens.ids.length; t++)
        push(tokens.ids[t]!, starts[tokens.starts[t]!]!, ends[tokens.ends[t]! - 1]!);
    }
  }

  function encodeParts(parts: readonly TextPart[], most = Number.POSITIVE_INFINITY): number[] {
    const ids: number[] = [];
    let plain = '';
    const flush = () => {
      const isStart = ids.length === 0;
      if (plain !== '' && ids.length <= most)
        for (const id of encodeText(plain, most - ids.length, isStart).ids) ids.push(id);
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
          ids.push(withRow(id));
        }
      }
    }
    flush();
    return ids;
  }

  function withRow(id: number): number {
    if (id < rows) return id;
    throw new WeightsError(
      `token ${JSON.stringify(tokens.get(id))} (id ${id}): expected one of the model's ${rows} rows, got none for it`,
      { code: 'tokenizer/no-row', hint: 'Remove this token from the texts and the chat template.' },
    );
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
  checkRows(json, rows);
  const endOfTurnId = withRow(special.endOfTurnId(json, configs, isSpecial, afterResponse()));
  const padId = special.padId(json, configs, endOfTurnId);

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
    padId: padId < rows ? padId : endOfTurnId,
    chatTemplate,
    warnings: (chatTemplate === undefined ? [] : undefinedTokens(chatTemplate, specialTokenTexts)).map(
      (name) =>
        `chat template: it writes ${name}, which neither tokenizer_config.json nor special_tokens_map.json names; nothing is written there`,
    ),
    specialTokenTexts,
    encode,
    encodeTemplate,
    encodeParts,
    decode: (ids) => decode(ids.map(tokenAt)),
    tokenText: (id) => {
      const token = tokenAt(id);
      if (addedIds.has(id)) return token;
      const text = textDecoder.decode(bytesOfToken(token, spelling));
      return spelling.isByteLevel ? text : text.replaceAll('▁', ' ');
    },
    tokenBytes: (id) =>
      addedIds.has(id) ? textEncoder.encode(tokenAt(id)) : bytesOfToken(tokenAt(id), spelling),
    isSpecial,
  };
}

const textDecoder = new TextDecoder('utf-8', { ignoreBOM: true });
const textEncoder = new TextEncoder();

/** Only an added token may be without a row: with others missing, the tokenizer belongs to another model. */
function checkRows({ model, added_tokens }: TokenizerJson, rows: number): void {
  const added = new Set(added_tokens.map(({ id }) => id));
  let most = 0;
  for (const id of Object.values(model.vocab)) if (!added.has(id)) most = Math.max(most, id + 1);
  if (most > rows)
    throw new WeightsError(`tokenizer.json: expected at most ${rows} tokens by config.json, got ${most}`, {
      code: 'weights/tokenizer',
      hint: "Use the model's own tokenizer.",
    });
}

/**
 * A chat template may be one, or a list of named ones with a `default`.
 * @throws {WeightsError} for another value
 */
function chatTemplateOf(value: unknown): string | undefined {
  if (value === undefined || value === null || typeof value === 'string') return value ?? undefined;
  const isNamed = (each: unknown): each is { name: string; template: string } => {
    const { name, template } = (each ?? {}) as Record<string, unknown>;
    return typeof name === 'string' && typeof template === 'string';
  };
  if (!Array.isArray(value) || !value.every(isNamed))
    throw new WeightsError(
      `tokenizer_config.json: chat_template: expected a text or a list of objects with name and template, got ${JSON.stringify(value).slice(0, 80)}`,
      { code: 'tokenizer/chat-template', hint: 'Correct chat_template in tokenizer_config.json.' },
    );
  return (value.find(({ name }) => name === 'default') ?? value[0])?.template;
}
