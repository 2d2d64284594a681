/** @file A benchmark as one page: for every model and set of users the answer, the losses as a chart, and the tables. */
import type { BenchmarkBoard, BenchmarkResult } from '../../method/benchmark/results.ts';
import { intervalChart } from '../charts/interval-chart.ts';
import { pageStyle } from '../heat-map/style.ts';
import { type Html, html } from '../text/html.ts';
import { htmlPage } from '../text/html-page.ts';
import {
  answerHtml,
  figure,
  foldedSection,
  type Provenance,
  provenanceHtml,
  scrollTable,
} from '../text/html-parts.ts';
import { reportStyle } from '../text/report-style.ts';
import { benchmarkAnswer } from './benchmark-answer.ts';
import { boardFacts } from './benchmark-markdown.ts';
import { benchmarkTables, type TextTable } from './benchmark-tables.ts';

/** Names of systems stand on one line. */
const tableStyle = 'table.groups th[scope="row"]{white-space:nowrap}';

/** A page that loads nothing and holds no text of a user. */
export function renderBenchmarkHtml({ boards }: BenchmarkResult, provenance: Provenance): string {
  return htmlPage({
    title: 'Which system personalises?',
    style: `${pageStyle}${reportStyle}${tableStyle}`,
    script: '',
    body: html`<main>
${boards.map(boardHtml)}
${provenanceHtml(provenance, 'This file holds no text of a user. The folder beside it does: cells/ holds generated texts, runs/ weights that have learnt from users’ texts.')}
</main>`,
  });
}

function boardHtml(board: BenchmarkBoard): Html {
  const { rows, baseline } = board.leaderboard;
  const [likelihood, differences, ...rest] = benchmarkTables(board) as [TextTable, TextTable, ...TextTable[]];
  const reference = rows.find(({ system }) => system === baseline);
  return html`${answerHtml({
    question: `Which system personalises ${board.model} on ${board.data}?`,
    facts: boardFacts(board),
    ...benchmarkAnswer(board),
    picture: figure(
      'Loss on held-out texts as each system is used, nats a token; less is better. Bars are 95% intervals by user.',
      (width) =>
        intervalChart({
          title: 'Loss by system',
          xLabel: 'nats a token',
          groups: [
            {
              rows: rows.map(({ system, means }) => ({
                label: system,
                estimate: means.nllWithHistory,
                series: system === baseline ? 1 : 0,
              })),
            },
          ],
          ...(reference && {
            reference: { value: reference.means.nllWithHistory.value, label: baseline },
          }),
          digits: 3,
          width,
        }),
    ),
    table: tableHtml(differences),
  })}
${[likelihood, ...rest].map((table) => foldedSection(table.heading, tableHtml(table)))}`;
}

const tableHtml = ({ title, head, rows }: TextTable): Html =>
  html`<p>${title}.</p>${scrollTable(
    title,
    head,
    rows.map(
      ([name, ...cells]) =>
        html`<tr><th scope="row">${name}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`,
    ),
  )}`;
