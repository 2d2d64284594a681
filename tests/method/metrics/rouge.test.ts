import { describe, expect, it } from 'vitest';
import { type RougeType, rouge } from '../../../src/method/metrics/rouge.ts';
import { largestDifference, METRIC_TOLERANCE, textMetricsGolden } from '../../support/text-metrics-golden.ts';

const types: readonly RougeType[] = ['rouge1', 'rouge2', 'rougeL', 'rougeLsum'];
const cases = types.flatMap((type) => [
  { type, stemmer: false },
  { type, stemmer: true },
]);

describe('ROUGE', () => {
  it.each(cases)('$type (stemmer: $stemmer) equals rouge-score on every pair', ({ type, stemmer }) => {
    const { pairs } = textMetricsGolden;
    const ours = pairs.flatMap(({ prediction, references }) => {
      const { precision, recall, fMeasure } = rouge(type, prediction, references, { stemmer });
      return [precision, recall, fMeasure];
    });
    const theirs = pairs.flatMap((pair) => (stemmer ? pair.rougeStemmed : pair.rouge)[type]);
    expect(pairs.length).toBeGreaterThan(400);
    expect(largestDifference(ours, theirs)).toBeLessThan(METRIC_TOLERANCE);
  });
});
