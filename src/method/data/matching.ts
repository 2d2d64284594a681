/** @file Other users' histories for author identification and placebos, matched in period, domain and length, so that neither era nor topic gives the author away. */
import { ConfigError, DataError } from '../../base/errors.ts';
import { randomStream } from '../../base/random.ts';
import type { Example, HistoryItem } from './example.ts';
import { normaliseText } from './normalise.ts';
import { countWords } from './sentences.ts';
import { yearOf } from './time.ts';

/** Options of {@link matchedCandidates}. */
export interface MatchingOptions {
  /** Users nearest in period that length is then matched among, as a multiple of k − 1; default 1, the nearest. More: better length, worse period. */
  readonly poolFactor?: number;
  /** Orders users that are equally near; default 0. */
  readonly seed?: number;
}

/** A history of another user. */
export interface Candidate {
  readonly user: string;
  /** As many items as every other candidate, oldest first. */
  readonly history: readonly HistoryItem[];
}

/** What {@link matchedCandidates} found. */
export interface MatchedCandidates {
  /** k − 1 histories of k − 1 other users. */
  readonly others: readonly Candidate[];
  /** The example's own history, cut to the same number of items: the latest. */
  readonly own: readonly HistoryItem[];
  /** What was matched and how closely, such as `period ±12 years, length ±8 %`. */
  readonly matching: string;
  /** Largest distance in years between the example's response and a candidate's; absent without times. */
  readonly periodYears?: number;
  /** Candidates of the example's `meta.domain`; absent without a domain. */
  readonly sameDomain?: number;
  /** Largest relative difference in words between a candidate's history and the example's own. */
  readonly lengthDifference: number;
}

interface Rated {
  readonly example: Example;
  readonly domainDiffers: number;
  readonly years: number;
}

/** Users beyond the pool that are looked at when they are exactly as near as its last one. */
const MAX_POOL = 64;

/**
 * The histories of k − 1 other users, nearest to `example` first by domain (`meta.domain`, where it has one),
 * then by period (time of the response), and among the nearest of those by length in words. Histories are cut to one number of items, the latest.
 * Left out: the same user; items with the id or the text of the response or of an item of the example's own history;
 * items that the example's user co-wrote (`meta.authors`).
 * @param examples where other users' histories come from; may contain `example`
 * @param k candidates with the true user, at least 2
 * @throws {ConfigError} when k is below 2 or not whole
 * @throws {DataError} when the example has no history or fewer than k − 1 other users have one
 */
export function matchedCandidates(
  examples: readonly Example[],
  example: Example,
  k: number,
  options: MatchingOptions = {},
): MatchedCandidates {
  const { poolFactor = 1, seed = 0 } = options;
  if (!Number.isInteger(k) || k < 2)
    throw new ConfigError(`k: expected a whole number of candidates of at least 2, got ${k}`, {
      code: 'config/candidates',
      hint: 'Choose k = 2 or more, the true user included.',
    });
  const foreign = foreignTo(example);
  const items = itemsForAll(examples, example, k);
  const own = example.history.slice(-items);
  const words = wordsOf(own);
  const rated = nearestOfEachUser(examples, example, items, words, seed);
  const pool: { readonly rated: Rated; readonly candidate: Candidate }[] = [];
  for (const near of rated) {
    const last = pool.at(-1)?.rated;
    const asNear =
      last !== undefined && near.domainDiffers === last.domainDiffers && near.years === last.years;
    if (pool.length >= poolFactor * (k - 1) && (!asNear || pool.length >= MAX_POOL)) break;
    const history = near.example.history.filter(foreign).slice(-items);
    if (history.length === items) pool.push({ rated: near, candidate: { user: near.example.user, history } });
  }
  if (pool.length < k - 1) throw tooFew(example, k, pool.length);

  const difference = ({ candidate }: (typeof pool)[number]) =>
    Math.abs(wordsOf(candidate.history) - words) / words;
  // Those of another domain come last whatever their length.
  const chosen = pool
    .map((entry) => ({ ...entry, difference: difference(entry) }))
    .sort((a, b) => a.rated.domainDiffers - b.rated.domainDiffers || a.difference - b.difference)
    .slice(0, k - 1);
  const lengthDifference = Math.max(...chosen.map((entry) => entry.difference));
  const years = Math.max(...chosen.map((entry) => entry.rated.years));
  const sameDomain =
    example.meta?.domain === undefined
      ? undefined
      : chosen.filter((entry) => entry.rated.domainDiffers === 0).length;
  const parts = [lengthPart(lengthDifference)];
  if (Number.isFinite(years)) parts.unshift(periodPart(years));
  if (sameDomain !== undefined) parts.unshift(domainPart(sameDomain, k - 1));
  return {
    others: chosen.map((entry) => entry.candidate),
    own,
    matching: parts.join(', '),
    ...(Number.isFinite(years) && { periodYears: years }),
    ...(sameDomain !== undefined && { sameDomain }),
    lengthDifference,
  };
}

/** One description of the matching of many examples, such as `period ±20 years (median 8), length ±19 % (median 3)`: the widest, which holds for all, and the median. */
export function describeMatching(matches: readonly MatchedCandidates[]): string {
  if (matches.length === 0) return 'none';
  const parts: string[] = [];
  const domains = matches.flatMap((match) => match.sameDomain ?? []);
  const candidates = matches.reduce((sum, match) => sum + match.others.length, 0);
  if (domains.length > 0)
    parts.push(
      domainPart(
        domains.reduce((sum, count) => sum + count, 0),
        candidates,
      ),
    );
  const years = matches.flatMap((match) => match.periodYears ?? []);
  if (years.length > 0)
    parts.push(
      Math.max(...years) < 0.05
        ? periodPart(0)
        : `${periodPart(Math.max(...years))} (median ${oneDecimal(median(years))})`,
    );
  const lengths = matches.map((match) => match.lengthDifference);
  parts.push(`${lengthPart(Math.max(...lengths))} (median ${Math.ceil(median(lengths) * 100)})`);
  return parts.join(', ');
}

/** Each other user's example of at least `items` items that is nearest in domain, period and words; users in order of domain and period, ties in random order. */
function nearestOfEachUser(
  examples: readonly Example[],
  example: Example,
  items: number,
  words: number,
  seed: number,
): Rated[] {
  const year = yearOf(example.time);
  const domain = example.meta?.domain;
  const best = new Map<string, Rated>();
  for (const other of examples) {
    if (other.user === example.user || other.history.length < items) continue;
    const otherYear = yearOf(other.time);
    const rated: Rated = {
      example: other,
      domainDiffers: domain === undefined || other.meta?.domain === domain ? 0 : 1,
      years:
        year === undefined || otherYear === undefined ? Number.POSITIVE_INFINITY : Math.abs(otherYear - year),
    };
    const known = best.get(other.user);
    const distance = known === undefined ? -1 : nearer(rated, known);
    if (distance < 0 || (distance === 0 && closerInLength(other, known!.example, items, words)))
      best.set(other.user, rated);
  }
  return randomStream(seed, `matching/${example.id}`)
    .shuffle([...best.values()])
    .sort(nearer);
}

function closerInLength(a: Example, b: Example, items: number, words: number): boolean {
  const difference = (other: Example) => Math.abs(wordsOf(other.history.slice(-items)) - words);
  return difference(a) < difference(b);
}

function nearer(a: Rated, b: Rated): number {
  if (a.domainDiffers !== b.domainDiffers) return a.domainDiffers - b.domainDiffers;
  return a.years === b.years ? 0 : a.years - b.years;
}

/** The number of items that the example and k − 1 other users can all show: its own, or fewer where others have fewer. */
function itemsForAll(examples: readonly Example[], example: Example, k: number): number {
  if (example.history.length === 0) throw tooFew(example, k, undefined);
  const most = new Map<string, number>();
  for (const { user, history } of examples)
    if (user !== example.user && history.length > (most.get(user) ?? 0)) most.set(user, history.length);
  const counts = [...most.values()].sort((a, b) => b - a);
  const others = counts[k - 2];
  if (others === undefined) throw tooFew(example, k, counts.length);
  return Math.min(example.history.length, others);
}

/** Whether an item of another user tells nothing of the example's own response and history, nor was co-written by its user. */
export function foreignTo(example: Example): (item: HistoryItem) => boolean {
  const ids = new Set([example.id, ...example.history.map((item) => item.id)]);
  const texts = new Set([example.response, ...example.history.map((item) => item.text)].map(normaliseText));
  return (item) => {
    const authors = item.meta?.authors;
    return (
      !ids.has(item.id) &&
      !texts.has(normaliseText(item.text)) &&
      !(Array.isArray(authors) && authors.includes(example.user))
    );
  };
}

const WORDS = new WeakMap<HistoryItem, number>(); // counting is most of the cost of matching

function wordsOf(history: readonly HistoryItem[]): number {
  let sum = 0;
  for (const item of history) {
    let words = WORDS.get(item);
    if (words === undefined) {
      words = countWords(item.text);
      WORDS.set(item, words);
    }
    sum += words;
  }
  return Math.max(1, sum);
}

function periodPart(years: number): string {
  return oneDecimal(years) === 0 ? 'period: same' : `period ±${oneDecimal(years)} years`;
}

function lengthPart(difference: number): string {
  return `length ±${Math.ceil(difference * 100)} %`;
}

function domainPart(same: number, candidates: number): string {
  return same === candidates ? 'domain' : `domain (${same} of ${candidates} candidates)`;
}

function oneDecimal(value: number): number {
  return Math.round(value * 10) / 10;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

function tooFew(example: Example, k: number, got: number | undefined): DataError {
  const found = got === undefined ? 'an empty history of its own' : `${got}`;
  return new DataError(
    `example "${example.id}": expected ${k - 1} other users with histories to compare, got ${found}`,
    {
      code: 'data/too-few-candidates',
      hint: 'Ask for fewer candidates or placebos, or give more users with histories.',
    },
  );
}
