/** @file One choice of a writer: with probability `strength` the user's own, else anybody's; with the exact log ratio of what came out. */
import type { RandomStream } from '../../base/random.ts';
import type { Cause } from '../data/example.ts';
import { type Belief, observe } from './belief.ts';
import type { TraitName, Traits } from './users.ts';

/** A place in a text where more than one continuation is possible. */
export interface ChoicePoint {
  readonly trait: TraitName;
  /** What anybody chooses: probability of each alternative. */
  readonly anybody: readonly number[];
  /** What a user with this trait value chooses; undefined when the trait has no opinion here. Default: the value itself. */
  readonly preferred?: (value: number) => number | undefined;
  /** Whether what the user chooses also depends on the item: cause `both`, else `user`. */
  readonly meetsItem: boolean;
}

/** What one choice point came to; probabilities given query and prefix, for tests and debugging. */
export interface SettledChoice {
  readonly name: string;
  readonly choice: number;
  readonly cause: Cause;
  /** p(choice | user, query, prefix). */
  readonly probabilityWithUser: number;
  /** p(choice | query, prefix): users marginalised. */
  readonly probabilityWithoutUser: number;
}

/** n alternatives of equal probability. */
export function uniform(n: number): readonly number[] {
  return Array.from({ length: n }, () => 1 / n);
}

/** p(choice | trait value) = strength·[choice = preferred(value)] + (1 − strength)·anybody[choice]; anybody[choice] without a preference. */
export function choiceProbability(point: ChoicePoint, strength: number, choice: number, value: number) {
  const preferred = point.preferred === undefined ? value : point.preferred(value);
  const anybody = point.anybody[choice]!;
  return preferred === undefined ? anybody : (choice === preferred ? strength : 0) + (1 - strength) * anybody;
}

/** Draws from the mixture and says which component it was: `user` or `both` of the user's, else `neither` or `query`. */
export function drawChoice(
  point: ChoicePoint,
  traits: Traits,
  strength: number,
  random: RandomStream,
): { readonly choice: number; readonly cause: Cause } {
  const value = traits[point.trait];
  const preferred = point.preferred === undefined ? value : point.preferred(value);
  if (preferred !== undefined && random.next() < strength)
    return { choice: preferred, cause: point.meetsItem ? 'both' : 'user' };
  return { choice: random.weighted(point.anybody), cause: point.meetsItem ? 'query' : 'neither' };
}

/**
 * Conditions the belief on an event and returns both probabilities of it.
 * log ratio = ln p(event | user's value, prefix) − ln Σ_values p(value | query, prefix) p(event | value, prefix)
 * @param belief changed in place
 * @param likelihood p(event | trait value, query, prefix)
 */
export function settle(
  belief: Belief,
  trait: TraitName,
  traits: Traits,
  likelihood: (value: number) => number,
): { readonly withUser: number; readonly withoutUser: number; readonly logRatio: number } {
  const withUser = likelihood(traits[trait]);
  const withoutUser = observe(belief, trait, likelihood);
  return { withUser, withoutUser, logRatio: Math.log(withUser) - Math.log(withoutUser) };
}
