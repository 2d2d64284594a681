/**
 * @file Synonyms from a folder of WordNet's database files, as METEOR's third module wants them.
 * Fellbaum, "WordNet: an electronic lexical database" (1998); words are reduced as NLTK 3.9.1 `WordNetCorpusReader` does it.
 */
import { join } from 'node:path';
import { DataError } from '../../base/errors.ts';
import { readLines } from '../data/lines.ts';

/** The words that share a meaning with a word, without those of several parts; empty for words that WordNet lacks. */
export type Synonyms = (word: string) => ReadonlySet<string>;

/** One part of speech: its files, and the endings that lead from a form to its lemma. */
interface PartOfSpeech {
  readonly file: string;
  readonly endings: readonly (readonly [old: string, replacement: string])[];
}

const endings = (text: string) =>
  text.split(' ').map((pair): [string, string] => {
    const [old, replacement] = pair.split('>');
    return [old!, replacement!];
  });

const PARTS: readonly PartOfSpeech[] = [
  { file: 'noun', endings: endings('s> ses>s ves>f xes>x zes>z ches>ch shes>sh men>man ies>y') },
  { file: 'verb', endings: endings('s> ies>y es>e es> ed>e ed> ing>e ing>') },
  { file: 'adj', endings: endings('er> est> er>e est>e') },
  { file: 'adv', endings: [] },
];

/** What the files of one part of speech hold. */
interface Lexicon {
  readonly endings: PartOfSpeech['endings'];
  /** Lemma to the places of its sets of synonyms. */
  readonly places: ReadonlyMap<string, readonly number[]>;
  /** Place to the words of the set. */
  readonly sets: ReadonlyMap<number, readonly string[]>;
  /** Irregular form to its lemmas. */
  readonly exceptions: ReadonlyMap<string, readonly string[]>;
}

/**
 * Reads WordNet's index, data and exception files.
 * @param folder holds index.noun, data.noun, noun.exc and the same for verb, adj and adv: WordNet 3.0's `dict`, or
 *   nltk_data/corpora/wordnet
 * @throws {DataError} when a file is missing or has another layout
 */
export async function wordNetFromFolder(folder: string): Promise<Synonyms> {
  const lexicons: Lexicon[] = [];
  for (const part of PARTS) lexicons.push(await readLexicon(folder, part));
  const known = new Map<string, ReadonlySet<string>>();
  return (word) => {
    const cached = known.get(word);
    if (cached !== undefined) return cached;
    const synonyms = new Set(lexicons.flatMap((lexicon) => synonymsIn(lexicon, word.toLowerCase())));
    known.set(word, synonyms);
    return synonyms;
  };
}

function synonymsIn({ endings, places, sets, exceptions }: Lexicon, word: string): string[] {
  const lemmas =
    exceptions.get(word) ??
    endings
      .filter(([old]) => word.endsWith(old))
      .map(([old, replacement]) => word.slice(0, word.length - old.length) + replacement);
  return [...new Set([word, ...lemmas])]
    .flatMap((lemma) => places.get(lemma) ?? [])
    .flatMap((place) => sets.get(place) ?? []);
}

async function readLexicon(folder: string, { file, endings }: PartOfSpeech): Promise<Lexicon> {
  const places = new Map<string, number[]>();
  for await (const { fields, where } of rowsOf(join(folder, `index.${file}`))) {
    const [lemma, , sets, pointers] = fields;
    const first = 6 + Number(pointers);
    const offsets = fields.slice(first, first + Number(sets)).map(Number);
    if (lemma === undefined || offsets.length !== Number(sets) || offsets.some(Number.isNaN))
      throw otherLayout(where, 'a lemma with its counts and offsets');
    places.set(lemma, offsets);
  }
  const sets = new Map<number, string[]>();
  for await (const { fields, where } of rowsOf(join(folder, `data.${file}`))) {
    const [offset, , , count] = fields;
    const words = Array.from({ length: Number.parseInt(count ?? '', 16) || 0 }, (_, n) => fields[4 + 2 * n]);
    if (!/^\d{8}$/.test(offset ?? '') || words.length === 0 || words.includes(undefined))
      throw otherLayout(where, 'an offset of eight digits and words');
    sets.set(
      Number(offset),
      (words as string[]).map(plain).filter((word) => !word.includes('_')),
    );
  }
  const exceptions = new Map<string, string[]>();
  for await (const { fields } of rowsOf(join(folder, `${file}.exc`)))
    exceptions.set(fields[0]!, fields.slice(1));
  return { endings, places, sets, exceptions };
}

/** A word without the mark of where an adjective stands, as in `galore(ip)`. */
function plain(word: string): string {
  return word.replace(/\([^()]*\)$/, '');
}

/** The rows of a file in fields; lines that begin with a space are the licence. */
async function* rowsOf(path: string): AsyncGenerator<{ readonly fields: string[]; readonly where: string }> {
  for await (const { number, text } of readLines(path))
    if (!text.startsWith(' '))
      yield { fields: text.split(' ').filter((field) => field !== ''), where: `${path}:${number}` };
}

function otherLayout(where: string, expected: string): DataError {
  return new DataError(`${where}: expected ${expected}, got another layout`, {
    code: 'data/wordnet',
    hint: 'Name a folder of WordNet’s database files, such as WordNet 3.0’s dict or nltk_data/corpora/wordnet.',
  });
}
