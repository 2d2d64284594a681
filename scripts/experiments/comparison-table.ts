/** @file Configurations side by side: means with intervals by user, and differences from a baseline, as JSON and Markdown. */

import { estimateText, pValueText, signed } from '../../src/base/number-format.ts';
import { type ExampleValue, meanByUser } from '../../src/base/statistics/by-user.ts';
import type { Estimate } from '../../src/base/statistics/estimate.ts';
import { type ExampleScore, measureOf, pairedDifferences } from '../../src/method/evaluation/evaluate.ts';
import type { Measure, PairedDifference } from '../../src/method/evaluation/results.ts';
import { markdownTable } from '../../src/reports/text/markdown.ts';

/** One evaluation of one run. */
export interface Scores {
  readonly configuration: string;
  readonly seed: number;
  readonly scores: readonly ExampleScore[];
  readonly k: number;
  readonly matching: string;
  /** Of the log ratio against known causes, where the data have them. */
  readonly auc?: Estimate;
}

/** A configuration over all its seeds. */
export interface Row {
  readonly configuration: string;
  readonly seeds: readonly number[];
  readonly means: Readonly<Record<Column, Estimate>>;
  /** Mean over seeds of the AUC; absent without known causes. */
  readonly auc?: number;
  readonly differences: readonly PairedDifference[];
  /** C − C(baseline) of each seed: how far the seeds agree. */
  readonly userSpecificBySeed: readonly number[];
}

/** Columns of the table, and the measures that they show. */
const columns = {
  nllWithHistory: 'nllWithHistory',
  nllWithoutHistory: 'nllWithoutHistory',
  nllOtherHistory: 'nllOtherHistory',
  identified: 'authorIdentification',
  A: 'totalEffect',
  C: 'userSpecificEffect',
} as const satisfies Record<string, Measure>;

type Column = keyof typeof columns;

const compared: readonly Measure[] = [
  'userSpecificEffect',
  'authorIdentification',
  'nllWithHistory',
  'nllWithoutHistory',
];

/** Rows in the order given; scores of several seeds are averaged by example first, so that users are counted once. */
export function comparisonRows(all: readonly Scores[], baseline: string): Row[] {
  const names = [...new Set(all.map(({ configuration }) => configuration))];
  const of = (name: string) => all.filter(({ configuration }) => configuration === name);
  const base = of(baseline);
  return names.map((name) => {
    const runs = of(name);
    const mean = averaged(runs.map(({ scores }) => scores));
    const aucs = runs.flatMap(({ auc }) => auc?.value ?? []);
    const isCompared = base.length > 0 && name !== baseline;
    return {
      configuration: name,
      seeds: runs.map(({ seed }) => seed),
      means: Object.fromEntries(
        Object.entries(columns).map(([column, measure]) => [column, meanByUser(valuesOf(mean, measure))]),
      ) as Row['means'],
      ...(aucs.length === 0 ? {} : { auc: aucs.reduce((sum, auc) => sum + auc, 0) / aucs.length }),
      differences: isCompared
        ? pairedDifferences(
            { system: { name }, scores: mean },
            { system: { name: baseline }, scores: averaged(base.map(({ scores }) => scores)) },
            compared,
            { seed: 0 },
          )
        : [],
      userSpecificBySeed: isCompared
        ? runs.flatMap((run) => {
            const other = base.find(({ seed }) => seed === run.seed);
            if (other === undefined) return [];
            const c = (scores: readonly ExampleScore[]) => meanByUser(valuesOf(scores, columns.C)).value;
            return [c(run.scores) - c(other.scores)];
          })
        : [],
    };
  });
}

/** A Markdown table of the means, and one of the differences from the baseline. */
export function comparisonMarkdown(rows: readonly Row[], baseline: string): string {
  const means = rows.map(({ configuration, seeds, means: m, auc }) => [
    `\`${configuration}\``,
    String(seeds.length),
    ...(['nllWithHistory', 'nllWithoutHistory', 'nllOtherHistory', 'identified', 'A', 'C'] as const).map(
      (column) => estimateText(m[column], 3),
    ),
    auc === undefined ? '' : auc.toFixed(3),
  ]);
  const differences = rows
    .filter((row) => row.differences.length > 0)
    .map(({ configuration, differences: all, userSpecificBySeed }) => [
      `\`${configuration}\``,
      ...compared.map((measure) => {
        const { estimate, pValue } = all.find((difference) => difference.measure === measure)!;
        return `${signedText(estimate)}, ${pValueText(pValue)}`;
      }),
      userSpecificBySeed.map((value) => signed(value, 3)).join(' '),
    ]);
  return [
    markdownTable(['', 'seeds', 'NLL with', 'NLL without', 'NLL other', 'author', 'A', 'C', 'AUC'], means),
    `\nDifferences from \`${baseline}\`, paired by user:\n`,
    markdownTable(['', 'C', 'author', 'NLL with', 'NLL without', 'C by seed'], differences),
  ].join('\n');
}

function averaged(runs: readonly (readonly ExampleScore[])[]): ExampleScore[] {
  const [first, ...rest] = runs;
  const others = rest.map((scores) => new Map(scores.map((score) => [score.example, score])));
  return first!.map((score) => {
    const same = [score, ...others.map((scores) => scores.get(score.example)!)];
    const mean = (value: (score: ExampleScore) => number) =>
      same.reduce((sum, each) => sum + value(each), 0) / same.length;
    return {
      ...score,
      nllWithHistory: mean((s) => s.nllWithHistory),
      nllWithoutHistory: mean((s) => s.nllWithoutHistory),
      nllOtherHistory: mean((s) => s.nllOtherHistory),
      identified: mean((s) => s.identified),
    };
  });
}

const valuesOf = (scores: readonly ExampleScore[], measure: Measure): ExampleValue[] =>
  scores.map((score) => ({ example: score.example, user: score.user, value: measureOf[measure](score) }));

const signedText = ({ value, low, high }: Estimate) =>
  `${signed(value, 3)} [${signed(low, 3)}, ${signed(high, 3)}]`;
