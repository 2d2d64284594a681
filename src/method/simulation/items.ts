/** @file Simulated items: a domain, a name, a value for each aspect, a rating, and the query that tells them all. */
import type { RandomStream } from '../../base/random.ts';
import type { AspectValue, Domain, World } from './worlds/world.ts';

/** What a review is about; nothing of it depends on the user but, under confounding, the domain. */
export interface Item {
  /** Index into the world’s domains. */
  readonly domainIndex: number;
  readonly domain: Domain;
  readonly name: string;
  /** One value per aspect of the domain. */
  readonly values: readonly AspectValue[];
  /** 1 to 5. */
  readonly rating: number;
  readonly query: string;
}

const aspectValues: readonly AspectValue[] = ['good', 'mixed', 'bad'];
const valueWeights = [0.45, 0.15, 0.4];

/**
 * Draws an item: its domain is the user's home with probability `confounding`, else uniform over all domains; its values are
 * good, mixed or bad with 0.45, 0.15, 0.4; its rating is 3 + 0.6·(good − bad), dithered, rounded and kept within 1 to 5.
 * @param home index into the world’s domains
 * @param confounding 0 to 1
 */
export function drawItem(world: World, home: number, confounding: number, random: RandomStream): Item {
  const { domains, nameStarts, nameEnds } = world;
  const domainIndex = random.next() < confounding ? home : random.integer(domains.length);
  const domain = domains[domainIndex]!;
  const name = `${random.pick(nameStarts)} ${random.pick(nameEnds)}`;
  const values = domain.aspects.map(() => aspectValues[random.weighted(valueWeights)]!);
  const balance = values.reduce((sum, value) => sum + (value === 'good' ? 1 : value === 'bad' ? -1 : 0), 0);
  const rating = Math.min(5, Math.max(1, Math.round(3 + 0.6 * balance + random.next() - 0.5)));
  const listed = domain.aspects.map((aspect, index) => `${aspect.word} ${values[index]}`).join(', ');
  const query = `Review the ${name}, ${domain.article} ${domain.noun}: ${listed}. ${rating} of 5.`;
  return { domainIndex, domain, name, values, rating, query };
}

/** The sentiment of a rating: 4 and 5 are good, 3 is mixed, 1 and 2 are bad. */
export function sentimentOf(rating: number): AspectValue {
  return rating >= 4 ? 'good' : rating === 3 ? 'mixed' : 'bad';
}
