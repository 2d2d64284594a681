/** @file What a reader without the history knows of the writer: an exact posterior over home domain and traits, given query and prefix. */
import { type Population, type TraitName, traitNames } from './users.ts';

/**
 * p(home | query, prefix) and, for each home, p(trait value | home, prefix). Traits are independent given the home, and every
 * choice depends on one trait, so this product is the whole posterior.
 */
export interface Belief {
  readonly home: number[];
  readonly traits: Record<TraitName, readonly (readonly number[])[]>;
}

/** The belief before the first word: the population, given the domain that the query names. */
export function priorBelief(population: Population, domainIndex: number): Belief {
  const traits = {} as Record<TraitName, readonly (readonly number[])[]>;
  for (const trait of traitNames) traits[trait] = population.traits[trait];
  return { home: [...population.homeGivenDomain[domainIndex]!], traits };
}

/**
 * Returns p(event | query, prefix) with the user marginalised, and conditions the belief on the event (Bayes' rule, exact).
 * @param belief changed in place
 * @param trait the one trait that the event depends on
 * @param likelihood p(event | trait value, query, prefix); not asked of a value that the prefix rules out, where it would be
 *   conditional on something impossible (0/0)
 */
export function observe(belief: Belief, trait: TraitName, likelihood: (value: number) => number): number {
  const rows = belief.traits[trait];
  const size = rows[0]!.length;
  const isPossible = (value: number) => rows.some((row, home) => belief.home[home]! > 0 && row[value]! > 0);
  const likelihoods = Array.from({ length: size }, (_, value) => (isPossible(value) ? likelihood(value) : 0));
  const evidence = rows.map((row) => row.reduce((sum, p, value) => sum + p * likelihoods[value]!, 0));
  const total = belief.home.reduce((sum, p, home) => sum + p * evidence[home]!, 0);
  belief.traits[trait] = rows.map((row, home) =>
    evidence[home]! > 0 ? row.map((p, value) => (p * likelihoods[value]!) / evidence[home]!) : row,
  );
  for (let home = 0; home < belief.home.length; home++)
    belief.home[home] = (belief.home[home]! * evidence[home]!) / total;
  return total;
}
