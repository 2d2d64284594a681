/** @file The normalizers of tokenizer.json, done so that every character keeps its place in the original text. */
import { patternOf } from './patterns.ts';
import { type NormalizerJson, partsOf, unsupported } from './tokenizer-json.ts';
import { type Replacement, replaceTracked, type TrackedText } from './tracked-text.ts';

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
      const steps = partsOf<NormalizerJson>('normalizer.normalizers', config.normalizers).map(normalizerOf);
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
      const pattern = patternOf('normalizer.pattern', config.pattern);
      const content = textOf('content', config.content);
      return (tracked) => replaceTracked(tracked, matches(tracked, pattern, content));
    }
    case 'Prepend': {
      const text = textOf('prepend', config.prepend);
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
        const sides = [
          config.strip_left ? '^\\p{White_Space}+' : '',
          config.strip_right ? '\\p{White_Space}+$' : '',
        ].filter(Boolean);
        if (sides.length === 0) return tracked;
        return replaceTracked(tracked, matches(tracked, new RegExp(sides.join('|'), 'gu'), ''));
      };
    default:
      throw unsupported(
        'normalizer',
        'Sequence, NFC, NFD, NFKC, NFKD, Replace, Prepend, Lowercase or Strip',
        config.type,
      );
  }
}

function textOf(key: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw unsupported(`normalizer.${key}`, 'a text', value);
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
