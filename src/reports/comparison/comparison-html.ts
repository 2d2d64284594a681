/** @file The report of a comparison as one HTML file: what was found, the numbers with intervals, curves, and heat maps. */

import { decimal, pValueText, signed } from '../../base/number-format.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import { type Evaluation, measureDescriptions, type SystemResult } from '../../method/evaluation/results.ts';
import type { EffectMap } from '../../method/explain/effect-map.ts';
import { type IntervalGroup, intervalChart } from '../charts/interval-chart.ts';
import { lineChart } from '../charts/line-chart.ts';
import { effectMapsHtml } from '../heat-map/heat-map-html.ts';
import { effectMapScript } from '../heat-map/script.ts';
import { effectMapStyle, pageStyle } from '../heat-map/style.ts';
import { escapeHtml, htmlPage, textHtml } from '../text/html-page.ts';
import { count, estimateCell, figure } from '../text/html-parts.ts';
import { reportStyle } from '../text/report-style.ts';
import { systemHeads, systemMeasures } from './comparison-table.ts';

/** The loss of one training run. */
export interface LossCurve {
  readonly system: string;
  readonly steps: readonly { readonly step: number; readonly loss: number }[];
}

/** Everything that the report shows, as plain data. */
export interface ReportData {
  readonly title: string;
  /** When the report was made, as it should be read. */
  readonly createdAt: string;
  /** Paragraphs. */
  readonly introduction: readonly string[];
  readonly evaluations: readonly Evaluation[];
  readonly lossCurves: readonly LossCurve[];
  readonly maps: readonly EffectMap[];
  /** What was found, a sentence each. */
  readonly findings: readonly string[];
  /** What was not found, and warnings (those begin with `Warning`). */
  readonly cautions: readonly string[];
  /** Model, seeds, data, versions, seconds, in order. */
  readonly provenance: readonly (readonly [name: string, value: string])[];
}

export interface ReportOptions {
  /** Texts replaced by their lengths, names by numbers; default false. */
  readonly redact?: boolean;
}

/**
 * The whole report as an HTML document that loads nothing.
 * @throws {DataError} when the offsets of a map are not in order
 */
export function renderReport(data: ReportData, { redact = false }: ReportOptions = {}): string {
  const series = systemOrder(data);
  const privacy =
    data.maps.length === 0
      ? 'This file holds no text of a user.'
      : redact
        ? 'Texts have been replaced by their lengths.'
        : 'This file holds texts of users: think before you send it on.';
  const body = `<main>
<header>
<h1>${textHtml(data.title)}</h1>
<p class="facts">${textHtml(data.createdAt)}</p>
${data.introduction.map((paragraph) => `<p class="lead">${textHtml(paragraph)}</p>`).join('\n')}
</header>
<section><h2>What was found</h2>${findingsHtml(data.findings, data.evaluations, 'findings', 'Nothing that an interval supports.')}</section>
<section><h2>What was not found</h2>${findingsHtml(data.cautions, data.evaluations, 'findings not', 'Nothing was left open.')}</section>
${data.evaluations.map((evaluation) => evaluationHtml(evaluation, series)).join('\n')}
${lossHtml(data.lossCurves, series)}
${data.maps.length === 0 ? '' : `<section><h2>Which tokens the history changes</h2>\n${effectMapsHtml(data.maps, { redact })}</section>`}
<section><h2>How this was made</h2>
<div class="scroll"><table class="provenance"><tbody>
${data.provenance.map(([name, value]) => `<tr><th scope="row">${textHtml(name)}</th><td>${textHtml(value)}</td></tr>`).join('\n')}
</tbody></table></div>
<p class="private">${privacy}</p></section>
</main>`;
  return htmlPage({
    title: data.title,
    style: pageStyle + effectMapStyle + reportStyle,
    script: effectMapScript,
    body,
  });
}

/** Every system once, in the order of first appearance: its index is its colour on the whole page. */
function systemOrder(data: ReportData): Map<string, number> {
  const names = [
    ...data.evaluations.flatMap((evaluation) => evaluation.systems.map((system) => system.name)),
    ...data.lossCurves.map((curve) => curve.system),
  ];
  return new Map([...new Set(names)].map((name, i) => [name, i]));
}

/** A list of sentences; those that begin with the name of an evaluation stand under that name. */
function findingsHtml(
  sentences: readonly string[],
  evaluations: readonly Evaluation[],
  list: string,
  none: string,
): string {
  if (sentences.length === 0) return `<p class="soft">${none}</p>`;
  const groups = new Map<string, string[]>();
  for (const sentence of sentences) {
    const name = evaluations.find((evaluation) => sentence.startsWith(`${evaluation.name}: `))?.name ?? '';
    const text = name === '' ? sentence : sentence.slice(name.length + 2);
    groups.set(name, [...(groups.get(name) ?? []), text]);
  }
  return [...groups]
    .map(([name, texts]) => {
      const items = texts.map(
        (text) => `<li${text.startsWith('Warning') ? ' class="warning"' : ''}>${textHtml(text)}</li>`,
      );
      const heading = name === '' ? '' : `<h3>${textHtml(name)}</h3>`;
      return `${heading}<ul class="${list}">${items.join('\n')}</ul>`;
    })
    .join('\n');
}

function evaluationHtml(evaluation: Evaluation, series: ReadonlyMap<string, number>): string {
  const { name, users, examples, systems } = evaluation;
  const facts = `${count(users, 'held-out user')}, ${count(examples, 'text')}; mean over users, 95% interval by user.`;
  return `<section><h2>${textHtml(name)}</h2>
<p class="facts">${facts}</p>
${systemsHtml(systems)}
${chartsHtml(evaluation, series)}
${differencesHtml(evaluation)}
</section>`;
}

function systemsHtml(systems: readonly SystemResult[]): string {
  const columns = systemMeasures.filter((measure) => systems.some((system) => system[measure] !== undefined));
  const rows = systems.map((system) => {
    const cells = columns.map((measure) => estimateCell(system[measure]));
    return `<tr><th scope="row">${textHtml(system.name)}</th>${cells.join('')}</tr>`;
  });
  const identified = systems.find((system) => system.authorIdentification)?.authorIdentification;
  const identification =
    identified === undefined
      ? ''
      : ` Author identified: among ${identified.k} histories, matched by ${textHtml(identified.matching)}, the true one makes the text likeliest; chance ${decimal(1 / identified.k)}.`;
  const heads = columns.map((measure) => `<th scope="col">${escapeHtml(systemHeads[measure])}</th>`);
  return `<p class="facts">Negative log-likelihood (NLL) in nats per response token, lower is better.${identification}</p>
<div class="scroll"><table class="systems" aria-label="Systems">
<thead><tr><th scope="col" class="text">system</th>${heads.join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>`;
}

function chartsHtml(evaluation: Evaluation, series: ReadonlyMap<string, number>): string {
  const { systems, historyEffects = [], effectAuc = [] } = evaluation;
  const row = (system: string, estimate: Estimate) => ({
    label: system,
    estimate,
    series: series.get(system) ?? 0,
  });
  const nll: IntervalGroup[] = (['nllWithHistory', 'nllWithoutHistory', 'nllOtherHistory'] as const).map(
    (measure) => ({
      label: measureDescriptions[measure].label,
      rows: systems.map((system) => row(system.name, system[measure])),
    }),
  );
  const effects: IntervalGroup[] = [
    { label: 'A: own history against none', rows: historyEffects.map((e) => row(e.system, e.total)) },
    {
      label: 'B: other users’ histories against none',
      rows: historyEffects.map((e) => row(e.system, e.generic)),
    },
    { label: 'C: own against other users’', rows: historyEffects.map((e) => row(e.system, e.userSpecific)) },
  ];
  const identified = systems.flatMap(({ name, authorIdentification: found }) =>
    found ? [{ name, found }] : [],
  );
  const k = identified[0]?.found.k;
  return [
    figure('Held-out negative log-likelihood; further left is better.', (width) =>
      intervalChart({
        title: 'Held-out negative log-likelihood by system',
        xLabel: 'nats a token',
        groups: nll,
        width,
      }),
    ),
    historyEffects.length === 0
      ? ''
      : figure(
          'What histories change, paired by user; right of 0 the history helps. C is the honest personalisation; others’ histories show as many items as the user’s own, or fewer where no near user has as many that fit.',
          (width) =>
            intervalChart({
              title: 'Effects of histories by system',
              xLabel: 'nats a token',
              groups: effects,
              reference: { value: 0, label: 'no effect' },
              width,
            }),
        ),
    k === undefined
      ? ''
      : figure('How often the true user’s history makes the text likeliest.', (width) =>
          intervalChart({
            title: 'Author identification by system',
            xLabel: 'share of texts',
            groups: [
              {
                label: `Author identified among ${k}`,
                rows: identified.map(({ name, found }) => row(name, found)),
              },
            ],
            reference: { value: 1 / k, label: 'chance' },
            width,
          }),
        ),
    effectAuc.length === 0
      ? ''
      : figure('How well the log ratio ranks tokens that the user caused above the others.', (width) =>
          intervalChart({
            title: 'AUC of effects against known causes',
            xLabel: 'AUC',
            groups: [{ label: 'Effects against known causes', rows: effectAuc.map((e) => row(e.system, e)) }],
            reference: { value: 0.5, label: 'chance' },
            width,
          }),
        ),
  ].join('\n');
}

function differencesHtml({ differences = [] }: Evaluation): string {
  if (differences.length === 0) return '';
  const rows = differences.map(({ system, baseline, measure, estimate, pValue }) => {
    const { label, unit, better } = measureDescriptions[measure];
    return `<tr><th scope="row">${textHtml(system)} − ${textHtml(baseline)}</th><td class="text">${escapeHtml(label)} <span class="interval">${unit}, ${better} is better</span></td>${estimateCell(estimate, signed)}<td>${escapeHtml(pValueText(pValue).replace(/^p (= )?/, ''))}</td></tr>`;
  });
  return `<h3>Differences, paired by user</h3>
<p class="facts">p: paired permutation test by user, two-sided, not corrected for the number of comparisons.</p><div class="scroll"><table class="systems">
<thead><tr><th scope="col" class="text">systems</th><th scope="col" class="text">measure</th><th scope="col">difference</th><th scope="col">p</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>`;
}

function lossHtml(curves: readonly LossCurve[], series: ReadonlyMap<string, number>): string {
  const drawn = curves.filter((curve) => curve.steps.length > 0);
  if (drawn.length === 0) return '';
  // lineChart gives series i the colour i: empty series keep the colours of the other charts.
  const lines = [...series.keys()].map((system) => ({
    label: system,
    points:
      drawn.find((curve) => curve.system === system)?.steps.map(({ step, loss }) => ({ x: step, y: loss })) ??
      [],
  }));
  const chart = (width: number) =>
    lineChart({ title: 'Training loss', xLabel: 'step', yLabel: 'loss, nats', series: lines, width });
  return `<section><h2>Training</h2>
${figure('Loss of each step, faint, and its running mean. Objectives weigh tokens differently and some add a term, so levels compare within a system, not between systems.', chart)}</section>`;
}
