/** @file Where each token is in a piece of text: tokens are laid over the bytes of the piece, one after the other. */
import { WeightsError } from '../../base/errors.ts';
import { BYTE_OF_CHARACTER } from './byte-level.ts';

/** Token ids and their places: UTF-16 offsets in the encoded text, end exclusive. */
export interface Encoding {
  readonly ids: number[];
  readonly starts: number[];
  readonly ends: number[];
}

/** How a model's token strings spell bytes. */
export interface TokenSpelling {
  /** Each character stands for a byte (byte-level BPE); else tokens are text, and `<0xAB>` is a byte. */
  readonly isByteLevel: boolean;
  readonly byteFallback: boolean;
  readonly unknownToken: string | undefined;
  /** Whether several unknown characters in a row are one token. */
  readonly fusesUnknown: boolean;
}

const encoder = new TextEncoder();

/** The bytes that a token spells. */
export function bytesOfToken(token: string, spelling: TokenSpelling): Uint8Array {
  if (spelling.isByteLevel) {
    const bytes: number[] = [];
    for (const character of token) {
      const byte = BYTE_OF_CHARACTER.get(character);
      if (byte === undefined) bytes.push(...encoder.encode(character));
      else bytes.push(byte);
    }
    return Uint8Array.from(bytes);
  }
  if (spelling.byteFallback && /^<0x[0-9A-F]{2}>$/.test(token))
    return Uint8Array.of(Number.parseInt(token.slice(3, 5), 16));
  return encoder.encode(token);
}

/** Places of tokens in a piece: UTF-16 offsets, end exclusive. */
export interface Spans {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/**
 * Spans of the tokens of one piece.
 *
 * A token's span goes from the start of the character that its first byte belongs to, to the end of that of its last
 * byte: a token that holds part of a character spans that character, and white space before a word is the token's.
 * @param tokens the model's token strings, in order
 * @param piece what the model was given, as text
 * @throws {WeightsError} when the tokens do not spell the piece, as when the vocabulary lacks a character
 */
export function spansOfTokens(tokens: readonly string[], piece: string, spelling: TokenSpelling): Spans {
  const { bytes, units } = bytesAndUnits(piece);
  const starts: number[] = [];
  const ends: number[] = [];
  const push = (from: number, to: number) => {
    starts.push(units[from]!);
    // All bytes of a character have its first unit; the next byte of another character has the unit behind it.
    let end = to;
    while (end < bytes.length && units[end] === units[to - 1]) end++;
    ends.push(end < bytes.length ? units[end]! : piece.length);
  };
  let at = 0;
  for (const [t, token] of tokens.entries()) {
    const from = at;
    if (token === spelling.unknownToken) at = endOfUnknown(bytes, at, tokens[t + 1], spelling);
    else
      for (const byte of bytesOfToken(token, spelling)) if (bytes[at++] !== byte) throw misfit(piece, token);
    if (at === from || at > bytes.length) throw misfit(piece, token);
    push(from, at);
  }
  if (at !== bytes.length) throw misfit(piece, 'nothing more');
  return { starts, ends };
}

/** The text's UTF-8, and for each byte the UTF-16 unit that its character begins at. */
function bytesAndUnits(text: string): { bytes: Uint8Array; units: Uint32Array } {
  const bytes = encoder.encode(text);
  const units = new Uint32Array(bytes.length);
  let unit = -1;
  let width = 1;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if ((byte & 0xc0) !== 0x80) {
      unit += width;
      width = byte >= 0xf0 ? 2 : 1;
    }
    units[i] = unit;
  }
  return { bytes, units };
}

/** Where an unknown token ends: after one character, or before the next token where several were fused. */
function endOfUnknown(
  bytes: Uint8Array,
  at: number,
  next: string | undefined,
  spelling: TokenSpelling,
): number {
  const isBoundary = (i: number) => i >= bytes.length || (bytes[i]! & 0xc0) !== 0x80;
  let end = at + 1;
  while (!isBoundary(end)) end++;
  if (!spelling.fusesUnknown) return end;
  const wanted = next === undefined ? undefined : bytesOfToken(next, spelling);
  while (
    end < bytes.length &&
    !(wanted && isBoundary(end) && wanted.every((byte, i) => bytes[end + i] === byte))
  )
    end++;
  return end;
}

function misfit(text: string, token: string): WeightsError {
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return new WeightsError(
    `tokenizer.json: expected tokens that spell ${JSON.stringify(shown)}, got ${JSON.stringify(token)} out of place`,
    {
      code: 'tokenizer/unaligned',
      hint: 'The vocabulary may lack a character of the text; use a tokenizer with all bytes.',
    },
  );
}
