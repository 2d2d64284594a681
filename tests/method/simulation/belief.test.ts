/** @file Tests of the posterior over users against enumeration of all of them. */
import { expect, test } from 'vitest';
import { observe, priorBelief } from '../../../src/method/simulation/belief.ts';
import { populationOf, traitSizesOf } from '../../../src/method/simulation/users.ts';
import { reviews } from '../../../src/method/simulation/worlds/reviews.ts';

const { domains } = reviews;
const traitSizes = traitSizesOf(reviews);

const exact = 12; // digits: sums of a few thousand products in double precision

test('probabilities of a sequence of events equal those by enumeration of homes and trait values', () => {
  const population = populationOf(reviews, 0.6);
  const domainIndex = 4;
  const isOpening = (choice: number) => (value: number) => (value === choice ? 0.9 : 0.1 / 11);
  const isFocus = (value: number) => (value % 3 === 0 ? 0.7 : 0.2);
  const isFocusAgain = (value: number) => (value % 2 === 0 ? 0.5 : 0.05);
  const events = [
    { trait: 'opening', likelihood: isOpening(2) },
    { trait: 'focus', likelihood: isFocus },
    { trait: 'tone', likelihood: (value: number) => (value === 1 ? 0.8 : 0.1) },
    { trait: 'focus', likelihood: isFocusAgain },
  ] as const;
  const jointOf = (count: number) => {
    let joint = 0;
    for (let home = 0; home < domains.length; home++)
      for (let opening = 0; opening < traitSizes.opening; opening++)
        for (let focus = 0; focus < traitSizes.focus; focus++)
          for (let tone = 0; tone < traitSizes.tone; tone++) {
            const values = { opening, focus, tone };
            let p = population.homeGivenDomain[domainIndex]![home]!;
            for (const trait of ['opening', 'focus', 'tone'] as const)
              p *= population.traits[trait][home]![values[trait]]!;
            for (const { trait, likelihood } of events.slice(0, count)) p *= likelihood(values[trait]);
            joint += p;
          }
    return joint;
  };
  const belief = priorBelief(population, domainIndex);
  events.forEach(({ trait, likelihood }, index) => {
    const conditional = jointOf(index + 1) / jointOf(index);
    expect(observe(belief, trait, likelihood)).toBeCloseTo(conditional, exact);
  });
  expect(belief.home.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, exact);
});

// Users who always follow their traits rule values out, and p(aspect | connector, value) of those was 0/0: NaN from there on.
test('an event that is conditional on the one before asks nothing of the values which that one ruled out', () => {
  const population = populationOf(reviews, 0.6);
  const first = (value: number) => (value < 5 ? 1 : 0);
  const both = (value: number) => (value < 2 ? 1 : 0);
  const together = observe(priorBelief(population, 4), 'focus', both);
  const belief = priorBelief(population, 4);
  const product =
    observe(belief, 'focus', first) * observe(belief, 'focus', (value) => both(value) / first(value));
  expect(product).toBeCloseTo(together, exact);
  expect(belief.traits.focus[0]!.slice(2).every((p) => p === 0)).toBe(true);
  expect(belief.home.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, exact);
});

test('two beliefs from one population do not share what they learn', () => {
  const population = populationOf(reviews, 0.6);
  const first = priorBelief(population, 0);
  observe(first, 'opening', (value) => (value === 0 ? 1 : 0));
  expect(priorBelief(population, 0)).toEqual(priorBelief(populationOf(reviews, 0.6), 0));
});
