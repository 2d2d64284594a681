/** @file The report of a training run: what became of text with and without the history, the loss, and the settings. */
import { signed } from '../../base/number-format.ts';
import type { Change, ColdStart } from '../../method/evaluation/cold-start.ts';
import type { Manifest } from '../../method/runs/manifest.ts';
import { EFFECT_SERIES } from '../charts/frame.ts';
import { intervalChart } from '../charts/interval-chart.ts';
import { lineChart } from '../charts/line-chart.ts';
import { pageStyle } from '../heat-map/style.ts';
import { type Html, html } from '../text/html.ts';
import { htmlPage } from '../text/html-page.ts';
import {
  answerHtml,
  estimateCell,
  figure,
  findingsHtml,
  foldedSection,
  provenanceHtml,
  scrollTable,
} from '../text/html-parts.ts';
import { count } from '../text/lists.ts';
import { remedyText } from '../text/notice-text.ts';
import { reportStyle } from '../text/report-style.ts';
import { runProvenance } from './run-provenance.ts';
import { guardText, keptText, runAnswer, runFindings, runWarnings } from './run-words.ts';

/** Everything that the report shows. */
export interface RunReport {
  readonly manifest: Manifest;
  readonly steps: readonly {
    readonly step: number;
    readonly loss: number;
    readonly validationLoss?: number;
  }[];
  /** Absent where no text could be scored. */
  readonly coldStart?: ColdStart | undefined;
}

/** The whole report as an HTML document that loads nothing and holds no text of a user. */
export function renderRunReport({ manifest, steps, coldStart }: RunReport): string {
  const { recipe, step = 0, data, summary } = manifest;
  const kept = summary?.best && `, weights of step ${summary.best.step}`;
  const question = 'What did training change?';
  const body = html`<main>
${answerHtml({
  question,
  facts: `Training by ${recipe.objectiveRequested} · ${count(step, 'step')}${kept ?? ''} on ${count(data.examples.length, 'example')} · seed ${recipe.seed}`,
  ...runAnswer(coldStart),
  warnings: runWarnings(coldStart),
  picture: coldStart && changesChart(coldStart),
  table: coldStart && changesTable(coldStart),
})}
${coldStart && foldedSection('What else changed', html`${findingsHtml(runFindings(coldStart))}${coldStart.isWorseWithoutHistory && html`<p class="facts">${remedyText(coldStart.remedies)}</p>`}`, { open: true })}
${steps.length > 0 && foldedSection('Loss', lossHtml(manifest, steps))}
${foldedSection('What this does not say', html`<p>Whether the model personalises better than before: run nextquill evaluate on users that were not trained on.</p>`)}
${provenanceHtml(runProvenance(manifest), 'This file holds no text of a user.')}
</main>`;
  return htmlPage({ title: question, style: pageStyle + reportStyle, script: '', body });
}

/** The rows of picture and table. */
function changesOf(cold: ColdStart): (readonly [label: string, change: Change, series: number])[] {
  const { nllWithHistory, nllWithoutHistory, total, userSpecific } = cold;
  return [
    ['NLL with history', nllWithHistory, 3],
    ['NLL without history', nllWithoutHistory, 4],
    ...(total ? [['A own history', total, EFFECT_SERIES.total] as const] : []),
    ...(userSpecific ? [['C own − other', userSpecific, EFFECT_SERIES.userSpecific] as const] : []),
  ];
}

function changesChart(cold: ColdStart): Html {
  return figure(
    'What training changed, after minus before, with 95% intervals by user. NLL: left of 0 the text became likelier. A and C: right of 0 the effect grew.',
    (width) =>
      intervalChart({
        title: 'Change by training',
        xLabel: 'nats a token',
        groups: [
          {
            rows: changesOf(cold).map(([label, { change }, series]) => ({ label, estimate: change, series })),
          },
        ],
        reference: { value: 0, label: 'no change' },
        digits: 3,
        width,
      }),
  );
}

function changesTable(cold: ColdStart): Html {
  const rows = changesOf(cold).map(
    ([label, { before, after, change }]) =>
      html`<tr><th scope="row">${label}</th><td>${before.value.toFixed(3)}</td><td>${after.value.toFixed(3)}</td>${estimateCell(change, signed, 3)}</tr>`,
  );
  return html`${scrollTable('Before training and after', ['nats a token', 'before', 'after', 'change'], rows)}
<p class="facts">${guardText(cold)}</p>`;
}

function lossHtml({ recipe, validation, summary }: Manifest, steps: RunReport['steps']): Html {
  const trained = steps.map(({ step, loss }) => ({ x: step, y: loss }));
  const heldOut = steps.flatMap(({ step, validationLoss }) =>
    validationLoss === undefined ? [] : [{ x: step, y: validationLoss }],
  );
  const about =
    heldOut.length > 0 && validation !== undefined
      ? ` Held-out: negative log-likelihood of ${count(validation.examples.length, 'validation example')} given the history, the same at every point; it turns up where the model overfits. The training loss is the objective’s, so the two compare in direction only.`
      : '';
  return figure(
    `Loss of each step, faint, and its running mean. Every step is another batch, so single steps do not compare.${about}${summary === undefined ? '' : keptText(summary, recipe.patience)}`,
    (width) =>
      lineChart({
        title: 'Loss',
        xLabel: 'step',
        yLabel: 'loss, nats',
        series: [
          { label: recipe.objective, series: 3, points: trained },
          ...(heldOut.length > 0 ? [{ label: 'held-out', series: 4, points: heldOut }] : []),
        ],
        width,
      }),
  );
}
