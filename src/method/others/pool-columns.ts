/** @file What matching asks of a pool of examples again and again, computed once: users, years, domains, words of the latest items. */
import type { Example, HistoryItem } from '../data/example.ts';
import { countWords } from '../data/sentences.ts';
import { yearOf } from '../data/time.ts';

/** Columns over the examples of a pool, by their place in it. */
export interface PoolColumns {
  /** Names of the users, sorted, so that the order of rows decides nothing; others give their number here. */
  readonly users: readonly string[];
  readonly numberOf: ReadonlyMap<string, number>;
  readonly user: Int32Array;
  /** Items of the history. */
  readonly items: Int32Array;
  /** Year of the response; NaN without a readable time. */
  readonly year: Float64Array;
  /** Users that have a history, those with the longest first. */
  readonly byItems: readonly { readonly user: number; readonly items: number }[];
  /** Words of the latest `items` items of the example at a place, at least 1. */
  words(place: number, items: number): number;
}

const COLUMNS = new WeakMap<readonly Example[], PoolColumns>();

/** The columns of a pool, which must not change after it was asked for. */
export function poolColumns(pool: readonly Example[]): PoolColumns {
  const known = COLUMNS.get(pool);
  if (known !== undefined) return known;
  const made = columnsOf(pool);
  COLUMNS.set(pool, made);
  return made;
}

function columnsOf(pool: readonly Example[]): PoolColumns {
  const names = [...new Set(pool.map(({ user }) => user))].sort();
  const numberOf = new Map(names.map((name, number) => [name, number]));
  const most = new Int32Array(numberOf.size);
  const user = Int32Array.from(pool, (example) => numberOf.get(example.user)!);
  const items = Int32Array.from(pool, ({ history }) => history.length);
  pool.forEach((_, place) => {
    most[user[place]!] = Math.max(most[user[place]!]!, items[place]!);
  });
  const sums: number[][] = [];
  return {
    users: names,
    numberOf,
    user,
    items,
    year: Float64Array.from(pool, ({ time }) => yearOf(time) ?? Number.NaN),
    byItems: [...most]
      .map((count, number) => ({ user: number, items: count }))
      .filter((entry) => entry.items > 0)
      .sort((a, b) => b.items - a.items),
    words: (place, count) => {
      sums[place] ??= [0];
      const known = sums[place];
      const { history } = pool[place]!;
      while (known.length <= count) known.push(known.at(-1)! + wordsOfItem(history.at(-known.length)!));
      return Math.max(1, known[count]!);
    },
  };
}

const WORDS = new WeakMap<HistoryItem, number>(); // counting is most of the cost of matching

function wordsOfItem(item: HistoryItem): number {
  let words = WORDS.get(item);
  if (words === undefined) {
    words = countWords(item.text);
    WORDS.set(item, words);
  }
  return words;
}

/** Words of a history, at least 1. */
export const wordsOf = (history: readonly HistoryItem[]): number =>
  Math.max(
    1,
    history.reduce((sum, item) => sum + wordsOfItem(item), 0),
  );

/**
 * The places nearest first, those equally near in their order, without sorting what nobody asks for.
 * @param compare below 0 where the first of two places is nearer
 */
export function* nearestFirst(
  places: readonly number[],
  compare: (a: number, b: number) => number,
): Generator<number> {
  let given = 0;
  for (let most = 128; given < places.length; most *= 8) {
    const nearest = most < places.length ? nearestOf(places, most, compare) : places.toSorted(compare);
    yield* nearest.slice(given);
    given = nearest.length;
  }
}

function nearestOf(
  places: readonly number[],
  most: number,
  compare: (a: number, b: number) => number,
): number[] {
  const nearest: number[] = [];
  for (const place of places) {
    if (nearest.length === most) {
      if (compare(place, nearest[most - 1]!) >= 0) continue;
      nearest.pop();
    }
    let at = nearest.length;
    while (at > 0 && compare(place, nearest[at - 1]!) < 0) at -= 1;
    nearest.splice(at, 0, place);
  }
  return nearest;
}
