/** @file Byte-level BPE's alphabet: one printable character for each byte, and GPT-2's way to cut text into words. */

/** The character that stands for each byte, string[256]: printable Latin-1 stands for itself, the rest follows from U+0100 on. */
export const BYTE_CHARACTERS: readonly string[] = byteCharacters();

/** The byte that a character stands for. */
export const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = new Map(
  BYTE_CHARACTERS.map((character, byte) => [character, byte]),
);

/**
 * GPT-2's word pattern as Python's `tokenizers` reads it: its `\s` is Unicode's White_Space (with U+0085, without
 * U+FEFF), not JavaScript's.
 */
export const WORD_PATTERN =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** {@link WORD_PATTERN} for JavaScript. */
export const WORD_REGEXP =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** The text as byte-level characters: one for each byte of its UTF-8. */
export function toByteCharacters(text: string): string {
  let characters = '';
  for (const byte of encoder.encode(text)) characters += BYTE_CHARACTERS[byte]!;
  return characters;
}

const encoder = new TextEncoder();

function byteCharacters(): string[] {
  const isPrintable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
}
