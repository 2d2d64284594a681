import { describe, expect, it } from 'vitest';
import { type BleuCounts, bleu, bleuCounts } from '../../../src/method/metrics/bleu.ts';
import { largestDifference, METRIC_TOLERANCE, textMetricsGolden } from '../../support/text-metrics-golden.ts';

const { pairs } = textMetricsGolden;
const counts = pairs.map(({ prediction, references }) => bleuCounts(prediction, references));

function sum(parts: readonly BleuCounts[]): BleuCounts {
  const add = (of: (part: BleuCounts) => number) => parts.reduce((total, part) => total + of(part), 0);
  return {
    predictionWords: add((part) => part.predictionWords),
    referenceWords: add((part) => part.referenceWords),
    matching: [0, 1, 2, 3].map((n) => add((part) => part.matching[n]!)),
    total: [0, 1, 2, 3].map((n) => add((part) => part.total[n]!)),
  };
}

describe('BLEU', () => {
  it('of a corpus equals sacrebleu’s, of all pairs and of parts of them', () => {
    expect(bleu(sum(counts))).toBeCloseTo(textMetricsGolden.bleu.corpus, 9);
    const parts = textMetricsGolden.bleu.every7th.map((_, start) =>
      bleu(sum(counts.filter((__, n) => n % 7 === start))),
    );
    expect(largestDifference(parts, textMetricsGolden.bleu.every7th)).toBeLessThan(METRIC_TOLERANCE);
  });

  it('of a sentence equals sacrebleu’s on every pair', () => {
    const ours = counts.map((each) => bleu(each, { effectiveOrder: true }));
    expect(
      largestDifference(
        ours,
        pairs.map(({ sentenceBleu }) => sentenceBleu),
      ),
    ).toBeLessThan(METRIC_TOLERANCE);
  });

  it('of a corpus of texts shorter than four words is 0, as in sacrebleu', () => {
    const short = sum([bleuCounts('a b', ['a b']), bleuCounts('c d', ['c x'])]);
    expect(textMetricsGolden.bleu.shortTexts).toBe(0);
    expect(bleu(short)).toBe(0);
    expect(bleu(short, { effectiveOrder: true })).toBeGreaterThan(50);
  });
});
