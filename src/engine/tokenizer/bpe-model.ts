/** @file The BPE model of tokenizer.json: pieces of text to ids, each with its place in the piece. */
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { toByteCharacters } from './byte-level.ts';
import { type Spans, spansOfTokens, type TokenSpelling } from './offsets.ts';
import type { TokenizerJson } from './tokenizer-json.ts';

/** The tokens of a piece. */
export interface PieceTokens extends Spans {
  readonly ids: readonly number[];
}

export interface BpeModel {
  /** @throws {WeightsError} when the vocabulary cannot spell the piece */
  tokensOf(piece: string): PieceTokens;
  /**
   * UTF-16 units of a piece that more than `tokens` tokens are sure to be needed for; infinite where one token may stand
   * for any number of unknown characters.
   */
  unitsBeyond(tokens: number): number;
}

/** What we use of the library; its own declarations do not resolve under Node's module rules. */
interface LibraryModel {
  tokens_to_ids: Map<string, number>;
  _call(pieces: string[]): string[];
}

/**
 * The model of a tokenizer.json. It cannot spell a special token.
 * @param isSpecial ids of special tokens
 */
export function bpeModel(
  json: TokenizerJson,
  isSpecial: (id: number) => boolean,
  spelling: TokenSpelling,
): BpeModel {
  const model = libraryModel(json, isSpecial);
  const tokensOf = remembered((piece) => {
    const tokens = model._call([spelling.isByteLevel ? toByteCharacters(piece) : piece]);
    return {
      ids: tokens.map((token) => model.tokens_to_ids.get(token)!),
      ...spansOfTokens(tokens, piece, spelling),
    };
  });
  let longest = 2; // a character may be a pair of surrogates
  for (const token of model.tokens_to_ids.keys()) longest = Math.max(longest, token.length);
  const spellsAllBytes =
    spelling.byteFallback && BYTE_TOKENS.every((token) => model.tokens_to_ids.has(token));
  const hasNoBounds = spelling.fusesUnknown && spelling.unknownToken !== undefined && !spellsAllBytes;
  return {
    tokensOf,
    unitsBeyond: (tokens) => (hasNoBounds ? Number.POSITIVE_INFINITY : (tokens + 1) * longest),
  };
}

const BYTE_TOKENS = Array.from(
  { length: 256 },
  (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
);

function libraryModel(json: TokenizerJson, isSpecial: (id: number) => boolean): LibraryModel {
  const unknown = json.model.unk_token;
  const specialTexts = new Set(
    [...tokensById(json)]
      .filter(([id, token]) => isSpecial(id) && token !== unknown)
      .map(([, token]) => token),
  );
  const merges = json.model.merges
    .map((merge) => (typeof merge === 'string' ? (merge.split(' ', 2) as [string, string]) : merge))
    .filter(([left, right]) => !specialTexts.has(left + right));
  const { model } = new LibraryTokenizer(
    {
      added_tokens: json.added_tokens,
      normalizer: null,
      pre_tokenizer: null,
      post_processor: null,
      decoder: null,
      model: { ...json.model, merges },
    } as object,
    {},
  ) as unknown as { model: LibraryModel };
  for (const text of specialTexts) model.tokens_to_ids.delete(text);
  return model;
}

/** The token of each id: added ones go before those of the vocabulary. */
export function tokensById(json: TokenizerJson): Map<number, string> {
  const tokens = new Map(Object.entries(json.model.vocab).map(([token, id]) => [id, token]));
  for (const { id, content } of json.added_tokens) tokens.set(id, content);
  return tokens;
}

/** Words come again and again: so many of them keep their tokens. The library's own cache costs more than it saves. */
const REMEMBERED_PIECES = 1 << 16;
/** Longer pieces seldom come again, and would hold memory. */
const REMEMBERED_LENGTH = 64;

/** The same function, which looks up what it was asked before; when there is no more room it begins anew. */
function remembered(tokensOf: (piece: string) => PieceTokens): (piece: string) => PieceTokens {
  const known = new Map<string, PieceTokens>();
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
