/** @file BERTScore equals the Python package's on random encoders (tests/golden/make/bert_scores.py), and refuses what is none. */
import { readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadEncoderTokenizer } from '../../../src/engine/tokenizer/encoder-tokenizer.ts';
import { bertScores } from '../../../src/method/metrics/bert-score.ts';
import { metrics } from '../../../src/method/metrics/metrics.ts';

interface Golden {
  readonly pairs: { readonly prediction: string; readonly references: string[] }[];
  readonly models: Record<
    'tiny-roberta' | 'tiny-bert',
    { layers: number; scores: [number, number, number][]; ids: number[][] }
  >;
}
const golden = JSON.parse(readFileSync('tests/golden/bert-score.json', 'utf8')) as Golden;
const folderOf = (name: string) => resolve('tests/golden', name);

/** Cosines of f32 states, in other orders of summation than PyTorch's. */
const TOLERANCE = 1e-6;

describe.each(['tiny-roberta', 'tiny-bert'] as const)('%s', (name) => {
  const { layers, scores, ids } = golden.models[name];

  it('reads texts as the tokens that transformers reads, cut where it cuts', async () => {
    const tokenizer = await loadEncoderTokenizer(
      folderOf(name),
      name === 'tiny-bert' ? 'bert' : 'roberta',
      40,
    );
    expect(golden.pairs.map(({ prediction }) => tokenizer.encode(prediction))).toEqual(ids);
    expect(ids.some((of) => of.length === 40)).toBe(true);
  });

  it('gives precision, recall and F of the package', async () => {
    const found = await bertScores(golden.pairs, { folder: folderOf(name), layer: layers, threads: 1 });
    const worst = found.flatMap(({ precision, recall, f1 }, i) =>
      [precision, recall, f1].map((value, n) => Math.abs(value - scores[i]![n]!)),
    );
    expect(Math.max(...worst)).toBeLessThan(TOLERANCE);
    // Texts differ: a constant would not pass.
    expect(new Set(found.map(({ f1 }) => f1.toFixed(3))).size).toBeGreaterThan(10);
  });
});

describe('BERTScore', () => {
  it('joins the metrics where an encoder is named, and only there', async () => {
    const bertScore = { folder: folderOf('tiny-roberta'), layer: 2 };
    const { values } = await metrics(golden.pairs, { bertScore, threads: 1 });
    const mean =
      golden.models['tiny-roberta'].scores.reduce((sum, [, , f]) => sum + f, 0) / golden.pairs.length;
    expect((values.bertF1 as { value: number }).value).toBeCloseTo(mean, 5);
    expect((await metrics(golden.pairs)).values.bertF1).toBeUndefined();
    await expect(metrics(golden.pairs, { metrics: ['bertF1'] })).rejects.toMatchObject({
      code: 'config/bert-score',
    });
  });

  it('refuses a layer that nobody chose, or that is not there, and a model that is no encoder', async () => {
    const pairs = golden.pairs.slice(0, 1);
    const scored = (name: string, layer?: number) => bertScores(pairs, { folder: folderOf(name), layer });
    await expect(scored('tiny-bert')).rejects.toMatchObject({ code: 'metrics/bert-layer' });
    await expect(scored('tiny-bert', 4)).rejects.toMatchObject({ code: 'encoder/layer' });
    await expect(scored('tiny-gpt2', 1)).rejects.toMatchObject({
      code: expect.stringMatching(/^(config|weights)\//),
    });
    const empty = await mkdtemp(join(tmpdir(), 'nextquill-bert-score-'));
    await expect(bertScores(pairs, { folder: empty, layer: 1 })).rejects.toMatchObject({
      code: expect.stringMatching(/^weights\//),
    });
  });
});
