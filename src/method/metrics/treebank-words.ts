/**
 * @file The tokens of a sentence in the manner of the Penn Treebank, as METEOR counts them.
 * Equal to NLTK 3.9.1 `NLTKWordTokenizer` (by Liling Tan and Tom Aarsen, after Robert MacIntyre's sed script).
 */
import { PYTHON_SPACE, PYTHON_WORD, splitOnSpace } from '../../base/python-text.ts';

type Substitution = readonly [pattern: RegExp, replacement: string];

const WORD = `[${PYTHON_WORD}]`;
const BEGIN = `(?<!${WORD})`;
const END = `(?!${WORD})`;
const SPACE = `[${PYTHON_SPACE}]`;

const STARTING_QUOTES: readonly Substitution[] = [
  [/[«“‘„]|`+/gu, ' $& '],
  [/^"/u, '``'],
  [/``/gu, ' $& '],
  [/([ ([{<])(?:"|'{2})/gu, '$1 `` '],
  [new RegExp(`(')(?!re|ve|ll|m|t|s|d|n)(${WORD})${END}`, 'giu'), '$1 $2'],
];

const PUNCTUATION: readonly Substitution[] = [
  [new RegExp(`([^.])(\\.)([\\])}>"'»”’ ]*)${SPACE}*$`, 'u'), '$1 $2 $3 '],
  [/([:,])(\P{Nd})/gu, ' $1 $2'],
  [/[:,]$/u, ' $& '],
  [/\.{2,}/gu, ' $& '],
  [/[;@#$%&]/gu, ' $& '],
  [new RegExp(`([^.])(\\.)([\\])}>"']*)${SPACE}*$`, 'u'), '$1 $2$3 '],
  [/[?!]/gu, ' $& '],
  [/([^'])' /gu, "$1 ' "],
  [/[*]/gu, ' $& '],
  [/[\][(){}<>]/gu, ' $& '],
  [/--/gu, ' -- '],
];

const ENDING_QUOTES: readonly Substitution[] = [
  [/[»”’]/gu, ' $& '],
  [/''/gu, " '' "],
  [/"/gu, " '' "],
  [new RegExp(`${SPACE}+`, 'gu'), ' '],
  [/([^' ])('[sS]|'[mM]|'[dD]|') /gu, '$1 $2 '],
  [/([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) /gu, '$1 $2 '],
];

const CONTRACTIONS: readonly Substitution[] = [
  ...[
    ['can', 'not'],
    ['d', "'ye"],
    ['gim', 'me'],
    ['gon', 'na'],
    ['got', 'ta'],
    ['lem', 'me'],
    ['more', "'n"],
  ].map(
    ([first, second]): Substitution => [new RegExp(`${BEGIN}(${first})(${second})${END}`, 'giu'), ' $1 $2 '],
  ),
  [new RegExp(`${BEGIN}(wan)(na)(?=${SPACE})`, 'giu'), ' $1 $2 '],
  [new RegExp(` ('t)(is)${END}`, 'giu'), ' $1 $2 '],
  [new RegExp(` ('t)(was)${END}`, 'giu'), ' $1 $2 '],
];

/** The tokens of one sentence; a full stop is one of its own at the very end only. */
export function treebankWords(sentence: string): string[] {
  const apply = (text: string, substitutions: readonly Substitution[]) =>
    substitutions.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
  const parted = apply(apply(sentence, STARTING_QUOTES), PUNCTUATION);
  return splitOnSpace(apply(apply(` ${parted} `, ENDING_QUOTES), CONTRACTIONS));
}
