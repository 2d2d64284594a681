/**
 * @file Other users' histories in the place of a user's own: the one rule, for training, effects, evaluation, audits,
 * refutations and generation.
 *
 * 1. B and C compare an example's own history with those of `others` other users, one history each (3 by default).
 * 2. These are the nearest users by domain, then by period, and of those the nearest in words (matching.ts).
 *    By `similar` they are the users whose words are most like the own ones instead (similar.ts).
 * 3. No history of another user holds the response, an item of the own history, or what the user co-wrote.
 * 4. All of them have one number of items, the latest or those that the prompt's retrieval ranks first: as many as the prompt shows of the own history, or fewer.
 * 5. A user of whose items the prompt shows fewer gives way to the next nearest; where none is left, all histories,
 *    the own one among them, are cut to the number that every one of them shows.
 * 6. They come in random order, so that one of them can be compared with the rest (by the seed and the example's id).
 * 7. With the reference value `placebo` one more user's history, drawn from the three nearest, stands for no history;
 *    that user is not among the others.
 * 8. Author identification chooses among the others and the own history: candidates = others + 1.
 * 9. What a prompt does not show cannot be compared: without an item of the own history, or of the others', there is no
 *    B and no C.
 */
import { DataError } from '../../base/errors.ts';
import { randomStream } from '../../base/random.ts';
import type { Example, HistoryItem } from '../data/example.ts';
import { type ItemChooser, itemChooser } from '../retrieval/choose.ts';
import { checkOthers, cutTo, type MatchedOthers, matchedOthers, type OtherHistory } from './matching.ts';
import { type OthersBy, similarOthers } from './similar.ts';

/** Other users' histories for each example where nothing else is asked for, and enough users have one. */
export const DEFAULT_OTHERS = 3;

export interface OthersOptions {
  /** Orders users that are equally near, and those chosen; default 0. */
  readonly seed?: number;
  /** How many items of a history a prompt of the example shows; all by default. */
  readonly itemsShown?: (history: readonly HistoryItem[]) => number;
  /** Which users are asked: `matched` by default. */
  readonly by?: OthersBy;
  /** Which items those are; the latest by default. */
  readonly choose?: ItemChooser;
  /** Users that are not asked, such as the one that stands for no history. */
  readonly without?: ReadonlySet<string>;
}

/** How often users whose histories show too little give way to the next nearest, before fewer items are compared. */
const ROUNDS = 8;

/** Nearest users among whom the reference is drawn: always the nearest one would be the most like the user. */
const REFERENCE_AMONG = 3;

/**
 * The histories of `count` other users and the own one, by the rule of this file.
 * @param pool where other users' histories come from; may contain `example`
 * @returns undefined where the prompt shows no item of the own history, or none of others'
 * @throws {ConfigError} when `count` is not a whole number of at least 1
 * @throws {DataError} when the example has no history or fewer than `count` other users have one
 */
export function othersHistories(
  pool: readonly Example[],
  example: Example,
  count: number,
  options: OthersOptions = {},
): MatchedOthers | undefined {
  checkOthers(count, 1);
  const matched = shownAlike(pool, example, count, (others) => others, options);
  if (matched === undefined) return undefined;
  const order = randomStream(options.seed ?? 0, `controls/placebo/${example.id}`);
  return { ...matched, others: order.shuffle(matched.others) };
}

/**
 * The history that stands for none where the reference value is `placebo`: of one of the nearest users, at random, and
 * whatever else is compared with it. Leave its user out of those.
 * @returns undefined where the prompt shows no item of the own history, or none of others'
 * @throws {DataError} when the example has no history or no other user has one
 */
export function referenceHistory(
  pool: readonly Example[],
  example: Example,
  options: OthersOptions = {},
): OtherHistory | undefined {
  const among = othersForAll([example], pool, REFERENCE_AMONG);
  const name = `controls/reference/${example.id}`;
  const draw = (others: readonly OtherHistory[]) => [randomStream(options.seed ?? 0, name).pick(others)];
  return shownAlike(pool, example, among, draw, options)?.others[0];
}

/**
 * Points 4 and 5: the matched histories of `count` users, or those that `take` takes of them, cut with the own one to
 * a number of items that the prompt shows of each.
 */
function shownAlike(
  pool: readonly Example[],
  example: Example,
  count: number,
  take: (others: readonly OtherHistory[]) => readonly OtherHistory[],
  { seed = 0, itemsShown = ({ length }) => length, choose, without, by }: OthersOptions,
): MatchedOthers | undefined {
  const maxItems = itemsShown(example.history);
  if (maxItems === 0 && example.history.length > 0) return undefined;
  const nearest = by === 'similar' ? similarOthers : matchedOthers;
  const passedOver = new Set(without);
  let best: { readonly matched: MatchedOthers; readonly items: number } | undefined;
  for (let round = 0; round < ROUNDS; round++) {
    let matched: MatchedOthers;
    try {
      matched = nearest(pool, example, count, {
        seed,
        maxItems,
        without: passedOver,
        ...(choose && { choose }),
      });
    } catch (error) {
      if (best === undefined || !isTooFewUsers(error)) throw error;
      break;
    }
    const wanted = matched.own.length;
    const others = take(matched.others);
    const shownOf = others.map(({ history }) => itemsShown(history));
    const items = Math.min(wanted, ...shownOf);
    if (best === undefined || items > best.items) best = { matched: { ...matched, others }, items };
    if (items === wanted) break;
    for (const [v, { user }] of others.entries()) if (shownOf[v]! < wanted) passedOver.add(user);
  }
  if (best === undefined || best.items === 0) return undefined;
  return best.items === best.matched.own.length
    ? best.matched
    : cutTo(best.matched, best.items, choose ?? itemChooser(example));
}

/**
 * As many other users' histories as every example can be given, `most` at most.
 * @throws {DataError} when an example has no history, or fewer than `least` other users have one
 */
export function othersForAll(
  examples: readonly Example[],
  pool: readonly Example[],
  most: number,
  least = 1,
): number {
  let count = most;
  for (const example of examples)
    for (;;) {
      try {
        matchedOthers(pool, example, count);
        break;
      } catch (error) {
        if (count === least || !isTooFewUsers(error)) throw error;
        count -= 1;
      }
    }
  return count;
}

/** Whether matching failed for want of users. */
export const isTooFewUsers = (error: unknown): boolean =>
  error instanceof DataError && error.code === 'data/too-few-others';
