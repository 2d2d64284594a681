/**
 * @file Another user's history, in the place of one's own: which users, how many of their items, in what order. The one
 * definition for training, effects, evaluation, audits, refutations and generation.
 *
 * What a prompt does not show cannot be compared: users whose latest items do not fit give way to the next nearest, and
 * all histories are cut to a number of items that every one of them shows.
 */
import { ConfigError, DataError } from '../../base/errors.ts';
import { randomStream } from '../../base/random.ts';
import type { Example, HistoryItem } from '../data/example.ts';
import { type Candidate, cutTo, type MatchedCandidates, matchedCandidates } from './matching.ts';

export interface PlaceboOptions {
  /** Orders users that are equally near, and those chosen; default 0. */
  readonly seed?: number;
  /** How many of its latest items a prompt of the example shows of a history; all by default. */
  readonly shown?: (history: readonly HistoryItem[]) => number;
  /** Users that are not asked, such as the one that stands for no history. */
  readonly without?: ReadonlySet<string>;
}

/** How often users whose histories show too little give way to the next nearest, before fewer items are compared. */
const ROUNDS = 8;

/** Nearest users among whom the reference is drawn: always the nearest one would be the most like the user. */
const REFERENCE_AMONG = 3;

/**
 * The histories of `count` other users, matched in domain, period and length ({@link matchedCandidates}), in random
 * order: matching puts the nearest in length first, and a placebo that is compared with the others must not be chosen so.
 * All, and the own one, are cut to one number of items that the prompt shows. None holds the response, an item of the
 * example's own history, or what its user co-wrote.
 * @param pool where other users' histories come from; may contain `example`
 * @returns undefined where the prompt shows no item of the own history, or none of others'
 * @throws {ConfigError} when `count` is not a whole number of at least 1
 * @throws {DataError} when the example has no history or fewer than `count` other users have one
 */
export function placeboHistories(
  pool: readonly Example[],
  example: Example,
  count: number,
  options: PlaceboOptions = {},
): MatchedCandidates | undefined {
  if (!Number.isInteger(count) || count < 1)
    throw new ConfigError(`placebo: expected a whole number of histories of at least 1, got ${count}`, {
      code: 'config/placebo',
      hint: 'Ask for at least one other user’s history.',
    });
  const { seed = 0 } = options;
  const found = showing(pool, example, count, (others) => others, options);
  return (
    found && { ...found, others: randomStream(seed, `controls/placebo/${example.id}`).shuffle(found.others) }
  );
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
  options: PlaceboOptions = {},
): Candidate | undefined {
  const among = othersForAll([example], pool, REFERENCE_AMONG);
  const name = `controls/reference/${example.id}`;
  const draw = (others: readonly Candidate[]) => [randomStream(options.seed ?? 0, name).pick(others)];
  return showing(pool, example, among, draw, options)?.others[0];
}

/**
 * The matched histories of `count` users, or those that `choose` takes of them, cut with the own one to a number of items
 * that the prompt shows of each.
 */
function showing(
  pool: readonly Example[],
  example: Example,
  count: number,
  choose: (others: readonly Candidate[]) => readonly Candidate[],
  { seed = 0, shown = ({ length }) => length, without }: PlaceboOptions,
): MatchedCandidates | undefined {
  const maxItems = shown(example.history);
  if (maxItems === 0 && example.history.length > 0) return undefined;
  const passedOver = new Set(without);
  let best: { readonly matched: MatchedCandidates; readonly items: number } | undefined;
  for (let round = 0; round < ROUNDS; round++) {
    let matched: MatchedCandidates;
    try {
      matched = matchedCandidates(pool, example, count + 1, { seed, maxItems, without: passedOver });
    } catch (error) {
      if (best === undefined || !isTooFewUsers(error)) throw error;
      break;
    }
    const wanted = matched.own.length;
    const others = choose(matched.others);
    const fitting = others.map(({ history }) => shown(history));
    const items = Math.min(wanted, ...fitting);
    if (best === undefined || items > best.items) best = { matched: { ...matched, others }, items };
    if (items === wanted) break;
    for (const [i, { user }] of others.entries()) if (fitting[i]! < wanted) passedOver.add(user);
  }
  if (best === undefined || best.items === 0) return undefined;
  return best.items === best.matched.own.length ? best.matched : cutTo(best.matched, best.items);
}

/**
 * As many other users' histories as every example can be given, `most` at most.
 * @throws {DataError} when an example has no history, or no other user has one
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
        matchedCandidates(pool, example, count + 1);
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
  error instanceof DataError && error.code === 'data/too-few-candidates';
