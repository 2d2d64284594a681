/** @file Tests of the population and of users drawn from it. */
import { expect, test } from 'vitest';
import { randomStream } from '../../../src/base/random.ts';
import { drawUser, populationOf, traitNames, traitSizesOf } from '../../../src/method/simulation/users.ts';
import { reviews } from '../../../src/method/simulation/worlds/reviews.ts';

const { domains } = reviews;
const traitSizes = traitSizesOf(reviews);

test.each([0, 0.4, 1])('every row of the population is a distribution at confounding %s', (confounding) => {
  const population = populationOf(reviews, confounding);
  for (const trait of traitNames)
    for (const row of population.traits[trait]) {
      expect(row).toHaveLength(traitSizes[trait]);
      expect(row.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
    }
  for (const row of population.homeGivenDomain) expect(row.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
});

test('users have the trait frequencies that the population claims for their home', () => {
  const population = populationOf(reviews, 0.5);
  const draws = 20_000;
  const random = randomStream(3, 'tests/users');
  const users = Array.from({ length: draws }, () => drawUser(population, random));
  for (let home = 0; home < domains.length; home++) {
    const neighbours = users.filter((user) => user.home === home);
    population.traits.tone[home]!.forEach((p, value) => {
      const share = neighbours.filter((user) => user.traits.tone === value).length / neighbours.length;
      const fiveSigma = 5 * Math.sqrt((p * (1 - p)) / neighbours.length);
      expect(Math.abs(share - p)).toBeLessThan(fiveSigma);
    });
  }
});

test('hardly any two users have the same traits', () => {
  const population = populationOf(reviews, 0);
  const random = randomStream(3, 'tests/users');
  const vectors = Array.from({ length: 5000 }, () => JSON.stringify(drawUser(population, random).traits));
  expect(new Set(vectors).size).toBe(vectors.length);
});
