/** @file Tests of items and their queries. */
import { expect, test } from 'vitest';
import { randomStream } from '../../../src/base/random.ts';
import { drawItem, sentimentOf } from '../../../src/method/simulation/items.ts';
import { reviews } from '../../../src/method/simulation/worlds/reviews.ts';

const { domains } = reviews;

const random = randomStream(2, 'tests/items');
const items = Array.from({ length: 3000 }, () => drawItem(reviews, 5, 0, random));

test('the query tells name, kind, the value of every aspect, and rating', () => {
  for (const item of items.slice(0, 100)) {
    expect(item.query).toContain(`Review the ${item.name}, ${item.domain.article} ${item.domain.noun}: `);
    item.domain.aspects.forEach((aspect, index) => {
      expect(item.query).toContain(`${aspect.word} ${item.values[index]}`);
    });
    expect(item.query).toMatch(new RegExp(` ${item.rating} of 5\\.$`));
  }
});

test('a rating lies within 1 to 5 and rises with the balance of good and bad', () => {
  const balance = (item: (typeof items)[number]) =>
    item.values.filter((value) => value === 'good').length -
    item.values.filter((value) => value === 'bad').length;
  const ratings = (select: (balance: number) => boolean) =>
    items.filter((item) => select(balance(item))).map((item) => item.rating);
  expect(new Set(items.map((item) => item.rating))).toEqual(new Set([1, 2, 3, 4, 5]));
  expect(Math.min(...ratings((b) => b >= 3))).toBeGreaterThanOrEqual(4);
  expect(Math.max(...ratings((b) => b <= -3))).toBeLessThanOrEqual(2);
  expect([1, 2, 3, 4, 5].map(sentimentOf)).toEqual(['bad', 'bad', 'mixed', 'good', 'good']);
});

test('an item comes from the home domain as often as confounding says', () => {
  const atHome = Array.from({ length: 4000 }, () => drawItem(reviews, 5, 0.6, random).domainIndex === 5);
  const expected = 0.6 + 0.4 / domains.length;
  const fiveSigma = 5 * Math.sqrt((expected * (1 - expected)) / atHome.length);
  expect(Math.abs(atHome.filter(Boolean).length / atHome.length - expected)).toBeLessThan(fiveSigma);
});
