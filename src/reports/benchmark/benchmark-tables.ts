/** @file A leaderboard as tables of texts: what Markdown prints and the page shows, in one place. */
import { decimal, estimateText, signed } from '../../base/number-format.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import { mean } from '../../base/statistics/mean.ts';
import type { Judgement } from '../../method/benchmark/judge.ts';
import type { BenchmarkMeasure } from '../../method/benchmark/leaderboard.ts';
import type { BenchmarkBoard } from '../../method/benchmark/results.ts';
import { writtenMetrics } from '../../method/generation/write-texts.ts';
import type { WrittenAuthors } from '../../method/generation/written-authors.ts';

/** Cells of a table; the first of each row names it. */
export interface TextTable {
  /** A few words, for a heading. */
  readonly heading: string;
  /** What its numbers are, in a sentence without its full stop. */
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const columns: readonly (readonly [BenchmarkMeasure, string])[] = [
  ['nllWithHistory', 'NLL as used'],
  ['nllWithoutHistory', 'without'],
  ['nllOtherHistory', 'strangers’'],
  ['nllSimilarHistory', 'most similar’s'],
  ['total', 'A'],
  ['generic', 'B'],
  ['userSpecific', 'C'],
  ['userSpecificBesideSimilar', 'C beside most similar'],
  ['identified', 'author'],
];

const dash = '–';

/** The tables of one model on one set of users. */
export function benchmarkTables({ leaderboard, systems, judge }: BenchmarkBoard): TextTable[] {
  const { rows, tests, baseline } = leaderboard;
  const systemOf = (name: string) => systems.find(({ system }) => system === name)!;
  const likelihood: TextTable = {
    heading: 'Likelihoods and effects',
    title: 'Likelihood, nats a token; means over users, 95 % intervals by user',
    head: ['system', ...columns.map(([, label]) => label)],
    rows: rows.map(({ system, means }) => [
      system,
      ...columns.map(([measure]) => estimateText(means[measure], 3)),
    ]),
  };
  const differences: TextTable = {
    heading: `Differences from ${baseline}`,
    title: `Differences from ${baseline}, paired by user; p of the permutation test, corrected for all ${tests.length} tests (Holm)`,
    head: ['system', 'NLL as used', 'p', 'NLL without history', 'p', 'C', 'p'],
    rows: [...new Set(tests.map(({ system }) => system))].map((system) => [
      system,
      ...(['nllWithHistory', 'nllWithoutHistory', 'userSpecific'] as const).flatMap((measure) => {
        const { difference, adjusted } = tests.find(
          (test) => test.system === system && test.measure === measure,
        )!;
        return [signedText(difference), decimal(adjusted, 3)];
      }),
    ]),
  };
  const cost: TextTable = {
    heading: 'Choices and cost',
    title: 'Choices and cost; seconds are those of the machine that ran it',
    head: [
      'system',
      'rate',
      'strength',
      'prompt tokens',
      'training s',
      'training tokens',
      'process GiB',
      'scoring s',
      'seeds: NLL as used',
    ],
    rows: rows.map(({ system, promptTokens, nllBySeed }) => {
      const { rate, strength, cells } = systemOf(system);
      const training = cells.flatMap(({ trainingSeconds }) => trainingSeconds ?? []);
      const trainingTokens = cells.flatMap(({ trainingTokens: tokens }) => tokens ?? []);
      const summaryTokens = cells.flatMap(({ summaryTokens: tokens }) => tokens ?? []);
      const memory = cells.flatMap(({ peakMemoryBytes }) => peakMemoryBytes ?? []);
      return [
        system,
        rate === undefined ? dash : String(rate.chosen),
        strength === undefined ? dash : String(strength.chosen),
        summaryTokens.length === 0
          ? decimal(promptTokens, 0)
          : `${decimal(promptTokens, 0)}, and ${decimal(mean(summaryTokens), 0)} once a history`,
        training.length === 0 ? dash : decimal(mean(training), 0),
        trainingTokens.length === 0 ? dash : decimal(mean(trainingTokens), 0),
        memory.length === 0 ? dash : decimal(Math.max(...memory) / 2 ** 30, 1),
        decimal(mean(cells.map(({ scoringSeconds }) => scoringSeconds)), 0),
        nllBySeed.map((value) => decimal(value, 3)).join(' '),
      ];
    }),
  };
  const written = writtenTable(systems);
  return [
    likelihood,
    differences,
    cost,
    ...(written ? [written] : []),
    ...(judge ? [judgeTable(judge, baseline)] : []),
  ];
}

/** The control beside the preference: a judge that likes a stranger's history as well does not judge who wrote. */
function judgeTable(
  { model, host, systems }: NonNullable<BenchmarkBoard['judge']>,
  baseline: string,
): TextTable {
  const cells = (judgement: Judgement | undefined): string[] => {
    if (judgement === undefined) return [dash, dash, dash];
    const { preferred, consistent, pairs, unanswered, equal } = judgement;
    return [
      preferred === undefined ? dash : estimateText(preferred, 2),
      consistent === undefined ? dash : decimal(consistent, 2),
      [
        `${pairs}`,
        ...(equal > 0 ? [`${equal} equal`] : []),
        ...(unanswered > 0 ? [`${unanswered} unanswered`] : []),
      ].join(', '),
    ];
  };
  return {
    heading: 'A judge',
    title: `A judge, ${model} at ${host}, blind and in both orders: how often a text is preferred, 0.5 is chance; it decides nothing here. The control is the same system with a stranger’s history: where that is preferred as often, the judge does not see the user`,
    head: [
      'system',
      `beside ${baseline}`,
      'same in both orders',
      'pairs',
      'own beside a stranger’s history',
      'same in both orders',
      'pairs',
    ],
    rows: systems.map(({ system, besideBaseline, besideStranger }) => [
      system,
      ...cells(besideBaseline),
      ...cells(besideStranger),
    ]),
  };
}

function writtenTable(systems: BenchmarkBoard['systems']): TextTable | undefined {
  const having = systems.filter(({ cells }) => cells.some(({ written }) => written !== undefined));
  if (having.length === 0) return undefined;
  const texts = having[0]!.cells[0]!.written!.texts.length;
  return {
    heading: 'Written texts',
    title: `Written texts: ${texts} a system and seed, the likeliest token at every step; style is a distance from the history, 0 the same`,
    head: [
      'system',
      'ROUGE-1',
      'ROUGE-L',
      'METEOR',
      'BLEU',
      'copied',
      'length',
      'punctuation',
      'function words',
      'author',
      'empty',
    ],
    rows: having.map(({ system, cells }) => [
      system,
      ...writtenMetrics.map((name) => {
        const values = cells.flatMap(({ written }) => written?.metrics[name] ?? []);
        if (values.length === 0) return dash;
        const [only] = values;
        if (values.length === 1 && typeof only === 'object') return estimateText(only, 3);
        return decimal(mean(values.map((value) => (typeof value === 'number' ? value : value.value))), 3);
      }),
      authorsText(cells.flatMap(({ written }) => written?.authors ?? [])),
      decimal(mean(cells.flatMap(({ written }) => written?.empty ?? [])), 0),
    ]),
  };
}

/** With its interval where there is one seed. */
function authorsText(of: readonly WrittenAuthors[]): string {
  if (of.length === 0) return dash;
  return of.length === 1
    ? estimateText(of[0]!.identified, 3)
    : decimal(mean(of.map(({ identified }) => identified.value)), 3);
}

const signedText = ({ value, low, high }: Estimate) =>
  `${signed(value, 3)} [${signed(low, 3)}, ${signed(high, 3)}]`;
