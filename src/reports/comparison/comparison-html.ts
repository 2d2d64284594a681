/** @file The report of a comparison as one HTML file: the answer, one picture and one table; then findings, numbers, curves, maps. */

import { groupBy } from '../../base/group-by.ts';
import { pValueText, signed } from '../../base/number-format.ts';
import { type EvaluationFinding, evaluationFindings } from '../../method/evaluation/findings.ts';
import type { Evaluation } from '../../method/evaluation/results.ts';
import type { EffectMap } from '../../method/explain/effect-map.ts';
import type { HistoryStrength } from '../../method/strength/history-strength.ts';
import { systemSeries } from '../charts/frame.ts';
import { lineChart } from '../charts/line-chart.ts';
import { effectMapParts } from '../heat-map/heat-map-html.ts';
import { effectMapScript } from '../heat-map/script.ts';
import { effectMapStyle, pageStyle } from '../heat-map/style.ts';
import { type Html, type HtmlPart, html } from '../text/html.ts';
import { htmlPage, textHtml } from '../text/html-page.ts';
import {
  answerHtml,
  estimateCell,
  figure,
  findingsHtml,
  foldedSection,
  type Provenance,
  provenanceHtml,
  scrollTable,
} from '../text/html-parts.ts';
import { count, listed } from '../text/lists.ts';
import { remedyText } from '../text/notice-text.ts';
import { reportStyle } from '../text/report-style.ts';
import { strengthHtml } from '../text/strength-section.ts';
import { comparisonAnswer, type Learning } from './comparison-answer.ts';
import { effectsChart, evaluationCharts } from './comparison-charts.ts';
import { systemsNote, systemsTableHtml } from './comparison-systems.ts';
import { coldStartText, findingText } from './finding-text.ts';
import { measureWords } from './measure-words.ts';

/** The loss of one training run. */
export interface LossCurve {
  readonly system: string;
  readonly steps: readonly { readonly step: number; readonly loss: number }[];
}

/** Everything that the report shows, as plain data. */
export interface ComparisonReport {
  readonly question: string;
  /** What the report is and when it was made, as it should be read. */
  readonly facts: string;
  /** The system that the question is about. */
  readonly system: string;
  readonly evaluations: readonly Evaluation[];
  /** Where systems were trained from another one: the answer says first what that taught. */
  readonly learning?: Learning;
  readonly lossCurves?: readonly LossCurve[];
  /** How far the system should trust histories. */
  readonly strength?: HistoryStrength;
  readonly maps?: readonly EffectMap[];
  /** How many of the maps stand on the first screen; default 1. */
  readonly mapsInAnswer?: number;
  /** What was left out, and the like; beside the warnings that the numbers give. */
  readonly warnings?: readonly string[];
  /** Paragraphs on what was compared. */
  readonly introduction?: readonly string[];
  /** Model, seeds, data, versions, seconds, in order. */
  readonly provenance: Provenance;
}

export interface ReportOptions {
  /** Texts replaced by their lengths, names by numbers; default false. */
  readonly redact?: boolean;
}

/**
 * The whole report as an HTML document that loads nothing.
 * @throws {DataError} when the offsets of a map are not in order
 */
export function renderComparison(report: ComparisonReport, { redact = false }: ReportOptions = {}): string {
  const { question, system, evaluations, maps = [], mapsInAnswer = 1, lossCurves = [] } = report;
  const { introduction = [], learning } = report;
  const first = evaluations[0]!;
  const findings = evaluationFindings(evaluations);
  const parts = maps.length === 0 ? undefined : effectMapParts(maps, { redact });
  const privacy =
    maps.length === 0
      ? 'This file holds no text of a user.'
      : redact
        ? 'Texts have been replaced by their lengths.'
        : 'This file holds texts of users: think before you send it on.';
  const picture =
    parts === undefined ? effectsChart(first) : html`${parts.tools}${parts.articles.slice(0, mapsInAnswer)}`;
  const table = html`${evaluations.length > 1 && html`<h2 class="title">${textHtml(first.name)}</h2>`}${systemsTableHtml(first)}
<p class="facts">${systemsNote(first)}</p>`;
  const body = html`<main>
${answerHtml({
  question,
  facts: textHtml(report.facts),
  ...comparisonAnswer(evaluations, system, learning),
  warnings: [...(report.warnings ?? []), ...coldStartWarnings(findings, evaluations)],
  // What was learnt stands in the table; otherwise a text shows the answer best.
  ...(learning === undefined ? { picture, table } : { picture: table, table: picture }),
})}
${foldedSection(
  'What was found',
  html`${byEvaluation(findings, evaluations)}${findings.some(isColdStart) && html`<p class="facts">${remedyText([{ code: 'anchor', above: 0 }])}</p>`}`,
  { open: true },
)}
${
  introduction.length > 0 &&
  foldedSection(
    'What was compared',
    introduction.map((text) => html`<p>${textHtml(text)}</p>\n`),
  )
}
${evaluations.map((evaluation, i) => evaluationHtml(evaluation, i > 0, parts !== undefined || i > 0))}
${parts !== undefined && foldedSection(maps.length > mapsInAnswer ? 'More texts' : 'How to read the map', html`${parts.articles.slice(mapsInAnswer)}${parts.note}`)}
${report.strength && strengthHtml(report.strength)}
${lossHtml(lossCurves, systemOrder(report))}
${provenanceHtml(report.provenance, privacy)}
</main>`;
  return htmlPage({
    title: `${question} ${system}`,
    style: pageStyle + effectMapStyle + reportStyle,
    script: effectMapScript,
    body,
  });
}

/** Every system once, in the order of first appearance: its index is its colour on the whole page. */
function systemOrder({ evaluations, lossCurves = [] }: ComparisonReport): string[] {
  const names = [
    ...evaluations.flatMap((evaluation) => evaluation.systems.map((system) => system.name)),
    ...lossCurves.map((curve) => curve.system),
  ];
  return [...new Set(names)];
}

type ColdStartFinding = EvaluationFinding & { readonly code: 'cold-start' };

const isColdStart = (finding: EvaluationFinding): finding is ColdStartFinding =>
  finding.code === 'cold-start' && finding.kind === 'warning';

/** One sentence for each evaluation in which users without a history pay, with all systems under which they do. */
function coldStartWarnings(
  findings: readonly EvaluationFinding[],
  evaluations: readonly Evaluation[],
): string[] {
  const paid = groupBy(findings.filter(isColdStart), ({ about, difference }) =>
    JSON.stringify([about, difference.baseline]),
  );
  return [...paid.values()].map((each) => {
    const { about, side, users, difference } = each[0]!;
    const systems = listed(each.map(({ difference: { system } }) => system));
    const where = evaluations.length > 1 ? `${about}. ` : '';
    return `${where}${coldStartText(side, { ...difference, system: systems }, users)}`;
  });
}

/** Findings under the names of their evaluations, where there are several. */
function byEvaluation(findings: readonly EvaluationFinding[], evaluations: readonly Evaluation[]): HtmlPart {
  return evaluations.map(({ name }) => {
    const sentences = findings
      .filter(({ about }) => about === name)
      .map((finding) => ({ kind: finding.kind, text: findingText(finding) }));
    return html`${evaluations.length > 1 && html`<h3>${textHtml(name)}</h3>`}${findingsHtml(sentences)}`;
  });
}

/** The numbers of one evaluation that are not on the first screen. */
function evaluationHtml(evaluation: Evaluation, withTable: boolean, withEffects: boolean): Html {
  const { name, users, examples } = evaluation;
  return foldedSection(
    `${name}: all numbers`,
    html`<p class="facts">${count(users, 'held-out user')}, ${count(examples, 'text')}; mean over users, 95% interval by user.</p>
${withTable && html`${systemsTableHtml(evaluation)}<p class="facts">${systemsNote(evaluation)}</p>`}
${withEffects && effectsChart(evaluation)}
${evaluationCharts(evaluation)}
${differencesHtml(evaluation)}`,
  );
}

function differencesHtml({ name, differences = [] }: Evaluation): HtmlPart {
  if (differences.length === 0) return undefined;
  const rows = differences.map(({ system, baseline, measure, estimate, pValue }) => {
    const { label, unit, reading } = measureWords[measure];
    return html`<tr><th scope="row">${textHtml(system)} − ${textHtml(baseline)}</th><td class="text">${label} <span class="interval">${unit}, ${reading}</span></td>${estimateCell(estimate, signed)}<td>${pValueText(pValue).replace(/^p (= )?/, '')}</td></tr>`;
  });
  return html`<h3>Differences, paired by user</h3>
<p class="facts">p: paired permutation test by user, two-sided, not corrected for the number of comparisons.</p>
${scrollTable(`Differences between systems, ${name}`, ['systems', { label: 'measure', isText: true }, 'difference', 'p'], rows)}`;
}

function lossHtml(curves: readonly LossCurve[], systems: readonly string[]): HtmlPart {
  const drawn = curves.filter((curve) => curve.steps.length > 0);
  if (drawn.length === 0) return undefined;
  const series = drawn.map(({ system, steps }) => ({
    label: system,
    series: systemSeries(systems.indexOf(system)),
    points: steps.map(({ step, loss }) => ({ x: step, y: loss })),
  }));
  return foldedSection(
    'Training',
    figure(
      'Loss of each step, faint, and its running mean. Every step is another batch. Objectives weigh tokens differently, so levels compare within a system, not between systems.',
      (width) => lineChart({ title: 'Training loss', xLabel: 'step', yLabel: 'loss, nats', series, width }),
    ),
  );
}
