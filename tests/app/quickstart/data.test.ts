/** @file Tests that the quickstart's users are who it says they are: of a world without a known item, and never trained on. */
import { expect, test } from 'vitest';
import { quickstartData } from '../../../src/app/quickstart/data.ts';
import { journeys } from '../../../src/method/simulation/worlds/journeys.ts';
import { reviews } from '../../../src/method/simulation/worlds/reviews.ts';
import type { World } from '../../../src/method/simulation/worlds/world.ts';

const itemWords = ({ domains, nameStarts, nameEnds }: World) => [
  ...domains.flatMap(({ noun, aspects }) => [noun, ...aspects.map(({ word }) => word)]),
  ...nameStarts,
  ...nameEnds,
];

test('no kind of item, no aspect and no name of the new world stands in the known one', () => {
  const known = new Set(itemWords(reviews));
  expect(itemWords(journeys).filter((word) => known.has(word))).toEqual([]);
});

test('the new world’s users write in the words of the known one', () => {
  const { name, domains, nameStarts, nameEnds, ...words } = journeys;
  expect(words).toEqual(
    Object.fromEntries(Object.keys(words).map((key) => [key, reviews[key as keyof World]])),
  );
});

test('no user is trained on and scored, nor in two parts', () => {
  const sizes = { trainNew: 12, trainKnown: 6, testNew: 5, testKnown: 4 };
  const { train, newWorld, knownWorld } = quickstartData(3, sizes);
  expect([train.length, newWorld.length, knownWorld.length]).toEqual([18, 5, 4]);
  const users = [...train, ...newWorld, ...knownWorld].map(({ user }) => user);
  expect(new Set(users).size).toBe(27);
  const domains = (examples: typeof train) => new Set(examples.map(({ domain }) => domain));
  for (const domain of domains(newWorld)) expect(journeys.domains.map(({ noun }) => noun)).toContain(domain);
  for (const domain of domains(knownWorld)) expect(reviews.domains.map(({ noun }) => noun)).toContain(domain);
});
