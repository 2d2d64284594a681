/** @file Simulated users: a vector of latent traits, and the population that the vectors are drawn from. */
import type { RandomStream } from '../../base/random.ts';
import type { World } from './worlds/world.ts';

/** How many aspects a review of length trait 0, 1, 2 has. */
export const aspectCounts: readonly number[] = [2, 3, 4];

/** Ordered pairs of different interests: what a user looks at first, and what next. */
export const focusPairs: readonly (readonly [number, number])[] = [0, 1, 2, 3, 4].flatMap((first) =>
  [0, 1, 2, 3, 4].filter((next) => next !== first).map((next) => [first, next] as const),
);

/** What differs between users; the value of a trait is an index into the list of the world that is named alike. */
export const traitNames = [
  'opening',
  'frame',
  'focus',
  'intensifier',
  'praise',
  'criticism',
  'connector',
  'third',
  'fourth',
  'length',
  'tone',
  'companion',
  'signOff',
  'writer',
] as const;

export type TraitName = (typeof traitNames)[number];

/** Number of values of each trait in a world. */
export function traitSizesOf(world: World): Readonly<Record<TraitName, number>> {
  return {
    opening: world.openings.length,
    frame: world.frames.length,
    focus: focusPairs.length,
    intensifier: world.intensifiers.length,
    praise: world.praises.length,
    criticism: world.criticisms.length,
    connector: world.connectors.length,
    third: world.thirdStarts.length,
    fourth: world.fourthStarts.length,
    length: aspectCounts.length,
    tone: world.tones.length,
    companion: world.companions.length,
    signOff: world.signOffs.length,
    writer: world.writers.length,
  };
}

/** One value per trait, 0 ≤ value < its size. */
export type Traits = Readonly<Record<TraitName, number>>;

/** A user before anything is written. */
export interface SimulatedUser {
  /** Index into the world’s domains of the one that the user comes from. */
  readonly home: number;
  readonly traits: Traits;
}

/** What is known of users before any of their text: p(trait value | home domain), and p(home | an item's domain). */
export interface Population {
  readonly world: World;
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
export function populationOf(world: World, confounding: number): Population {
  const { domains } = world;
  const traitSizes = traitSizesOf(world);
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
  return { world, traits, homeGivenDomain };
}

/** One user: a uniform home domain, then every trait independently given the home. */
export function drawUser(population: Population, random: RandomStream): SimulatedUser {
  const home = random.integer(population.world.domains.length);
  const traits = Object.fromEntries(
    traitNames.map((trait) => {
      const rows = population.traits[trait];
      return [trait, random.weighted(rows[home % rows.length]!)];
    }),
  ) as Record<TraitName, number>;
  return { home, traits };
}
