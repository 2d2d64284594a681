/**
 * @file The most similar users' histories: the harder placebo. A stranger drawn by period and length understates how far another
 * user's history misleads; that of the user whose words are most like the own ones does not.
 */
import { DataError } from '../../base/errors.ts';
import type { Example } from '../data/example.ts';
import { itemChooser } from '../retrieval/choose.ts';
import {
  checkOthers,
  foreignTo,
  lengthsCompared,
  type MatchedOthers,
  type MatchingOptions,
  type OtherHistory,
} from './matching.ts';

/** How other users are chosen: matched in domain, period and length, or most similar in words. */
export type OthersBy = 'matched' | 'similar';

export const othersRules: readonly OthersBy[] = ['matched', 'similar'];

/**
 * The histories of the `count` users whose histories are most like that of `example`, by the cosine between their words, rare words
 * counting more (1 + ln tf, times ln of users over users that have the word). Responses have no part in it. Of each user the longest
 * history is asked; what is left out of it is what {@link foreignTo} says.
 * @throws {DataError} when the example has no history or fewer than `count` other users have one
 * Cost: one pass over the words of the pool, once for a pool, and one over the users for each example.
 */
export function similarOthers(
  pool: readonly Example[],
  example: Example,
  count: number,
  { maxItems = Number.POSITIVE_INFINITY, without, ...options }: MatchingOptions = {},
): MatchedOthers {
  checkOthers(count, 1);
  const { users, weigh } = wordsOfPool(pool);
  const foreign = foreignTo(example);
  const choose = options.choose ?? itemChooser(example);
  const mine = weigh(countsOf(example));
  const nearest = users
    .filter(({ user }) => user !== example.user && !without?.has(user))
    .map((each) => ({ ...each, similarity: dot(mine, each.words) }))
    .sort((a, b) => b.similarity - a.similarity);
  // As many items as the example shows, of the first users that have as many; fewer where no user has.
  for (let items = Math.min(maxItems, example.history.length); items > 0; items--) {
    const found: (OtherHistory & { readonly similarity: number })[] = [];
    for (const { user, history: all, similarity } of nearest) {
      if (found.length === count) break;
      if (all.length < items) continue;
      const history = choose(all.filter(foreign), items);
      if (history.length === items) found.push({ user, history, similarity });
    }
    if (found.length < count) continue;
    return lengthsCompared({
      others: found.map(({ user, history }) => ({ user, history })),
      own: choose(example.history, items),
      similarity: found.at(-1)!.similarity,
    });
  }
  throw new DataError(
    `example ${example.id}: expected ${count} other users with a history beside its own, got ${example.history.length === 0 ? 'an example without one' : 'fewer'}`,
    {
      code: 'data/too-few-others',
      hint: 'Ask for fewer others, or give data of more users.',
    },
  );
}

interface UserWords {
  readonly user: string;
  readonly history: Example['history'];
  /** Of length 1. */
  readonly words: ReadonlyMap<string, number>;
}

interface PoolWords {
  readonly users: readonly UserWords[];
  weigh(counts: ReadonlyMap<string, number>): ReadonlyMap<string, number>;
}

const POOLS = new WeakMap<readonly Example[], PoolWords>(); // every example asks the same pool

function wordsOfPool(pool: readonly Example[]): PoolWords {
  const known = POOLS.get(pool);
  if (known !== undefined) return known;
  const longest = new Map<string, Example>();
  for (const example of pool) {
    const before = longest.get(example.user);
    if (example.history.length > (before?.history.length ?? 0)) longest.set(example.user, example);
  }
  const counts = [...longest.values()].map((example) => ({ example, words: countsOf(example) }));
  const having = new Map<string, number>();
  for (const { words } of counts)
    for (const word of words.keys()) having.set(word, (having.get(word) ?? 0) + 1);
  const weigh = (words: ReadonlyMap<string, number>) => {
    const weights = new Map<string, number>();
    let squares = 0;
    for (const [word, count] of words) {
      const weight = (1 + Math.log(count)) * Math.log((1 + counts.length) / (1 + (having.get(word) ?? 0)));
      weights.set(word, weight);
      squares += weight * weight;
    }
    const length = Math.sqrt(squares) || 1;
    for (const [word, weight] of weights) weights.set(word, weight / length);
    return weights;
  };
  const made: PoolWords = {
    users: counts.map(({ example: { user, history }, words }) => ({ user, history, words: weigh(words) })),
    weigh,
  };
  POOLS.set(pool, made);
  return made;
}

function countsOf({ history }: Example): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { text } of history)
    for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [])
      counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

function dot(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  const [few, many] = a.size < b.size ? [a, b] : [b, a];
  let sum = 0;
  for (const [word, weight] of few) sum += weight * (many.get(word) ?? 0);
  return sum;
}
