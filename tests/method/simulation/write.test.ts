/** @file Tests that the truth which a review claims about itself is the one its generator has. */

import { describe, expect, test } from 'vitest';
import { randomStream } from '../../../src/base/random.ts';
import { mean } from '../../../src/base/statistics/mean.ts';
import type { SettledChoice } from '../../../src/method/simulation/choice.ts';
import { drawItem } from '../../../src/method/simulation/items.ts';
import { drawUser, populationOf, traitSizesOf } from '../../../src/method/simulation/users.ts';
import { reviews as world } from '../../../src/method/simulation/worlds/reviews.ts';
import { writeReview } from '../../../src/method/simulation/write.ts';

const { domains } = world;
const traitSizes = traitSizesOf(world);

/** Every review by a new user, of a new item. */
function reviews(count: number, strength: number, confounding: number) {
  const population = populationOf(world, confounding);
  const random = randomStream(11, 'tests/write');
  return Array.from({ length: count }, () => {
    const user = drawUser(population, random);
    const item = drawItem(world, user.home, confounding, random);
    return { user, item, ...writeReview(user, item, population, strength, 0.2, random) };
  });
}

/** Expects the mean of the values to be `expected` within five standard errors. */
function expectMean(values: readonly number[], expected: number): void {
  const center = mean(values);
  const variance = mean(values.map((value) => (value - center) ** 2));
  expect(values.length).toBeGreaterThan(300);
  expect(Math.abs(center - expected)).toBeLessThan(5 * Math.sqrt(variance / values.length) + 1e-9);
}

/** Choices whose alternatives all have a positive probability, and how many those are. */
const fullChoices = {
  opening: traitSizes.opening,
  frame: traitSizes.frame,
  'aspect 1': 5,
  intensifier: traitSizes.intensifier,
  praise: traitSizes.praise,
  criticism: traitSizes.criticism,
  connector: traitSizes.connector,
  'length after 2': 2,
  third: traitSizes.third,
  'length after 3': 2,
  fourth: traitSizes.fourth,
  tone: traitSizes.tone,
  companion: traitSizes.companion,
  signOff: traitSizes.signOff,
  writer: traitSizes.writer,
} as const;

describe.each([
  { strength: 0.7, confounding: 0 },
  { strength: 0.7, confounding: 0.7 },
])('claimed probabilities at strength $strength, confounding $confounding', ({ strength, confounding }) => {
  const written = reviews(8000, strength, confounding);
  const find = (name: string) =>
    written.flatMap(({ choices }) => choices.filter((choice) => choice.name === name));

  // Where a draw has the probability that it claims, [choice = v] / p(choice) has mean 1 for every v. Names are taken four at
  // a time: of one alone there are too few for a standard error.
  test.each(Object.entries(fullChoices))('are the frequencies of draws: %s', (name, alternatives) => {
    const choices = find(name);
    const groups = Math.min(alternatives, 12);
    for (let group = 0; group < groups; group++)
      for (const key of ['probabilityWithUser', 'probabilityWithoutUser'] as const)
        expectMean(
          choices.map((c) => (c.choice % groups === group ? 1 / c[key] : 0)),
          alternatives / groups,
        );
  });

  test('hold given what the text said before', () => {
    const pairs = written.map(({ choices }) => {
      const of = (name: string) => choices.find((choice) => choice.name === name)!;
      return { before: of('opening').choice, frame: of('frame') };
    });
    for (let opening = 0; opening < traitSizes.opening; opening++) {
      const weights = pairs.filter((pair) => pair.before === opening).map((pair) => pair.frame);
      for (const v of [0, 4, 9])
        expectMean(
          weights.map((c) => (c.choice === v ? 1 / c.probabilityWithoutUser : 0)),
          1,
        );
    }
  });

  test('make exp(−log ratio) average 1 over draws, for every choice', () => {
    for (const name of [...Object.keys(fullChoices), 'contrast', 'aspect 2', 'aspect 3', 'aspect 4'])
      expectMean(
        find(name).map((c) => c.probabilityWithoutUser / c.probabilityWithUser),
        1,
      );
  });

  test('are those of the text: log ratios of the spans sum to those of the choices', () => {
    const logRatio = (c: SettledChoice) => Math.log(c.probabilityWithUser / c.probabilityWithoutUser);
    for (const { causes, choices } of written.slice(0, 500)) {
      const spans = causes.reduce((sum, span) => sum + (span.logRatio ?? 0), 0);
      const total = choices.reduce((sum, choice) => sum + logRatio(choice), 0);
      expect(spans).toBeCloseTo(total, 9);
    }
  });
});

test('the share of choices that follow the user is the strength', () => {
  const choices = reviews(3000, 0.8, 0).flatMap((review) => review.choices);
  const always = choices.filter(({ name }) => ['opening', 'frame', 'tone', 'signOff'].includes(name));
  expectMean(
    always.map(({ cause }) => (cause === 'user' || cause === 'both' ? 1 : 0)),
    0.8,
  );
});

test('at strength 1 the user decides: own words, own focus, own length', () => {
  for (const { user, choices } of reviews(200, 1, 0)) {
    const of = (name: string) => choices.find((choice) => choice.name === name);
    for (const trait of ['opening', 'frame', 'connector', 'tone', 'signOff'] as const)
      expect(of(trait)?.choice).toBe(user.traits[trait]);
    expect(choices.filter(({ name }) => /^aspect [34]$/.test(name))).toHaveLength(user.traits.length);
  }
});

test('an adjective agrees with the value of its aspect, and a contrast with a change of value', () => {
  const praise =
    /superb|splendid|terrific|lovely|brilliant|wonderful|fantastic|marvelous|excellent|delightful/;
  const contrast = /^(But|Yet|Still|However|Nevertheless|Then again|Conversely|Nonetheless)\b/;
  let checked = 0;
  for (const { text, item } of reviews(300, 0.9, 0)) {
    const valueIn = (sentence: string) => {
      const found = item.domain.aspects.findIndex((a) => new RegExp(`\\b${a.word}\\b`).test(sentence));
      return item.values[found];
    };
    const body = text.slice(text.indexOf(item.name)).split(/(?<=[.!]) /);
    const [, first, second] = body as [string, string, string];
    const about = /^What/.test(first) ? first.slice(first.indexOf('?')) : first;
    expect(praise.test(about)).toBe(valueIn(about) === 'good');
    expect(contrast.test(second)).toBe(valueIn(about) !== valueIn(second));
    checked++;
  }
  expect(checked).toBe(300);
});

test('verbs agree with plural aspects', () => {
  const plurals = new Set(domains.flatMap((d) => d.aspects.filter((a) => a.plural).map((a) => a.word)));
  const singulars = new Set(domains.flatMap((d) => d.aspects.filter((a) => !a.plural).map((a) => a.word)));
  const texts = reviews(1000, 0.9, 0).map((review) => review.text);
  const seen = texts.flatMap((text) => [...text.matchAll(/(\p{L}+) (was|were) /gu)]);
  const wrong = seen.filter(([, noun, verb]) => (verb === 'was' ? plurals : singulars).has(noun!));
  expect(seen.length).toBeGreaterThan(500);
  expect(wrong.map(([words]) => words)).toEqual([]);
});
