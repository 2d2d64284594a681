/** @file Tests of review dumps: Amazon Reviews 2023 joined on parent_asin, DPL's layout; files made to the published schemas. */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { checkLeakage } from '../../../../src/method/data/leakage.ts';
import { dataFolder } from '../../../support/data-files.ts';

const { file, convert } = dataFolder('reviews');

const review = (user: string, at: number, item: string, text: string) => ({
  ...{
    rating: 4.0,
    title: `Title of ${text}`,
    text,
    images: [],
    asin: `variant of ${item}`,
    parent_asin: item,
  },
  ...{ user_id: user, timestamp: at, verified_purchase: true, helpful_vote: 0 },
});
const meta = (item: string, title: string) => ({
  ...{ main_category: 'Books', title, average_rating: 4.1, rating_number: 9, features: [], store: null },
  ...{
    description: ['A book.', 'About things.'],
    price: null,
    images: [],
    videos: [],
    categories: ['Books'],
  },
  ...{ details: {}, parent_asin: item, bought_together: null },
});

describe('amazon', () => {
  const rows = [
    review('U1', 1452647382000, 'P1', 'second &amp; <br />last'),
    review('U1', 1352647382000, 'P2', 'first'),
    review('U2', 1352647382000, 'P1', 'only one'),
    review('U1', 1452647382000, 'P3', 'of the same time'),
    review('U1', 1552647382000, 'P9', 'without metadata'),
  ];

  it('builds histories by user and strictly earlier time, and joins item metadata on parent_asin', async () => {
    const reviews = file('reviews.jsonl', rows);
    const items = file(
      'meta.jsonl.gz',
      gzipSync(
        [meta('P1', 'One'), meta('P2', 'Two'), meta('P3', 'Three')]
          .map((row) => JSON.stringify(row))
          .join('\n'),
      ),
    );
    for (const maxMemory of [2 ** 29, 1]) {
      const { examples, faults, warnings } = await convert('amazon', [reviews], {
        items: [items],
        maxMemory,
      });
      expect(warnings).toEqual([]);
      expect(examples.map(({ id, split }) => [id, split])).toEqual([
        ['U1/P1', 'train'],
        ['U1/P3', 'validation'],
        ['U1/P9', 'test'],
      ]);
      expect(examples[0]).toEqual({
        ...{ id: 'U1/P1', user: 'U1', time: '2016-01-13T01:09:42Z', split: 'train', domain: 'Books' },
        query:
          'Write a review of "One".\nDescription: A book. About things.\nRating: 4 of 5\nTitle of the review: "Title of second &\nlast"',
        response: 'second &\nlast',
        meta: { rating: 4, title: 'Title of second &amp; <br />last' },
        history: [
          {
            ...{ id: 'P2', time: '2012-11-11T15:23:02Z', text: 'first' },
            query:
              'Write a review of "Two".\nDescription: A book. About things.\nRating: 4 of 5\nTitle of the review: "Title of first"',
            meta: { domain: 'Books', rating: 4, title: 'Title of first' },
          },
        ],
      });
      expect(examples[2]!.history.map(({ id }) => id)).toEqual(['P2', 'P1', 'P3']);
      expect(examples[2]!.query).toBe(
        'Write a review.\nRating: 4 of 5\nTitle of the review: "Title of without metadata"',
      );
      expect(faults).toMatchObject({ 'unknown-item': 1, 'same-time': 1, 'no-earlier-text': 2 });
      expect(() => checkLeakage(examples)).not.toThrow();
    }
  });
});

describe('dpl', () => {
  const of = (asin: string, at: number, text: string) => ({
    rating: 5.0,
    title: `T ${asin}`,
    text,
    asin,
    timestamp: at,
  });
  it('reads users with profiles, items from DPL-meta, and leaves out what is not earlier or is the response', async () => {
    const data = of('A3', 1500000000000, 'the response');
    const profile = [
      of('A2', 1400000000000, 'later'),
      of('A1', 1300000000000, 'earlier'),
      of('A4', 1500000000000, 'of the same time'),
      of('A5', 1200000000000, 'The Response!'),
    ];
    const train = file('train.jsonl', [
      { user_id: 'U', profile, data },
      { user_id: 'V', profile: [], data },
    ]);
    const items = file('dpl-meta.json', [{ asin: 'A3', title: 'Three', description: 'About three' }]);
    const { examples, faults } = await convert('dpl', [train], { items: [items] });
    expect(examples).toHaveLength(1);
    expect(examples[0]).toMatchObject({
      ...{ id: 'U/A3', user: 'U', time: '2017-07-14T02:40:00Z', split: 'train', response: 'the response' },
      query:
        'Write a review of "Three".\nDescription: About three\nRating: 5 of 5\nTitle of the review: "T A3"',
    });
    expect(examples[0]!.history.map(({ id, time }) => [id, time])).toEqual([
      ['A1', '2011-03-13T07:06:40Z'],
      ['A2', '2014-05-13T16:53:20Z'],
    ]);
    expect(faults).toEqual({ 'same-time': 1, 'unknown-item': 4, 'response-in-history': 1, 'no-history': 1 });
  });
});
