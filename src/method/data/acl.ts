/** @file ACL Anthology examples: a first author writes the abstract of a title, given the abstracts of earlier papers. */
import { DataError } from '../../base/errors.ts';
import type { Example, HistoryItem } from './example.ts';
import { readLines } from './lines.ts';
import { normaliseText } from './normalise.ts';
import type { NoticeListener } from './notice.ts';
import { countWords, firstSentences } from './sentences.ts';
import { splitOfUser } from './splits.ts';

/** Options of {@link aclExamples}. */
export interface AclOptions {
  /** Splits the authors; default 0. */
  readonly seed?: number;
  /** Latest earlier papers kept as history, at most; default 8. */
  readonly historySize?: number;
  /** Shorten every history text to whole sentences of at most so many words; default: left whole. */
  readonly historyWords?: number;
  /** Earlier papers that a response needs; default 1; 0 adds the first papers, with an empty history. */
  readonly minHistory?: number;
  /** Papers of an author for any of them to be used; default 1. */
  readonly minPapers?: number;
  /** `all` papers with enough history are responses (default), or only the `last` one of an author. */
  readonly responses?: 'all' | 'last';
  /** Papers with a shorter abstract are left out everywhere; default 20. */
  readonly minWords?: number;
  readonly onNotice?: NoticeListener | undefined;
  readonly signal?: AbortSignal;
}

interface Paper {
  readonly id: string;
  readonly year: string;
  readonly title: string;
  readonly authors: readonly string[];
  readonly abstract: string;
}

/**
 * Examples from a file of ACL Anthology papers: user = first author, by name; query = title; response = abstract;
 * history = papers of the same first author from strictly earlier years, the latest kept, oldest first.
 * A paper has one first author and authors are split by hash ({@link splitOfUser}, 80/10/10), so a paper is in one split only,
 * and test authors are never trained on. Abstracts that repeat one of another paper are left out.
 * @param path JSON lines (`.gz` or plain) of `{id, year, title, authors, abstract}`
 * @returns by author (in order of first appearance) and year
 * @throws {DataError} with `FILE:LINE` and key for a bad row; two papers of one id; no example at all
 */
export async function aclExamples(path: string, options: AclOptions = {}): Promise<Example[]> {
  const { seed = 0, historySize = 8, historyWords, minHistory = 1, minPapers = 1 } = options;
  const byAuthor = await readPapers(path, options);
  const examples: Example[] = [];
  for (const [user, unsorted] of byAuthor) {
    const papers = unsorted.toSorted((a, b) => Number(a.year) - Number(b.year) || (a.id < b.id ? -1 : 1));
    if (papers.length < minPapers) continue;
    const split = splitOfUser(user, seed);
    const responses = papers.flatMap((paper): Example[] => {
      const earlier = papers.filter((other) => Number(other.year) < Number(paper.year));
      if (earlier.length < minHistory) return [];
      const history = earlier.slice(Math.max(0, earlier.length - historySize)).map((item): HistoryItem => {
        const text = historyWords === undefined ? item.abstract : firstSentences(item.abstract, historyWords);
        return {
          id: item.id,
          time: item.year,
          query: item.title,
          text,
          authors: item.authors,
        };
      });
      return [
        {
          id: paper.id,
          user,
          time: paper.year,
          query: paper.title,
          response: paper.abstract,
          history,
          split,
          meta: { authors: paper.authors },
        },
      ];
    });
    examples.push(...(options.responses === 'last' ? responses.slice(-1) : responses));
  }
  if (examples.length === 0)
    throw new DataError(
      `${path}: expected first authors with papers in two years, got ${byAuthor.size} authors without`,
      {
        code: 'data/empty-file',
        hint: `Check that the file is the whole collection${minHistory > 1 || minPapers > 1 ? ', or lower minHistory and minPapers' : ''}.`,
      },
    );
  return examples;
}

/** The papers of every first author, without short abstracts and repeated ones (the first line of them stays). */
async function readPapers(path: string, options: AclOptions): Promise<Map<string, Paper[]>> {
  const { minWords = 20, onNotice = () => {}, signal } = options;
  const byAuthor = new Map<string, Paper[]>();
  const lineOf = new Map<string, number>();
  const abstracts = new Set<string>();
  let short = 0;
  let repeated = 0;
  for await (const { number, text } of readLines(path, signal)) {
    const paper = parsePaper(text, `${path}:${number}`);
    const twin = lineOf.get(paper.id);
    if (twin !== undefined)
      throw bad(
        `${path}:${number}`,
        'id',
        'an id that no other line has',
        `"${paper.id}" of line ${twin}`,
        'data/duplicate-id',
      );
    lineOf.set(paper.id, number);
    const abstract = normaliseText(paper.abstract);
    if (countWords(paper.abstract) < minWords) short++;
    else if (abstracts.has(abstract)) repeated++;
    else {
      abstracts.add(abstract);
      const author = paper.authors[0]!;
      const papers = byAuthor.get(author);
      if (papers === undefined) byAuthor.set(author, [paper]);
      else papers.push(paper);
    }
  }
  if (short + repeated > 0) onNotice({ code: 'data/papers-left-out', path, short, minWords, repeated });
  return byAuthor;
}

function parsePaper(line: string, where: string): Paper {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    const got = `malformed JSON (${(cause as Error).message})`;
    throw bad(where, undefined, 'one JSON object', got, 'data/malformed-json');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad(where, undefined, 'one JSON object', JSON.stringify(value).slice(0, 60));
  const row = value as Readonly<Record<string, unknown>>;
  const text = (key: string): string => {
    const field = row[key];
    if (typeof field !== 'string' || field.trim() === '' || /\p{Surrogate}/u.test(field))
      throw bad(where, key, 'a string that is not empty', shown(field));
    return field.replace(/\s+/g, ' ').trim();
  };
  const { authors } = row;
  if (!Array.isArray(authors) || authors.length === 0)
    throw bad(where, 'authors', 'a list of at least one name', shown(authors));
  const names = authors.map((name: unknown, place) => {
    if (typeof name !== 'string' || name.trim() === '')
      throw bad(where, `authors[${place}]`, 'a name', shown(name));
    return name.trim();
  });
  const year = text('year');
  if (!/^\d{4}$/.test(year)) throw bad(where, 'year', 'four digits in quotes', shown(row.year));
  return { id: text('id'), year, title: text('title'), authors: names, abstract: text('abstract') };
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 60);
}

function bad(where: string, key: string | undefined, expected: string, got: string, code = 'data/acl-row') {
  return new DataError(`${where}: ${key === undefined ? '' : `${key}: `}expected ${expected}, got ${got}`, {
    code,
    hint: 'Give one paper a line: {"id", "year", "title", "authors", "abstract"}.',
  });
}
