import { describe, expect, it } from 'vitest';
import { porterStem } from '../../../src/method/metrics/porter-stemmer.ts';
import { textMetricsGolden } from '../../support/text-metrics-golden.ts';

describe('the stemmer', () => {
  it('gives NLTK’s stem of every word', () => {
    const differing = textMetricsGolden.stems.filter(([word, stem]) => porterStem(word) !== stem);
    expect(textMetricsGolden.stems.length).toBeGreaterThan(2500);
    expect(differing.map(([word, stem]) => [word, stem, porterStem(word)])).toEqual([]);
  });
});
