/** @file A refutation as one HTML file: the verdict first, then every test with its interval, and how it was made. */
import { FEWEST_FOR_INTERVAL } from '../../base/statistics/estimate.ts';
import type { Leaves } from '../../method/refutation/refutation-test.ts';
import type { Refutation, RefutationResult } from '../../method/refutation/results.ts';
import { type IntervalGroup, intervalChart } from '../charts/interval-chart.ts';
import { pageStyle } from '../heat-map/style.ts';
import { htmlPage, textHtml } from '../text/html-page.ts';
import { count, estimateCell, figure } from '../text/html-parts.ts';
import { reportStyle } from '../text/report-style.ts';
import { refutationSummary } from './refutation-summary.ts';

/** Names and values of what is needed to repeat the refutation, in order. */
export type Provenance = readonly (readonly [name: string, value: string])[];

/** The whole report as an HTML document that loads nothing and holds no text of a user. */
export function renderRefutationHtml(refutation: Refutation, provenance: Provenance): string {
  const { examples, users, withoutHistory, tests } = refutation;
  const title = 'Does the effect of the histories hold?';
  const left =
    withoutHistory === 0 ? '' : ` ${count(withoutHistory, 'text')} without a history that fits left out.`;
  const body = `<main>
<header>
<h1>${title}</h1>
<p class="facts">${count(examples, 'text')} of ${count(users, 'user')}; means over users, 95% intervals by user, nats a response token.${left}</p>
<p class="lead">${textHtml(refutationSummary(refutation))}</p>
</header>
<section><h2>What was tried</h2>
<p>Each test changes something of which it is known what must become of the user-specific effect C, the gain of the user’s own history over other users’. A test passes or fails where the whole 95% interval lies where it should or should not; otherwise, or with fewer than ${FEWEST_FOR_INTERVAL} users, it cannot tell. The own history fails where C is not shown to be above 0 and lies below half of what histories of two other users are apart.</p>
<ul class="findings refutation">${tests.map(testHtml).join('\n')}</ul></section>
<section><h2>The numbers</h2>
${figure('The effect under every control, nats a token. A is the own history against none, C against other users’; every history shows as many items of a text, so that C is not due to their number.', (width) => chart(refutation, width))}
<div class="scroll"><table class="systems" aria-label="Tests">
<thead><tr><th scope="col" class="text">test</th><th scope="col">effect, nats a token</th><th scope="col">share of C left</th><th scope="col">texts</th><th scope="col" class="text">verdict</th></tr></thead>
<tbody>${tests.map(rowHtml).join('\n')}</tbody></table></div></section>
<section><h2>How this was made</h2>
<div class="scroll"><table class="provenance"><tbody>
${provenance.map(([name, value]) => `<tr><th scope="row">${textHtml(name)}</th><td>${textHtml(value)}</td></tr>`).join('\n')}
</tbody></table></div>
<p class="private">This file holds no text of a user.</p></section>
</main>`;
  return htmlPage({ title, style: pageStyle + reportStyle + refutationStyle, script: '', body });
}

function testHtml({ title, what, expected, verdict, why }: RefutationResult): string {
  return `<li class="${verdict.replace(' ', '-')}"><strong>${textHtml(title)}</strong> ${textHtml(verdict)}. ${textHtml(what)} ${textHtml(expected)} <span class="why">${textHtml(why)}</span></li>`;
}

function rowHtml({ title, effect, kept, examples, verdict }: RefutationResult): string {
  return `<tr><th scope="row">${textHtml(title)}</th>${estimateCell(effect)}${estimateCell(kept)}<td>${examples}</td><td class="text">${textHtml(verdict)}</td></tr>`;
}

/** Tests whose effects stand on one scale, by what must be left; shifted labels are of another size. */
function chart({ total, userSpecific, tests }: Refutation, width: number): string {
  const groupOf = (leaves: Leaves, label: string, series: number): IntervalGroup => ({
    label,
    rows: tests.flatMap((test) =>
      test.leaves === leaves && test.effect !== undefined
        ? [{ label: test.title, estimate: test.effect, series }]
        : [],
    ),
  });
  const groups: IntervalGroup[] = [
    {
      label: 'The effect itself',
      rows: [
        { label: 'A, total', estimate: total, series: 0 },
        { label: 'C, user-specific', estimate: userSpecific, series: 1 },
      ],
    },
    groupOf('all', 'C should stay', 1),
    groupOf('part', 'C should be smaller', 3),
    groupOf('nothing', 'Nothing should be left of C', 2),
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
.refutation .why{display:block;color:var(--soft);font-size:.875rem}
.findings.refutation li::before{content:"○";color:var(--soft)}
.findings.refutation li.passes::before{content:"●";color:var(--s3)}
.findings.refutation li.fails::before{content:"▲";color:var(--s2)}
`;
