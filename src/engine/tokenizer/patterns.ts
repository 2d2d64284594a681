/** @file Patterns of tokenizer.json: texts, or regular expressions in Rust's words, as JavaScript reads them. */
import * as library from '@huggingface/tokenizers';
import { unsupported } from './tokenizer-json.ts';

/** The library turns patterns of Rust's regular expressions into JavaScript's; its declarations do not resolve here. */
const { ReplaceNormalizer } = library as unknown as {
  ReplaceNormalizer: new (config: { type: 'Replace'; pattern: unknown }) => { pattern: RegExp };
};

/**
 * The regular expression for `{"String": …}` or `{"Regex": …}`, global and by code points.
 * @param where the part of tokenizer.json, for messages
 * @throws {WeightsError} for another value, and for an expression that cannot be read
 */
export function patternOf(where: string, pattern: unknown): RegExp {
  const { String: text, Regex: source } = (pattern ?? {}) as { String?: unknown; Regex?: unknown };
  if (typeof (source ?? text) !== 'string')
    throw unsupported(where, 'a pattern {"String": …} or {"Regex": …}', pattern);
  try {
    return new ReplaceNormalizer({ type: 'Replace', pattern }).pattern;
  } catch (cause) {
    throw unsupported(where, `a regular expression that can be read (${(cause as Error).message})`, source);
  }
}
