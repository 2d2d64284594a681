/** @file A refutation as one HTML file: the verdict first, then every test with its interval, and how it was made. */
import { FEWEST_FOR_INTERVAL } from '../../base/statistics/estimate.ts';
import { refutationFinding } from '../../method/refutation/outcome.ts';
import type { Leaves } from '../../method/refutation/refutation-test.ts';
import type { Refutation, RefutationResult } from '../../method/refutation/results.ts';
import { EFFECT_SERIES } from '../charts/frame.ts';
import { type IntervalGroup, intervalChart } from '../charts/interval-chart.ts';
import { pageStyle } from '../heat-map/style.ts';
import { type Html, html } from '../text/html.ts';
import { htmlPage } from '../text/html-page.ts';
import {
  answerHtml,
  estimateCell,
  figure,
  foldedSection,
  type Provenance,
  provenanceHtml,
  scrollTable,
} from '../text/html-parts.ts';
import { leftOutTexts } from '../text/left-out-text.ts';
import { count } from '../text/lists.ts';
import { reportStyle } from '../text/report-style.ts';
import { refutationSummary } from './refutation-summary.ts';
import { expectationText, reasonText, testWords } from './test-words.ts';

/** The whole report as an HTML document that loads nothing and holds no text of a user. */
export function renderRefutationHtml(refutation: Refutation, provenance: Provenance): string {
  const { examples, users, leftOut, maxTokens, tests } = refutation;
  const question = 'Does the effect of the histories hold?';
  const body = html`<main>
${answerHtml({
  question,
  facts: `${count(examples, 'text')} of ${count(users, 'user')} · means over users, 95% intervals by user`,
  kind: refutationFinding(refutation).kind,
  sentence: refutationSummary(refutation),
  warnings: leftOutTexts(leftOut, maxTokens, { names: false }),
  picture: figure(
    'The effect under every control, nats a token: A, own history against none; C, own history against another user’s, under each test.',
    (width) => chart(refutation, width),
  ),
  table: scrollTable(
    'Tests',
    ['test', { label: 'expected', isText: true }, 'share of C left', { label: 'verdict', isText: true }],
    tests.map(rowHtml),
  ),
})}
${foldedSection(
  'What each test does, and what came of it',
  html`<p>Each test makes a change whose result is known beforehand for a real user-specific effect C. It passes or fails where the whole 95% interval lies where it should or should not. Otherwise, or with fewer than ${FEWEST_FOR_INTERVAL} users, it cannot tell.</p>
<dl class="tests">${tests.map(testHtml)}</dl>
${scrollTable(
  'Effects',
  ['test', 'effect, nats a token', 'share of C left', 'users', 'texts'],
  tests.map(
    ({ name, effect, kept, users: ofTest, examples: texts }) =>
      html`<tr><th scope="row">${testWords(name).title}</th>${estimateCell(effect)}${estimateCell(kept)}<td>${ofTest}</td><td>${texts}</td></tr>`,
  ),
)}`,
)}
${provenanceHtml(provenance, 'This file holds no text of a user.')}
</main>`;
  return htmlPage({
    title: question,
    style: pageStyle + reportStyle + refutationStyle,
    script: '',
    body,
  });
}

const verdictHtml = (verdict: RefutationResult['verdict']) =>
  html`<span class="verdict ${verdict.replace(' ', '-')}">${verdict}</span>`;

function testHtml(test: RefutationResult): Html {
  const { title, what, expected } = testWords(test.name);
  return html`<dt>${title} ${verdictHtml(test.verdict)}</dt><dd>${what} <b>Expected:</b> ${expected} <b>Found:</b> ${reasonText(test)}</dd>\n`;
}

function rowHtml({ name, leaves, kept, verdict }: RefutationResult): Html {
  return html`<tr><th scope="row">${testWords(name).title}</th><td class="text">${expectationText(leaves)}</td>${estimateCell(kept)}<td class="text">${verdictHtml(verdict)}</td></tr>`;
}

/** Tests whose effects stand on one scale, by what must be left; shifted labels are of another size. */
function chart({ total, userSpecific, tests }: Refutation, width: number): Html {
  const groupOf = (leaves: Leaves, label: string): IntervalGroup => ({
    label,
    rows: tests.flatMap((test) =>
      test.leaves === leaves && test.effect !== undefined
        ? [{ label: testWords(test.name).title, estimate: test.effect, series: EFFECT_SERIES.userSpecific }]
        : [],
    ),
  });
  const groups: IntervalGroup[] = [
    {
      rows: [
        { label: 'A own history', estimate: total, series: EFFECT_SERIES.total },
        { label: 'C own − other', estimate: userSpecific, series: EFFECT_SERIES.userSpecific },
      ],
    },
    groupOf('all', 'C should stay'),
    groupOf('part', 'C should be smaller'),
    groupOf('nothing', 'Nothing should be left of C'),
  ];
  return intervalChart({
    title: 'The effect under every control',
    xLabel: 'nats a token',
    groups: groups.filter(({ rows }) => rows.length > 0),
    reference: { value: 0, label: 'no effect' },
    width,
  });
}

const refutationStyle = `
.tests dt{font-weight:600;margin-top:.9rem}
.tests dd{margin:.15rem 0 0;max-width:44rem}
.tests dd b{font-weight:600}
.verdict{white-space:nowrap}
.verdict::before{content:"○ ";color:var(--soft)}
.verdict.passes::before{content:"● ";color:var(--s3)}
.verdict.fails{font-weight:600}
.verdict.fails::before{content:"▲ ";color:var(--s2)}
`;
