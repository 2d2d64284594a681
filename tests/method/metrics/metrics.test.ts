import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Estimate } from '../../../src/base/statistics/estimate.ts';
import { bleu, bleuCounts } from '../../../src/method/metrics/bleu.ts';
import { LAMP_2_LABELS } from '../../../src/method/metrics/lamp.ts';
import type { TextPair } from '../../../src/method/metrics/metric.ts';
import { metrics } from '../../../src/method/metrics/metrics.ts';
import { pairsFromJsonl } from '../../../src/method/metrics/read-pairs.ts';
import { punktFolder, textMetricsGolden, wordNetFolder } from '../../support/text-metrics-golden.ts';

const pairs = textMetricsGolden.pairs.slice(200, 260).map(({ prediction, references }, n): TextPair => {
  return { user: `u${n % 12}`, prediction, references };
});
const mean = (numbers: readonly number[]) => numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
const estimateOf = (value: Estimate | number | undefined) => value as Estimate;

describe('metrics', () => {
  it('are the benchmarks’ values, means over rows and BLEU of the corpus, in an interval over users', async () => {
    const golden = textMetricsGolden.pairs.slice(200, 260);
    const { values, rows, users } = await metrics(pairs, { metrics: ['rougeL', 'bleu', 'meteor'] });
    expect({ rows, users, names: Object.keys(values) }).toEqual({
      rows: 60,
      users: 12,
      names: ['rougeL', 'bleu', 'meteor'],
    });
    expect(estimateOf(values.rougeL).value).toBeCloseTo(mean(golden.map(({ rouge }) => rouge.rougeL[2])), 9);
    expect(estimateOf(values.meteor).value).toBeCloseTo(mean(golden.map(({ meteor }) => meteor)), 9);
    for (const { low, value, high } of Object.values(values).map(estimateOf)) {
      expect(low).toBeLessThan(value);
      expect(value).toBeLessThan(high);
    }
  });

  it('draw users, so that many rows of one user do not narrow the interval', async () => {
    const rows = [0, 1, 0, 1, 1, 0].map((right, n): TextPair => {
      return { user: `u${n}`, prediction: right === 1 ? 'a' : 'b', references: ['a'] };
    });
    const width = async (some: readonly TextPair[]) => {
      const { low, high } = estimateOf((await metrics(some, { metrics: ['accuracy'] })).values.accuracy);
      return high - low;
    };
    const often = Array.from({ length: 20 }, () => rows).flat();
    const nobodys = often.map(({ user: _, ...row }) => row);
    expect(await width(often)).toBeCloseTo(await width(rows), 12);
    expect(await width(nobodys)).toBeLessThan((await width(often)) / 2);
  });

  // A bug: intervals over two users.
  it('have no interval over fewer than five users or rows', async () => {
    const rows = (count: number, of: (n: number) => Partial<TextPair>) =>
      Array.from({ length: count }, (_, n): TextPair => {
        return { prediction: n % 2 === 0 ? 'a' : 'b', references: ['a'], ...of(n) };
      });
    const hasInterval = async (some: readonly TextPair[]) => {
      const { low, value, high } = estimateOf(
        (await metrics(some, { metrics: ['accuracy'] })).values.accuracy,
      );
      return low < value && value < high;
    };
    expect(await hasInterval(rows(4, () => ({})))).toBe(false);
    expect(await hasInterval(rows(5, () => ({})))).toBe(true);
    expect(await hasInterval(rows(12, (n) => ({ user: `u${n % 4}` })))).toBe(false);
    expect(await hasInterval(rows(15, (n) => ({ user: `u${n % 5}` })))).toBe(true);
  });

  it('change with the stemmer, with synonyms and with Punkt, and say so', async () => {
    const plain = await metrics(pairs, { metrics: ['rouge1', 'meteor'] });
    const rich = await metrics(pairs, {
      metrics: ['rouge1', 'meteor'],
      stemmer: true,
      wordnet: wordNetFolder,
      punkt: punktFolder,
    });
    expect(plain).toMatchObject({ meteorModules: ['exact', 'stem'], punkt: 'untrained' });
    expect(rich).toMatchObject({ meteorModules: ['exact', 'stem', 'synonym'], punkt: 'trained' });
    expect(estimateOf(rich.values.rouge1).value).toBeGreaterThan(estimateOf(plain.values.rouge1).value);
    expect(estimateOf(rich.values.meteor).value).not.toBe(estimateOf(plain.values.meteor).value);
  });

  it('measure labels and ratings by LaMP’s rules', async () => {
    const { labels, golds, predictions, accuracy, macroF1 } = textMetricsGolden.labels;
    const rows = golds.map((gold, n) => ({ prediction: predictions[n]!, references: [gold] }));
    const { values } = await metrics(rows, { metrics: ['accuracy', 'macroF1'], labels });
    expect(estimateOf(values.accuracy).value).toBeCloseTo(accuracy, 12);
    expect(estimateOf(values.macroF1).value).toBeCloseTo(macroF1, 12);
    const { golds: ratings, predictions: rated, mae, rmse } = textMetricsGolden.ratings;
    const ratingRows = ratings.map((gold, n) => ({ prediction: rated[n]!, references: [gold] }));
    const errors = (await metrics(ratingRows, { metrics: ['mae', 'rmse'] })).values;
    expect(estimateOf(errors.mae).value).toBeCloseTo(mae, 12);
    expect(estimateOf(errors.rmse).value).toBeCloseTo(rmse, 12);
    expect(LAMP_2_LABELS).toHaveLength(15);
  });

  it('compare with the history where there is one, and count the rows without', async () => {
    const history = [
      'Well, well, well: I never said so! Did I, my dear?',
      'My dear, do you know that? I do!',
    ];
    const rows: TextPair[] = [
      { prediction: 'Well, my dear: I never said so! Did I?', references: ['x'], history },
      { prediction: 'The committee adopted the budget of the department', references: ['x'], history },
      { prediction: 'anything', references: ['x'] },
    ];
    const one = async (row: TextPair) => (await metrics([row])).values;
    const [like, unlike] = [await one(rows[0]!), await one(rows[1]!)];
    for (const name of ['lengthDistance', 'punctuationDistance', 'functionWordDistance'])
      expect(estimateOf(like[name]).value).toBeLessThan(estimateOf(unlike[name]).value);
    expect(estimateOf(like.copied).value).toBeGreaterThan(0.6);
    expect(estimateOf(unlike.copied).value).toBe(0);
    const all = await metrics(rows);
    expect(all.leftOut).toEqual({
      copied: 1,
      lengthDistance: 1,
      punctuationDistance: 1,
      functionWordDistance: 1,
    });
    expect(all.users).toBeUndefined();
  });

  it('see texts that repeat each other', async () => {
    const rows = (texts: readonly string[]) => texts.map((prediction) => ({ prediction, references: ['x'] }));
    const same = await metrics(rows(Array<string>(5).fill('the same five words again')));
    const other = await metrics(rows(['one two three four', 'five six seven', 'eight nine', 'ten eleven']));
    expect(same.values).toMatchObject({ distinct1: 5 / 25, distinct2: 4 / 20 });
    expect(same.values.selfBleu).toBeCloseTo(100, 9);
    expect(other.values).toMatchObject({ selfBleu: 0, distinct1: 1, distinct2: 1 });
  });

  it('take self-BLEU as BLEU of each text against all the others', async () => {
    const texts = textMetricsGolden.pairs.slice(150, 190).map(({ prediction }) => prediction);
    const { values } = await metrics(
      texts.map((prediction) => ({ prediction, references: ['x'] })),
      { metrics: ['selfBleu'] },
    );
    const direct = texts.map((text, n) =>
      bleu(bleuCounts(text, texts.toSpliced(n, 1)), { effectiveOrder: true }),
    );
    expect(values.selfBleu).toBeCloseTo(mean(direct), 9);
  });

  it('refuse a name that is no metric, and what cannot be measured', async () => {
    await expect(metrics(pairs, { metrics: ['rouge3'] })).rejects.toMatchObject({ code: 'config/metric' });
    await expect(metrics([], {})).rejects.toMatchObject({ code: 'data/empty' });
    await expect(metrics([{ prediction: 'a', references: [] }])).rejects.toMatchObject({
      code: 'data/no-reference',
    });
    const noNumber = [{ prediction: '3', references: ['three'] }];
    await expect(metrics(noNumber, { metrics: ['mae'] })).rejects.toMatchObject({
      code: 'data/nothing-to-measure',
    });
    const signal = AbortSignal.abort();
    await expect(metrics(pairs, { signal })).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('files of pairs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nextquill-pairs-'));
  const file = (...lines: string[]) => {
    const path = join(folder, 'pairs.jsonl');
    writeFileSync(path, lines.join('\n'));
    return path;
  };

  it('hold predictions, references, users and histories in either form', async () => {
    const path = file(
      '{"id": 7, "user": 3, "prediction": "", "references": ["a", "b"], "history": ["x", {"text": "y", "id": 1}]}',
      '{"prediction": "p", "reference": "r", "user": null, "extra": 1}',
    );
    const notices: unknown[] = [];
    expect(await pairsFromJsonl(path, { onNotice: (notice) => notices.push(notice) })).toEqual([
      { id: '7', user: '3', prediction: '', references: ['a', 'b'], history: ['x', 'y'] },
      { prediction: 'p', references: ['r'] },
    ]);
    expect(notices).toEqual([{ code: 'metrics/unknown-keys', path, keys: ['extra'] }]);
  });

  it('name every bad line', async () => {
    const path = file(
      '{"prediction": "p", "references": ["r"]}',
      '{"references": ["r"]}',
      '{"prediction": "p", "references": []}',
      '{"prediction": "p", "references": [1]}',
      '{"prediction": "p"}',
      'no',
    );
    const error = await pairsFromJsonl(path).catch((caught: Error) => caught);
    expect(error).toMatchObject({ code: 'data/bad-lines' });
    for (const line of [2, 3, 4, 5, 6]) expect((error as Error).message).toContain(`pairs.jsonl:${line}: `);
    await expect(pairsFromJsonl(file('{"prediction": 1, "references": ["r"]}'))).rejects.toMatchObject({
      code: 'data/wrong-type',
    });
  });
});
