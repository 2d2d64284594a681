/** @file Where each token is in the text: tokens are laid over the bytes of the normalised text, one after the other. */
import { WeightsError } from '../../base/errors.ts';
import { BYTE_OF_CHARACTER } from './byte-level.ts';
import type { TrackedText } from './tracked-text.ts';

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

/**
 * Spans of the tokens of one text.
 *
 * A token's span goes from the start of the character that its first byte belongs to, to the end of that of its last
 * byte: a token that holds part of a character spans that character, and white space before a word is the token's.
 * @param tokens the model's token strings, in order
 * @param tracked the normalised text, with its places in the original
 * @returns starts and ends in the original, number[tokens] each; a token for an inserted prefix spans nothing
 * @throws {WeightsError} when the tokens do not spell the text, as when the vocabulary lacks a character
 */
export function spansOfTokens(
  tokens: readonly string[],
  tracked: TrackedText,
  spelling: TokenSpelling,
): { starts: number[]; ends: number[] } {
  const { bytes, units } = bytesAndUnits(tracked.text);
  const starts: number[] = [];
  const ends: number[] = [];
  let at = 0;
  for (let t = 0; t < tokens.length; t++) {
    const token = tokens[t]!;
    if (token === spelling.unknownToken) {
      const first = skipWhiteSpace(bytes, at, undefined);
      at = endOfUnknown(bytes, first, tokens[t + 1], spelling);
      starts.push(tracked.starts[units[first]!]!);
      ends.push(tracked.ends[units[at - 1]!]!);
      continue;
    }
    let first = -1;
    for (const byte of bytesOfToken(token, spelling)) {
      at = skipWhiteSpace(bytes, at, byte);
      if (bytes[at] !== byte) throw misfit(tracked.text, token);
      if (first < 0) first = at;
      at++;
    }
    starts.push(tracked.starts[units[first]!]!);
    ends.push(tracked.ends[units[at - 1]!]!);
  }
  if (skipWhiteSpace(bytes, at, undefined) !== bytes.length) throw misfit(tracked.text, 'nothing more');
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

/** The next position whose byte is `wanted` or that is no white space: splitting may have removed some. */
function skipWhiteSpace(bytes: Uint8Array, at: number, wanted: number | undefined): number {
  let next = at;
  while (
    next < bytes.length &&
    bytes[next] !== wanted &&
    (bytes[next] === 0x20 || (bytes[next]! >= 9 && bytes[next]! <= 13))
  )
    next++;
  return next;
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
  if (next === spelling.unknownToken) return end;
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
