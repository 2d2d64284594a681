/** @file The pre-tokenizers of tokenizer.json: a text is cut into pieces that the model reads one by one, places kept. */
import { WORD_PATTERN } from './byte-level.ts';
import { patternOf } from './patterns.ts';
import { type PreTokenizerJson, partsOf, split, unsupported } from './tokenizer-json.ts';
import { replaceTracked, sliceTracked, type TrackedText } from './tracked-text.ts';

export interface PreTokenizer {
  /** Whether the model reads each piece as characters that stand for its bytes. */
  readonly isByteLevel: boolean;
  /**
   * The pieces of a stretch between added tokens, in order.
   * @param isStart whether nothing comes before the text that the places belong to; Metaspace's scheme `first` asks
   */
  readonly cut: (text: TrackedText, isStart: boolean) => Iterable<TrackedText>;
}

type Cut = PreTokenizer['cut'];

/**
 * The pre-tokenizer that a tokenizer.json asks for.
 * @param config its `pre_tokenizer`; null for none
 * @throws {WeightsError} naming a part that is not supported, or not in its place
 */
export function preTokenizerOf(config: PreTokenizerJson | null): PreTokenizer {
  const steps = config === null ? [] : stepsOf(config);
  // Behind ByteLevel texts are characters for bytes, where patterns and digits mean something else.
  const bytesAt = steps.findIndex(({ type }) => type === 'ByteLevel');
  if (bytesAt >= 0 && bytesAt < steps.length - 1)
    throw unsupported('pre_tokenizer', 'ByteLevel as the last part', `${steps[bytesAt + 1]!.type} behind it`);
  const cuts = steps.map(cutOf);
  return {
    isByteLevel: bytesAt >= 0,
    cut: (text, isStart) =>
      cuts.reduce<Iterable<TrackedText>>((pieces, cut) => cutEach(pieces, cut, isStart), [text]),
  };
}

/** The parts of nested sequences in their order. */
function stepsOf(config: PreTokenizerJson): PreTokenizerJson[] {
  if (config.type !== 'Sequence') return [config];
  return partsOf<PreTokenizerJson>('pre_tokenizer.pretokenizers', config.pretokenizers).flatMap(stepsOf);
}

function* cutEach(pieces: Iterable<TrackedText>, cut: Cut, isStart: boolean): Generator<TrackedText> {
  for (const piece of pieces) for (const part of cut(piece, isStart)) if (part.text !== '') yield part;
}

function cutOf(config: PreTokenizerJson): Cut {
  switch (config.type) {
    case 'ByteLevel': {
      const words = cutOf(split(WORD_PATTERN));
      return (text, isStart) => {
        const prefixed =
          config.add_prefix_space && !text.text.startsWith(' ') ? insertFirst(text, ' ') : text;
        return config.use_regex === false ? [prefixed] : words(prefixed, isStart);
      };
    }
    case 'Metaspace':
      return metaspace(config);
    case 'Digits':
      return splitter(/\p{N}/gu, config.individual_digits ? 'isolated' : 'contiguous', false);
    case 'WhitespaceSplit':
      return splitter(/\p{White_Space}/gu, 'removed', false);
    case 'Split': {
      const behavior = String(config.behavior ?? 'Isolated').toLowerCase();
      if (!isBehavior(behavior))
        throw unsupported('pre_tokenizer.behavior', `one of ${BEHAVIORS.join(', ')}`, config.behavior);
      return splitter(patternOf('pre_tokenizer.pattern', config.pattern), behavior, config.invert ?? false);
    }
  }
  throw unsupported(
    'pre_tokenizer',
    'Sequence, ByteLevel, Digits, Metaspace, WhitespaceSplit or Split',
    config.type,
  );
}

/** Spaces become `▁`, one is put first by the scheme, and words are cut before each. */
function metaspace(config: PreTokenizerJson): Cut {
  const replacement = config.replacement ?? '▁';
  // Older files say add_prefix_space, newer ones prepend_scheme.
  const scheme = config.prepend_scheme ?? (config.add_prefix_space === false ? 'never' : 'always');
  if (typeof replacement !== 'string' || replacement === '')
    throw unsupported('pre_tokenizer.replacement', 'a character', replacement);
  if (!['always', 'first', 'never'].includes(scheme))
    throw unsupported('pre_tokenizer.prepend_scheme', 'always, first or never', scheme);
  const words = splitter(
    patternOf('pre_tokenizer.replacement', { String: replacement }),
    'mergedwithnext',
    false,
  );
  return (text, isStart) => {
    const replaced = replaceTracked(text, spacesAs(text.text, replacement));
    const wantsPrefix = scheme === 'always' || (scheme === 'first' && isStart && text.starts[0] === 0);
    const prefixed =
      wantsPrefix && !replaced.text.startsWith(replacement) ? insertFirst(replaced, replacement) : replaced;
    return config.split === false ? [prefixed] : words(prefixed, isStart);
  };
}

function* spacesAs(text: string, replacement: string) {
  for (let at = text.indexOf(' '); at >= 0; at = text.indexOf(' ', at + 1))
    yield { from: at, to: at + 1, text: replacement };
}

const insertFirst = (tracked: TrackedText, text: string) =>
  replaceTracked(tracked, [{ from: 0, to: 0, text }]);

const BEHAVIORS = ['isolated', 'removed', 'mergedwithprevious', 'mergedwithnext', 'contiguous'] as const;
type Behavior = (typeof BEHAVIORS)[number];
const isBehavior = (name: string): name is Behavior => (BEHAVIORS as readonly string[]).includes(name);

interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly isMatch: boolean;
}

/**
 * Cuts at the matches of a pattern as Python's `tokenizers` does.
 * @param isInverted whether what lies between the matches counts as matched
 */
function splitter(pattern: RegExp, behavior: Behavior, isInverted: boolean): Cut {
  return function* cut(text) {
    let held: Stretch | undefined;
    for (const found of stretches(text.text, pattern)) {
      const next = { ...found, isMatch: found.isMatch !== isInverted };
      if (behavior === 'removed') {
        if (!next.isMatch) yield sliceTracked(text, next.from, next.to);
      } else if (held !== undefined && isJoined(behavior, held, next)) {
        // A match that was joined to what is before it takes no further match in.
        held = { from: held.from, to: next.to, isMatch: next.isMatch };
      } else {
        if (held !== undefined) yield sliceTracked(text, held.from, held.to);
        held = next;
      }
    }
    if (held !== undefined) yield sliceTracked(text, held.from, held.to);
  };
}

function isJoined(behavior: Behavior, held: Stretch, next: Stretch): boolean {
  switch (behavior) {
    case 'contiguous':
      return held.isMatch === next.isMatch;
    case 'mergedwithprevious':
      return !held.isMatch && next.isMatch;
    case 'mergedwithnext':
      return held.isMatch && !next.isMatch;
    default:
      return false;
  }
}

/** Matches and what lies between them, in order. An empty match right behind another match does not count. */
function* stretches(text: string, pattern: RegExp): Generator<Stretch> {
  let done = 0;
  let isFirst = true;
  for (const { 0: match, index } of text.matchAll(pattern)) {
    if (match === '' && index === done && !isFirst) continue;
    isFirst = false;
    if (index > done) yield { from: done, to: index, isMatch: false };
    done = index + match.length;
    yield { from: index, to: done, isMatch: true };
  }
  if (done < text.length) yield { from: done, to: text.length, isMatch: false };
}
