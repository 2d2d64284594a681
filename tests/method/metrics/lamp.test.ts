import { describe, expect, it } from 'vitest';
import { labelIndex, macroF1, numberOf, ratingOf } from '../../../src/method/metrics/lamp.ts';
import { largestDifference, METRIC_TOLERANCE, textMetricsGolden } from '../../support/text-metrics-golden.ts';

describe('LaMP’s measures', () => {
  it('take accuracy and macro-F1 as the script does, with predictions that are no label', () => {
    const { labels, golds, predictions, accuracy, macroF1: f1 } = textMetricsGolden.labels;
    const expected = golds.map((gold) => labelIndex(gold, labels));
    const predicted = predictions.map((prediction) => labelIndex(prediction, labels));
    const count = (places: number[]) => labels.map((_, label) => places.filter((n) => n === label).length);
    const right = expected.filter((label, n) => label === predicted[n]);
    expect(predicted).toContain(-1);
    expect(right.length / golds.length).toBeCloseTo(accuracy, 12);
    expect(
      macroF1({ right: count(right), predicted: count(predicted), expected: count(expected) }),
    ).toBeCloseTo(f1, 12);
  });

  it('read ratings as Python does, and put the farthest end in place of what is no number', () => {
    const { golds, predictions, values } = textMetricsGolden.ratings;
    const ours = predictions.map((prediction, n) => ratingOf(prediction, Number(golds[n])));
    expect(largestDifference(ours, values)).toBeLessThan(METRIC_TOLERANCE);
  });

  it('take nan and infinity for no number, where the script stops', () => {
    expect(['nan', 'inf', '-Infinity', '1e999'].map(numberOf)).toEqual(Array(4).fill(undefined));
    expect(ratingOf('nan', 2)).toBe(5);
    expect(ratingOf('nan', 4)).toBe(1);
    expect(ratingOf('nan', 3)).toBe(5);
  });
});
