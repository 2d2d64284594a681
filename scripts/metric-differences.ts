/**
 * @file Prints how far each metric is from its original package on the golden pairs: the table in docs/results.md.
 *
 * Run: npx tsx scripts/metric-differences.ts
 */
import { bleu, bleuCounts } from '../src/method/metrics/bleu.ts';
import { meteor } from '../src/method/metrics/meteor.ts';
import { metrics } from '../src/method/metrics/metrics.ts';
import { porterStem } from '../src/method/metrics/porter-stemmer.ts';
import { punktFromFolder } from '../src/method/metrics/punkt.ts';
import { type RougeType, rouge } from '../src/method/metrics/rouge.ts';
import { wordNetFromFolder } from '../src/method/metrics/wordnet.ts';
import {
  largestDifference,
  punktFolder,
  textMetricsGolden,
  wordNetFolder,
} from '../tests/support/text-metrics-golden.ts';

const { pairs, bleu: corpus, labels, ratings, stems } = textMetricsGolden;
const print = (name: string, difference: number) =>
  process.stdout.write(`${name}: ${difference.toExponential(1)}\n`);

for (const stemmer of [false, true])
  for (const type of ['rouge1', 'rouge2', 'rougeL', 'rougeLsum'] satisfies RougeType[])
    print(
      `${type}${stemmer ? ', stemmer' : ''}`,
      largestDifference(
        pairs.flatMap(({ prediction, references }) => {
          const { precision, recall, fMeasure } = rouge(type, prediction, references, { stemmer });
          return [precision, recall, fMeasure];
        }),
        pairs.flatMap((pair) => (stemmer ? pair.rougeStemmed : pair.rouge)[type]),
      ),
    );
const counts = pairs.map(({ prediction, references }) => bleuCounts(prediction, references));
print(
  'sentence BLEU',
  largestDifference(
    counts.map((each) => bleu(each, { effectiveOrder: true })),
    pairs.map(({ sentenceBleu }) => sentenceBleu),
  ),
);
const metricOf = async (rows: Parameters<typeof metrics>[0], name: string, known?: readonly string[]) => {
  const { values } = await metrics(rows, { metrics: [name], ...(known !== undefined && { labels: known }) });
  const value = values[name]!;
  return typeof value === 'number' ? value : value.value;
};
print('corpus BLEU', Math.abs((await metricOf(pairs, 'bleu')) - corpus.corpus));
const [punkt, synonyms] = [await punktFromFolder(punktFolder), await wordNetFromFolder(wordNetFolder)];
const meteorCases = [
  ['meteor', {}],
  ['meteorTrained', { punkt }],
  ['meteorWordNet', { punkt, synonyms }],
] as const;
for (const [key, options] of meteorCases)
  print(
    key,
    largestDifference(
      pairs.map(({ prediction, references }) => meteor(prediction, references, options)),
      pairs.map((pair) => pair[key]),
    ),
  );
const rowsOf = ({ golds, predictions }: { readonly golds: string[]; readonly predictions: string[] }) =>
  golds.map((gold, n) => ({ prediction: predictions[n]!, references: [gold] }));
print('accuracy', Math.abs((await metricOf(rowsOf(labels), 'accuracy')) - labels.accuracy));
print('macro-F1', Math.abs((await metricOf(rowsOf(labels), 'macroF1', labels.labels)) - labels.macroF1));
print('MAE', Math.abs((await metricOf(rowsOf(ratings), 'mae')) - ratings.mae));
print('RMSE', Math.abs((await metricOf(rowsOf(ratings), 'rmse')) - ratings.rmse));
const differing = stems.filter(([word, stem]) => porterStem(word) !== stem).length;
process.stdout.write(`${pairs.length} pairs; ${differing} of ${stems.length} stems differ\n`);
