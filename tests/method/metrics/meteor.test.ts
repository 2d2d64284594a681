import { describe, expect, it } from 'vitest';
import { DataError } from '../../../src/base/errors.ts';
import { type MeteorOptions, meteor } from '../../../src/method/metrics/meteor.ts';
import { punktFromFolder, punktSentences } from '../../../src/method/metrics/punkt.ts';
import { treebankWords } from '../../../src/method/metrics/treebank-words.ts';
import { wordNetFromFolder } from '../../../src/method/metrics/wordnet.ts';
import {
  largestDifference,
  METRIC_TOLERANCE,
  punktFolder,
  textMetricsGolden,
  wordNetFolder,
} from '../../support/text-metrics-golden.ts';

const { pairs, tokens } = textMetricsGolden;
const punkt = await punktFromFolder(punktFolder);
const synonyms = await wordNetFromFolder(wordNetFolder);

describe('METEOR', () => {
  const cases: readonly ['meteor' | 'meteorTrained' | 'meteorWordNet', MeteorOptions][] = [
    ['meteor', {}],
    ['meteorTrained', { punkt }],
    ['meteorWordNet', { punkt, synonyms }],
  ];

  it.each(cases)('equals NLTK’s on every pair: %s', (key, options) => {
    const ours = pairs.map(({ prediction, references }) => meteor(prediction, references, options));
    expect(
      largestDifference(
        ours,
        pairs.map((pair) => pair[key]),
      ),
    ).toBeLessThan(METRIC_TOLERANCE);
  });

  it('differs by what it knows, or the cases above would show nothing', () => {
    const differing = (a: 'meteor' | 'meteorTrained', b: 'meteorTrained' | 'meteorWordNet') =>
      pairs.filter((pair) => Math.abs(pair[a] - pair[b]) > 1e-3).length;
    expect(differing('meteor', 'meteorTrained')).toBeGreaterThan(20);
    expect(differing('meteorTrained', 'meteorWordNet')).toBeGreaterThan(10);
  });

  it('reproduces the pair of NLTK’s documentation', () => {
    const prediction =
      'It is a guide to action which ensures that the military always obeys the commands of the party';
    const reference =
      'It is a guide to action that ensures that the military will forever heed Party commands';
    expect(meteor(prediction, [reference])).toBeCloseTo(0.6944, 4);
  });
});

describe('tokens of METEOR', () => {
  it.each(['untrained', 'trained'] as const)('come from NLTK’s sentences: Punkt %s', (kind) => {
    const differing = tokens.filter(
      (each) =>
        JSON.stringify(punktSentences(each.text, kind === 'trained' ? punkt : undefined)) !==
        JSON.stringify(each[kind]),
    );
    expect(differing).toEqual([]);
  });

  it('are NLTK’s of a sentence', () => {
    const differing = tokens.filter(
      ({ text, words }) => JSON.stringify(treebankWords(text)) !== JSON.stringify(words),
    );
    expect(tokens.length).toBeGreaterThan(300);
    expect(differing.map(({ text, words }) => [text, words, treebankWords(text)])).toEqual([]);
  });
});

describe('WordNet', () => {
  it('gives the words that share a meaning with a form of the word, without those of several parts', () => {
    expect([...synonyms('fortunes')].sort()).toEqual(['chance', 'fortune', 'luck', 'wealth']);
    expect([...synonyms('Ran')].sort()).toEqual(['execute', 'run']);
    expect([...synonyms('galore')].sort()).toEqual(['abounding', 'galore']);
    expect([...synonyms('immediately')].sort()).toEqual(['immediately', 'instantly']);
    expect([...synonyms('unheard')]).toEqual([]);
  });

  it('says which file is missing or has another layout', async () => {
    await expect(wordNetFromFolder('/nowhere')).rejects.toMatchObject({ code: 'data/missing-file' });
    await expect(punktFromFolder('/nowhere')).rejects.toBeInstanceOf(DataError);
  });
});
