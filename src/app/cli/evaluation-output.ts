/** @file What `evaluate` shows of its numbers: lines of a terminal, one JSON document, and the page of `--out`. */
import { writeFileAtomically } from '../../base/atomic-file.ts';
import { decimal, estimateText } from '../../base/number-format.ts';
import { shownSide } from '../../base/statistics/estimate.ts';
import type { SystemEvaluation } from '../../method/evaluation/evaluate.ts';
import type { PairedDifference, SystemResult } from '../../method/evaluation/results.ts';
import { strengthFinding } from '../../method/evaluation/strength-finding.ts';
import { type WrittenTexts, writtenMetrics } from '../../method/generation/write-texts.ts';
import type { PromptSettings } from '../../method/prompts/pair.ts';
import type { TokenCount } from '../../method/scoring/token-count.ts';
import { renderComparison } from '../../reports/comparison/comparison-html.ts';
import { alignedColumns, differencesTable, systemsTable } from '../../reports/comparison/comparison-table.ts';
import { systemJson } from '../../reports/comparison/system-json.ts';
import { historyAnswer } from '../../reports/text/history-answer.ts';
import { leftOutTexts } from '../../reports/text/left-out-text.ts';
import { matchingText } from '../../reports/text/matching-text.ts';
import { portableName } from '../../reports/text/portable-name.ts';
import { remoteText } from '../../reports/text/remote-text.ts';
import { settingsText } from '../../reports/text/settings-text.ts';
import { strengthRows } from '../../reports/text/strength-section.ts';
import { strengthText } from '../../reports/text/strength-words.ts';
import type { Session } from './command.ts';
import type { Scoring } from './scoring.ts';

export interface Reported {
  readonly evaluation: SystemEvaluation;
  readonly baseline: SystemEvaluation | undefined;
  readonly differences: readonly PairedDifference[] | undefined;
}

export async function writeReport(
  out: string,
  { evaluation, baseline, differences }: Reported,
  { opened, source }: Scoring,
  session: Session,
): Promise<void> {
  const named = (system: SystemEvaluation) => portableName(system.system.name);
  const systems = [...(baseline === undefined ? [] : [baseline]), evaluation];
  const html = renderComparison({
    question: 'Does the model use a user’s own history?',
    facts: `Evaluation of ${named(evaluation)} on ${portableName(source)}`,
    system: named(evaluation),
    evaluations: [
      {
        name: portableName(source),
        users: new Set(evaluation.scores.map(({ user }) => user)).size,
        examples: evaluation.scores.length,
        systems: systems.map((each) => ({ ...each.system, name: named(each) })),
        historyEffects: systems.map((each) => ({ ...each.historyEffect, system: named(each) })),
        ...(differences && {
          differences: differences.map((each) => ({
            ...each,
            system: portableName(each.system),
            baseline: portableName(each.baseline),
          })),
        }),
      },
    ],
    ...(evaluation.strength && { strength: evaluation.strength }),
    warnings: leftOutTexts(evaluation.leftOut, opened.prompt.maxTokens),
    provenance: [
      ['Model', `${named(evaluation)}, hash ${opened.model.hash.slice(0, 12)}`],
      ...(evaluation.remote ? [['Server', remoteText(evaluation.remote)] as const] : []),
      ['Data', portableName(source)],
      ['Prompt', settingsText(opened.prompt)],
      ['Seed', String(session.options.seed ?? 0)],
    ],
  });
  await writeFileAtomically(out, (file) => file.writeFile(html));
  session.note(`report  ${out}`);
}

/** Two systems on the same examples. */
export interface Comparison {
  readonly baseline: SystemResult;
  readonly differences: readonly PairedDifference[];
}

/** What is shown beside the numbers of a system. */
export interface EvaluationExtras {
  readonly comparison: Comparison | undefined;
  readonly written: WrittenTexts | undefined;
  readonly tokens: TokenCount;
}

export function printEvaluation(
  evaluation: SystemEvaluation,
  { reference, maxTokens }: PromptSettings,
  { comparison, written, tokens }: EvaluationExtras,
  session: Session,
): void {
  const { system, historyEffect, scores, leftOut, strength } = evaluation;
  const users = new Set(scores.map(({ user }) => user)).size;
  const { system: _, ...effects } = historyEffect;
  if (session.options.json) {
    const counts = { users, examples: scores.length, leftOut };
    const document = {
      ...systemJson(system),
      historyEffect: effects,
      reference,
      ...counts,
      ...(strength && { strength }),
      ...(evaluation.remote && { remote: evaluation.remote }),
      ...(comparison && { ...comparison, baseline: systemJson(comparison.baseline) }),
      ...(written && {
        generated: {
          texts: written.texts.length,
          empty: written.empty,
          ...written.metrics,
          ...(written.authors && { authors: written.authors }),
        },
      }),
      ...tokens,
    };
    session.print(`${JSON.stringify(document)}\n`);
    return;
  }
  const against = reference === 'placebo' ? 'the reference' : 'none';
  const { name, nllWithHistory, nllWithoutHistory, nllOtherHistory, authorIdentification: author } = system;
  const lines = [
    historyAnswer(shownSide(effects.total, users), shownSide(effects.userSpecific, users)),
    ...leftOutTexts(leftOut, maxTokens).map((text) => `! ${text}`),
    '',
    `${name}: ${scores.length} texts of ${users} users; mean over users [95% interval by user]`,
    '',
    ...alignedColumns(
      [
        [`A  own history against ${against}`, estimateText(effects.total), 'nats a token'],
        [`B  another user’s against ${against}`, estimateText(effects.generic), 'nats a token'],
        ['C  own against another user’s', estimateText(effects.userSpecific), 'nats a token'],
        ['NLL with history', estimateText(nllWithHistory), 'nats a token'],
        [
          reference === 'placebo' ? 'NLL with the reference' : 'NLL without history',
          estimateText(nllWithoutHistory),
          reference === 'placebo' ? 'nats a token; another user’s history stands for none' : 'nats a token',
        ],
        ['NLL with another user’s history', estimateText(nllOtherHistory), 'nats a token'],
        ...(author === undefined
          ? []
          : [
              [
                'author identified',
                estimateText(author),
                `among ${author.k} histories; chance ${(1 / author.k).toFixed(3)}`,
              ],
            ]),
      ],
      () => false,
    ),
    ...(strength === undefined
      ? []
      : [
          '',
          strengthText(strengthFinding(strength)),
          ...alignedColumns(strengthRows(strength), () => false),
        ]),
    ...(author === undefined ? [] : ['', `histories matched in ${matchingText(author.matching)}`]),
    ...(comparison === undefined
      ? []
      : [
          '',
          `baseline: ${comparison.baseline.name}`,
          systemsTable([
            { ...system, name: 'evaluated' },
            { ...comparison.baseline, name: 'baseline' },
          ]),
          'Differences, paired by user; p of the permutation test, not corrected for their number',
          differencesTable(
            comparison.differences.map((each) => ({ ...each, system: 'evaluated', baseline: 'baseline' })),
          ).trimEnd(),
        ]),
  ];
  if (written !== undefined) lines.push('', ...writtenLines(written));
  session.print(`${lines.join('\n')}\n`);
}

function writtenLines({ texts, empty, metrics, authors }: WrittenTexts): string[] {
  return [
    `${texts.length} texts written with the history, the likeliest token at every step, ${empty} of them empty`,
    '',
    ...alignedColumns(
      [
        ...writtenMetrics.flatMap((name) => {
          const value = metrics[name];
          if (value === undefined) return [];
          return [
            [name, typeof value === 'number' ? decimal(value, 3) : estimateText(value, 3), metricWords[name]],
          ];
        }),
        ...(authors === undefined
          ? []
          : [
              [
                'author',
                estimateText(authors.identified, 3),
                `texts likeliest after the own history, among ${authors.candidates}, to the model without adapter; chance ${decimal(1 / authors.candidates, 3)}`,
              ],
            ]),
      ],
      () => false,
    ),
  ];
}

const metricWords: Readonly<Record<(typeof writtenMetrics)[number], string>> = {
  rouge1: 'of 1, beside what the user wrote',
  rougeL: 'of 1',
  meteor: 'of 1',
  bleu: 'of 100',
  copied: 'share of words in runs of five and more of the history',
  lengthDistance: 'from the history, 0 the same',
  punctuationDistance: 'from the history',
  functionWordDistance: 'from the history',
};
