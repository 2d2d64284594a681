/**
 * @file Sentences by Punkt, which METEOR's tokens depend on: a full stop ends a sentence or belongs to its word.
 * Kiss and Strunk, "Unsupervised multilingual sentence boundary detection" (2006); equal to NLTK 3.9.1
 * `PunktSentenceTokenizer`, untrained, or with the parameters of a folder such as nltk_data/tokenizers/punkt_tab/english.
 */
import { join } from 'node:path';
import { PYTHON_SPACE, PYTHON_WORD, stripEnd } from '../../base/python-text.ts';
import { readLines } from '../data/lines.ts';

/** What Punkt has learned of a language; nothing where it is untrained. */
export interface PunktParameters {
  /** Words before a full stop that does not end a sentence, lower case. */
  readonly abbreviations: ReadonlySet<string>;
  /** Pairs of words with a full stop between, joined by a tab. */
  readonly collocations: ReadonlySet<string>;
  readonly sentenceStarters: ReadonlySet<string>;
  /** In which cases and places a word occurs: flags of {@link Context}. */
  readonly contexts: ReadonlyMap<string, number>;
}

/** Punkt without training: every full stop after a word ends a sentence, except for initials. */
export const UNTRAINED: PunktParameters = {
  abbreviations: new Set(),
  collocations: new Set(),
  sentenceStarters: new Set(),
  contexts: new Map(),
};

const Context = { MIDDLE_UPPER: 4, BEGIN_LOWER: 16, UPPER: 2 + 4 + 8, LOWER: 16 + 32 + 64 } as const;

const SPACE = `[${PYTHON_SPACE}]`;
const FILLED = `[^${PYTHON_SPACE}]`;
const NON_WORD = `[)";}\\]*:@'({\\[!?]`;
const MULTIPLE = `(?:-{2,}|\\.{2,}|(?:\\.${SPACE}){2,}\\.)`;
const WORDS = new RegExp(
  `${MULTIPLE}|(?=[^("\`{\\[:;&#*@)}\\]\\-,])${FILLED}+?(?=${SPACE}|$|${NON_WORD}|${MULTIPLE}|,(?=$|${SPACE}|${NON_WORD}|${MULTIPLE}))|${FILLED}`,
  'gu',
);
const POSSIBLE_END = new RegExp(`[.?!](?=(${NON_WORD}|${SPACE}+(${FILLED}+)))`, 'gu');
const REALIGNED = new RegExp(`^["')\\]}]+?(?:${SPACE}+|(?=--)|$)`, 'mu');
const ELLIPSIS = /^\.\.+$/;
const NUMBER = /^-?[.,]?\p{Nd}[\p{Nd},.-]*\.?$/u;
const INITIAL = new RegExp(`^(?!\\p{Nd})[${PYTHON_WORD}]\\.$`, 'u');
const PUNCTUATION = ';:,.!?';

/**
 * The parameters in a folder that NLTK wrote: abbrev_types.txt, collocations.tab, sent_starters.txt, ortho_context.tab.
 * @throws {DataError} when a file is missing or unreadable
 */
export async function punktFromFolder(folder: string): Promise<PunktParameters> {
  const lines = async (name: string) => {
    const texts: string[] = [];
    for await (const { text } of readLines(join(folder, name))) texts.push(text);
    return texts;
  };
  return {
    abbreviations: new Set(await lines('abbrev_types.txt')),
    collocations: new Set(await lines('collocations.tab')),
    sentenceStarters: new Set(await lines('sent_starters.txt')),
    contexts: new Map(
      (await lines('ortho_context.tab')).map((line) => {
        const [word, flags] = line.split('\t');
        return [word!, Number(flags)];
      }),
    ),
  };
}

/** The sentences of a text, without the white space between them. */
export function punktSentences(text: string, parameters: PunktParameters = UNTRAINED): string[] {
  const sentences: string[] = [];
  const slices = slicesOf(text, parameters);
  let realigned = 0;
  for (const [place, slice] of slices.entries()) {
    const start = slice.start + realigned;
    const next = slices[place + 1];
    const closing = next === undefined ? null : REALIGNED.exec(text.slice(next.start, next.end));
    if (next !== undefined && closing !== null) {
      sentences.push(text.slice(start, next.start + stripEnd(closing[0]).length));
      realigned = closing[0].length;
    } else {
      realigned = 0;
      if (start < slice.end) sentences.push(text.slice(start, slice.end));
    }
  }
  return sentences;
}

interface Slice {
  readonly start: number;
  readonly end: number;
}

/** A mark that may end a sentence, with the text that decides. */
interface PossibleEnd {
  /** After the mark. */
  readonly end: number;
  /** Where the next sentence would begin. */
  readonly next: number;
  readonly context: string;
}

function slicesOf(text: string, parameters: PunktParameters): Slice[] {
  const slices: Slice[] = [];
  let start = 0;
  for (const { end, next, context } of possibleEnds(text)) {
    if (!endsSentence(context, parameters)) continue;
    slices.push({ start, end });
    start = next;
  }
  slices.push({ start, end: stripEnd(text).length });
  return slices;
}

/** Marks followed by white space or punctuation; of several at one word the last. */
function possibleEnds(text: string): PossibleEnd[] {
  const ends: PossibleEnd[] = [];
  let word: Slice = { start: 0, end: 0 };
  let pending: PossibleEnd | undefined;
  for (const match of text.matchAll(POSSIBLE_END)) {
    const before = text.slice(word.end, match.index);
    const space = /[ \t\n\r\v\f][^ \t\n\r\v\f]*$/.exec(before)?.index ?? 0;
    const start = space > 0 ? space + word.end + 1 : word.start;
    if (pending !== undefined && word.end <= start) ends.push(pending);
    word = { start, end: match.index };
    const [mark, after, following] = [match[0], match[1]!, match[2]];
    const end = match.index + mark.length;
    pending = {
      end,
      next: following === undefined ? end : end + after.length - following.length,
      context: text.slice(start, end) + after,
    };
  }
  if (pending !== undefined) ends.push(pending);
  return ends;
}

/** True when a sentence ends before the last word of the text. */
function endsSentence(context: string, parameters: PunktParameters): boolean {
  const words = context.split('\n').flatMap((line) => line.match(WORDS) ?? []);
  const first = words.map((word) => firstDecision(word, parameters));
  return words.slice(0, -1).some((_, place) => {
    const next = words[place + 1]!;
    return secondDecision(words[place]!, first[place]!, next, first[place + 1] === 'end', parameters);
  });
}

type Decision = 'end' | 'abbreviation' | 'ellipsis' | 'none';

/** What the word alone says. */
function firstDecision(word: string, { abbreviations }: PunktParameters): Decision {
  if (word === '.' || word === '?' || word === '!') return 'end';
  if (ELLIPSIS.test(word)) return 'ellipsis';
  if (!word.endsWith('.') || word.endsWith('..')) return 'none';
  const bare = word.slice(0, -1).toLowerCase();
  return abbreviations.has(bare) || abbreviations.has(bare.split('-').at(-1)!) ? 'abbreviation' : 'end';
}

/** Whether a sentence ends after `word`, once the next word is seen. */
function secondDecision(
  word: string,
  decision: Decision,
  next: string,
  nextEnds: boolean,
  { collocations, sentenceStarters, contexts }: PunktParameters,
): boolean {
  const ends = decision === 'end';
  if (!word.endsWith('.')) return ends;
  const type = withoutPeriod(typeOf(word));
  const nextType = nextEnds ? withoutPeriod(typeOf(next)) : typeOf(next);
  if (collocations.has(`${type}\t${nextType}`)) return false;
  const context = contexts.get(nextType) ?? 0;
  const starts = startsSentence(next, context);
  const isInitial = INITIAL.test(word);
  const isOpen = (decision === 'abbreviation' || decision === 'ellipsis') && !isInitial;
  if (isOpen && (starts === true || (isUpper(next) && sentenceStarters.has(nextType)))) return true;
  if (isInitial || type === '##number##') {
    if (starts === false) return false;
    if (starts === undefined && isInitial && isUpper(next) && (context & Context.LOWER) === 0) return false;
  }
  return ends;
}

/** Whether a word's case says that it begins a sentence; undefined where it does not say. */
function startsSentence(word: string, context: number): boolean | undefined {
  if (word.length === 1 && PUNCTUATION.includes(word)) return false;
  if (isUpper(word) && (context & Context.LOWER) !== 0 && (context & Context.MIDDLE_UPPER) === 0) return true;
  if (isLower(word) && ((context & Context.UPPER) !== 0 || (context & Context.BEGIN_LOWER) === 0))
    return false;
  return undefined;
}

const isUpper = (word: string) => /^\p{Uppercase}/u.test(word);
const isLower = (word: string) => /^\p{Lowercase}/u.test(word);
const typeOf = (word: string) => {
  const lower = word.toLowerCase();
  return NUMBER.test(lower) ? '##number##' : lower;
};
const withoutPeriod = (type: string) => (type.length > 1 && type.endsWith('.') ? type.slice(0, -1) : type);
