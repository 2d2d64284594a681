/** @file Which other users' histories are compared with the own one: matched in period, domain and length, so that neither era nor topic gives the author away. */

import { ConfigError, DataError } from '../../base/errors.ts';
import { sha256 } from '../../base/hash.ts';
import { largest } from '../../base/largest.ts';
import { randomStream } from '../../base/random.ts';
import type { Example, HistoryItem } from '../data/example.ts';
import { comparedForm, isSameItem } from '../data/normalise.ts';
import { yearOf } from '../data/time.ts';
import { type ItemChooser, itemChooser } from '../retrieval/choose.ts';
import { nearestFirst, poolColumns, wordsOf } from './pool-columns.ts';

/** Options of {@link matchedOthers}. */
export interface MatchingOptions {
  /** Orders users that are equally near; default 0. */
  readonly seed?: number;
  /** Items that a prompt can show at most: longer histories count as having these alone; all by default. */
  readonly maxItems?: number;
  /** Which items of a longer history are compared: the latest by default. */
  readonly choose?: ItemChooser;
  /** Users that are not asked. */
  readonly without?: ReadonlySet<string>;
}

/** A history of another user. */
export interface OtherHistory {
  readonly user: string;
  /** As many items as each of those it is compared with, oldest first. */
  readonly history: readonly HistoryItem[];
}

/** What {@link matchedOthers} found. */
export interface MatchedOthers {
  /** One history of each of so many other users. */
  readonly others: readonly OtherHistory[];
  /** The example's own history, cut to the same number of items. */
  readonly own: readonly HistoryItem[];
  /** Largest distance in years between the example's response and another user's; absent without times. */
  readonly periodYears?: number;
  /** Those of the example's `domain`; absent without a domain. */
  readonly sameDomain?: number;
  /** Largest relative difference in words between another user's history and the example's own. */
  readonly lengthDifference: number;
  /** Cosine between the words of the own history and of the least similar of the others; of similar users only. */
  readonly similarity?: number;
}

/** Users beyond the pool that are looked at when they are exactly as near as its last one. */
const MAX_POOL = 64;

/**
 * The histories of `count` other users, nearest to `example` first by domain (`domain`, where it has one),
 * then by period (time of the response), and among the nearest of those by length in words. Histories are cut to one number
 * of items, the latest unless `choose` says otherwise: `maxItems`, or fewer where the example or the other users have fewer.
 * Left out: the same user; items that are the response or an item of the example's own history ({@link isSameItem});
 * items that the example's user co-wrote (`authors`).
 * @param examples where other users' histories come from; may contain `example`
 * @param count other users, at least 1
 * @throws {ConfigError} when `count` is not a whole number of at least 1
 * @throws {DataError} when the example has no history or fewer than `count` other users have one
 */
export function matchedOthers(
  examples: readonly Example[],
  example: Example,
  count: number,
  options: MatchingOptions = {},
): MatchedOthers {
  checkOthers(count, 1);
  const foreign = foreignTo(example);
  const items = itemsForAll(examples, example, count, options);
  const choose = options.choose ?? itemChooser(example);
  const own = choose(example.history, items);
  const words = wordsOf(own);
  const distance = distanceFrom(example, examples);
  const pool: Matched[] = [];
  for (const place of usersByNearness(examples, example, items, words, distance, options)) {
    const { domainDiffers, years } = distance(place);
    const last = pool.at(-1);
    const asNear = domainDiffers === last?.domainDiffers && years === last.years;
    if (pool.length >= count && (!asNear || pool.length >= MAX_POOL)) break;
    const { user, history: all } = examples[place]!;
    const history =
      options.choose === undefined ? latest(all, items, foreign) : choose(all.filter(foreign), items);
    if (history.length < items) continue;
    const difference = Math.abs(wordsOf(history) - words) / words;
    pool.push({ other: { user, history }, domainDiffers, years, difference });
  }
  if (pool.length < count) throw tooFew(example, count, pool.length);

  // Those of another domain come last whatever their length.
  const chosen = pool
    .toSorted((a, b) => a.domainDiffers - b.domainDiffers || a.difference - b.difference)
    .slice(0, count);
  const years = largest(chosen.map((entry) => entry.years));
  return lengthsCompared({
    others: chosen.map((entry) => entry.other),
    own,
    ...(Number.isFinite(years) && { periodYears: years }),
    ...(example.domain !== undefined && {
      sameDomain: chosen.filter((entry) => entry.domainDiffers === 0).length,
    }),
  });
}

/** The same users' histories and the own one, cut further to fewer items, and described as what they then are. */
export function cutTo(
  { others, own, ...matched }: MatchedOthers,
  items: number,
  choose: ItemChooser,
): MatchedOthers {
  const cut = (history: readonly HistoryItem[]) => choose(history, items);
  return lengthsCompared({
    ...matched,
    others: others.map(({ user, history }) => ({ user, history: cut(history) })),
    own: cut(own),
  });
}

/** Adds how closely histories are matched. */
export function lengthsCompared(match: Omit<MatchedOthers, 'lengthDifference'>): MatchedOthers {
  const { others, own } = match;
  const words = wordsOf(own);
  const lengthDifference = Math.max(
    ...others.map(({ history }) => Math.abs(wordsOf(history) - words) / words),
  );
  return { ...match, lengthDifference };
}

/** How closely the histories of many examples are matched: the widest, which holds for all, and the median. */
export interface Matching {
  /** Other users of the example's own domain, of all; absent where no example names one. */
  readonly domain?: { readonly same: number; readonly all: number };
  /** Years between the texts; absent without times. */
  readonly years?: Spread;
  /** Share by which the length in words differs; absent where nothing was matched. */
  readonly length?: Spread;
  /** Cosine between words, where the most similar users were asked for. */
  readonly similarity?: { readonly least: number; readonly median: number };
}

export interface Spread {
  readonly most: number;
  readonly median: number;
}

/** The {@link Matching} of some examples. */
export function matchingOf(
  matches: readonly Pick<
    MatchedOthers,
    'others' | 'sameDomain' | 'periodYears' | 'lengthDifference' | 'similarity'
  >[],
): Matching {
  const domains = matches.flatMap((match) => match.sameDomain ?? []);
  const years = matches.flatMap((match) => match.periodYears ?? []);
  const similarities = matches.flatMap((match) => match.similarity ?? []);
  const lengths = matches.map((match) => match.lengthDifference);
  const spread = (values: readonly number[]): Spread => ({
    most: largest(values),
    median: median(values),
  });
  return {
    ...(domains.length > 0 && {
      domain: {
        same: domains.reduce((sum, count) => sum + count, 0),
        all: matches.reduce((sum, match) => sum + match.others.length, 0),
      },
    }),
    ...(years.length > 0 && { years: spread(years) }),
    ...(lengths.length > 0 && { length: spread(lengths) }),
    ...(similarities.length > 0 && {
      similarity: {
        least: similarities.reduce((least, value) => Math.min(least, value)),
        median: median(similarities),
      },
    }),
  };
}

/** How far another example is in domain and period. */
interface Distance {
  readonly domainDiffers: number;
  readonly years: number;
}

/** A history that could be chosen. */
interface Matched extends Distance {
  readonly other: OtherHistory;
  readonly difference: number;
}

/** How far the examples of a pool, by their place, are from one. */
function distanceFrom(example: Example, pool: readonly Example[]): (place: number) => Distance {
  const columns = poolColumns(pool);
  const year = yearOf(example.time) ?? Number.NaN;
  const domain = example.domain;
  return (place) => {
    const years = Math.abs(columns.year[place]! - year);
    return {
      domainDiffers: domain === undefined || pool[place]!.domain === domain ? 0 : 1,
      years: Number.isNaN(years) ? Number.POSITIVE_INFINITY : years,
    };
  };
}

/** Of each other user the place of the example of at least `items` items that is nearest in domain, period and words; users in order of domain and period, ties in random order. */
function usersByNearness(
  pool: readonly Example[],
  example: Example,
  items: number,
  words: number,
  distance: (place: number) => Distance,
  { seed = 0, without }: MatchingOptions,
): Iterable<number> {
  const columns = poolColumns(pool);
  const me = columns.numberOf.get(example.user);
  const wordsApart = (place: number) => Math.abs(columns.words(place, items) - words);
  const compare = (a: number, b: number) => nearer(distance(a), distance(b));
  const best = new Map<number, number>();
  for (let place = 0; place < pool.length; place++) {
    const user = columns.user[place]!;
    if (user === me || columns.items[place]! < items || without?.has(columns.users[user]!)) continue;
    const known = best.get(user);
    const order = known === undefined ? -1 : compare(place, known);
    const closer = order === 0 ? wordsApart(place) - wordsApart(known!) : order;
    if (closer < 0 || (closer === 0 && pool[place]!.id < pool[known!]!.id)) best.set(user, place);
  }
  // By users' names and ids of examples: the order of rows in a file decides nothing.
  const places = columns.users.flatMap((_, user) => best.get(user) ?? []);
  return nearestFirst(randomStream(seed, `matching/${example.id}`).shuffle(places), compare);
}

function nearer(a: Distance, b: Distance): number {
  if (a.domainDiffers !== b.domainDiffers) return a.domainDiffers - b.domainDiffers;
  return a.years === b.years ? 0 : a.years - b.years;
}

/** The number of items that the example and `count` other users can all show: its own, or fewer where others have fewer. */
function itemsForAll(
  pool: readonly Example[],
  example: Example,
  count: number,
  { maxItems = Number.POSITIVE_INFINITY, without }: MatchingOptions,
): number {
  if (example.history.length === 0 || maxItems < 1) throw tooFew(example, count, undefined);
  const { users, byItems } = poolColumns(pool);
  let found = 0;
  for (const { user, items } of byItems) {
    if (users[user] === example.user || without?.has(users[user]!)) continue;
    found += 1;
    if (found === count) return Math.min(example.history.length, maxItems, items);
  }
  throw tooFew(example, count, found);
}

/** The latest `items` items of which `holds`, oldest first; fewer where there are fewer. */
function latest(
  history: readonly HistoryItem[],
  items: number,
  holds: (item: HistoryItem) => boolean,
): HistoryItem[] {
  const found: HistoryItem[] = [];
  for (let i = history.length - 1; i >= 0 && found.length < items; i--)
    if (holds(history[i]!)) found.unshift(history[i]!);
  return found;
}

/** Whether an item of another user tells nothing of the example's own response and history, nor was co-written by its user. */
export function foreignTo(example: Example): (item: HistoryItem) => boolean {
  const own = [{ id: example.id, text: example.response }, ...example.history];
  const byId = new Map(own.map((item) => [item.id, item]));
  const texts = new Set([sha256(comparedForm(example.response)), ...example.history.map(textHash)]);
  return (item) => {
    const twin = byId.get(item.id);
    return (
      !texts.has(textHash(item)) &&
      (twin === undefined || !isSameItem(item, twin)) &&
      !item.authors?.includes(example.user)
    );
  };
}

const TEXT_HASHES = new WeakMap<HistoryItem, string>(); // an item is compared with many examples

function textHash(item: HistoryItem): string {
  let hash = TEXT_HASHES.get(item);
  if (hash === undefined) {
    hash = sha256(comparedForm(item.text));
    TEXT_HASHES.set(item, hash);
  }
  return hash;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

/** @throws {ConfigError} when a number of other users' histories is not whole or below `least` */
export function checkOthers(others: number, least: number): void {
  if (Number.isInteger(others) && others >= least) return;
  throw new ConfigError(
    `others: expected a whole number of other users' histories of at least ${least}, got ${others}`,
    { code: 'config/others', hint: `Ask for ${least} or more.` },
  );
}

/** @param found users that have a history; undefined where the example itself has none */
function tooFew({ id, user }: Example, count: number, found: number | undefined): DataError {
  const wanted = count === 1 ? '1 other user with a history' : `${count} other users with histories`;
  const [got, hint] =
    found === undefined
      ? ['an empty history of its own', 'Leave out examples without a history.']
      : found === 0
        ? [
            `none beside "${user}"`,
            'Give examples of several users: what only the own history does is seen beside those of others.',
          ]
        : [`${found}`, `Ask for ${found} others, or give more users with histories.`];
  return new DataError(`example "${id}": expected ${wanted} to compare with, got ${got}`, {
    code: 'data/too-few-others',
    hint,
  });
}
