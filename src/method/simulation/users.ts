/** @file Simulated users: a vector of latent traits, and the population that the vectors are drawn from. */
import type { RandomStream } from '../../base/random.ts';
import { domains } from './domains.ts';
import {
  companions,
  connectors,
  criticisms,
  fourthStarts,
  frames,
  intensifiers,
  openings,
  praises,
  signOffs,
  thirdStarts,
  tones,
  writers,
} from './lexicon.ts';

/** How many aspects a review of length trait 0, 1, 2 has. */
export const aspectCounts: readonly number[] = [2, 3, 4];

/** Ordered pairs of different interests: what a user looks at first, and what next. */
export const focusPairs: readonly (readonly [number, number])[] = [0, 1, 2, 3, 4].flatMap((first) =>
  [0, 1, 2, 3, 4].filter((next) => next !== first).map((next) => [first, next] as const),
);

/** Number of values of each trait; a value is an index into the list of lexicon.ts that is named alike. */
export const traitSizes = {
  opening: openings.length,
  frame: frames.length,
  focus: focusPairs.length,
  intensifier: intensifiers.length,
  praise: praises.length,
  criticism: criticisms.length,
  connector: connectors.length,
  third: thirdStarts.length,
  fourth: fourthStarts.length,
  length: aspectCounts.length,
  tone: tones.length,
  companion: companions.length,
  signOff: signOffs.length,
  writer: writers.length,
} as const;

export type TraitName = keyof typeof traitSizes;
export const traitNames = Object.keys(traitSizes) as readonly TraitName[];

/** One value per trait, 0 ≤ value < `traitSizes[trait]`. */
export type Traits = Readonly<Record<TraitName, number>>;

/** A user before anything is written. */
export interface SimulatedUser {
  /** Index into `domains` of the domain that the user comes from. */
  readonly home: number;
  readonly traits: Traits;
}

/** What is known of users before any of their text: p(trait value | home domain), and p(home | an item's domain). */
export interface Population {
  /** `traits[trait][home][value]`, each row sums to 1. One row for all homes where homes make no difference. */
  readonly traits: Readonly<Record<TraitName, readonly (readonly number[])[]>>;
  /** `homeGivenDomain[domain][home]`, each row sums to 1. */
  readonly homeGivenDomain: readonly (readonly number[])[];
}

/**
 * The population under confounding c: p(v | home) = (1 − c)/K + c·2^(−rank)/Z, rank counted from a value that belongs to the
 * home domain, and p(home | domain) = c·[home = domain] + (1 − c)/D, as homes are uniform and items.ts draws domains.
 * @param confounding c, 0 to 1; 0 gives uniform, independent traits
 */
export function populationOf(confounding: number): Population {
  const homes = confounding === 0 ? 1 : domains.length;
  const rowOf = (size: number, home: number, salt: number) => {
    const favourite = (home * 3 + salt * 5) % size;
    const weights = Array.from({ length: size }, (_, value) => 2 ** -((value - favourite + size) % size));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return weights.map((weight) => (1 - confounding) / size + (confounding * weight) / total);
  };
  const traits = Object.fromEntries(
    traitNames.map((trait, salt) => [
      trait,
      Array.from({ length: homes }, (_, home) => rowOf(traitSizes[trait], home, salt)),
    ]),
  ) as Record<TraitName, number[][]>;
  const homeGivenDomain = domains.map((_, domain) =>
    Array.from({ length: homes }, (_, home) =>
      homes === 1 ? 1 : (home === domain ? confounding : 0) + (1 - confounding) / homes,
    ),
  );
  return { traits, homeGivenDomain };
}

/** One user: a uniform home domain, then every trait independently given the home. */
export function drawUser(population: Population, random: RandomStream): SimulatedUser {
  const home = random.integer(domains.length);
  const traits = Object.fromEntries(
    traitNames.map((trait) => {
      const rows = population.traits[trait];
      return [trait, random.weighted(rows[home % rows.length]!)];
    }),
  ) as Record<TraitName, number>;
  return { home, traits };
}
