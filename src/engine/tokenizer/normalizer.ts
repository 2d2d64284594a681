/** @file The normalizers of tokenizer.json, done so that every character keeps its place in the original text. */
import * as library from '@huggingface/tokenizers';
import { WeightsError } from '../../base/errors.ts';
import type { NormalizerJson } from './tokenizer-json.ts';
import { type Replacement, replaceTracked, type TrackedText } from './tracked-text.ts';

/** The library turns patterns of Rust's regular expressions into JavaScript's; its declarations do not resolve here. */
const { ReplaceNormalizer } = library as unknown as {
  ReplaceNormalizer: new (config: NormalizerJson) => { pattern: RegExp | null };
};

/** Normalises a tracked text. */
export type Normalizer = (tracked: TrackedText) => TrackedText;

/**
 * The normalizer that a tokenizer.json asks for.
 * @param config its `normalizer`; null for none
 * @throws {WeightsError} naming a type that is not supported
 */
export function normalizerOf(config: NormalizerJson | null): Normalizer {
  if (config === null) return (tracked) => tracked;
  switch (config.type) {
    case 'Sequence': {
      const steps = (config.normalizers ?? []).map(normalizerOf);
      return (tracked) => steps.reduce((text, step) => step(text), tracked);
    }
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD': {
      const form = config.type;
      return (tracked) => unicode(tracked, form);
    }
    case 'Replace': {
      const { pattern } = new ReplaceNormalizer(config);
      const content = config.content ?? '';
      return (tracked) =>
        pattern === null ? tracked : replaceTracked(tracked, matches(tracked, pattern, content));
    }
    case 'Prepend': {
      const text = config.prepend ?? '';
      return (tracked) =>
        tracked.text === '' ? tracked : replaceTracked(tracked, [{ from: 0, to: 0, text }]);
    }
    case 'Lowercase':
      return (tracked) =>
        replaceTracked(
          tracked,
          matches(tracked, /./gsu, (c) => c.toLowerCase()),
        );
    case 'Strip':
      return (tracked) => {
        const sides = [config.strip_left ? '^\\s+' : '', config.strip_right ? '\\s+$' : ''].filter(Boolean);
        if (sides.length === 0) return tracked;
        return replaceTracked(tracked, matches(tracked, new RegExp(sides.join('|'), 'gu'), ''));
      };
    default:
      throw new WeightsError(
        `tokenizer.json: normalizer: expected Sequence, NFC, NFD, NFKC, NFKD, Replace, Prepend, Lowercase or Strip, got ${config.type}`,
        { code: 'tokenizer/unsupported', hint: 'Use a model whose tokenizer has one of these normalizers.' },
      );
  }
}

function* matches(
  tracked: TrackedText,
  pattern: RegExp,
  content: string | ((match: string) => string),
): Generator<Replacement> {
  for (const { 0: match, index } of tracked.text.matchAll(pattern))
    yield {
      from: index,
      to: index + match.length,
      text: typeof content === 'string' ? content : content(match),
    };
}

/**
 * Stretches that Unicode normalisation treats alone: a character and what can combine with it, which is a mark, a
 * medial or final letter of a Korean syllable, or a vowel of Kirat Rai.
 */
const COMBINING_STRETCH = /[\s\S][\p{M}\u1160-\u11ff\u{16d67}]*/gu;

function unicode(tracked: TrackedText, form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD'): TrackedText {
  if (tracked.text.normalize(form) === tracked.text) return tracked;
  return replaceTracked(
    tracked,
    matches(tracked, COMBINING_STRETCH, (stretch) => stretch.normalize(form)),
  );
}
