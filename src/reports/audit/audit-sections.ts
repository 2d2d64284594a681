/** @file The sections of an audit's report: effects, users, domains, dose, and where in the texts; each picture with its table. */

import { decimal, signed } from '../../base/number-format.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import { FEWEST_FOR_INTERVAL } from '../../base/statistics/estimate.ts';
import type { AuditResult, GroupEffects } from '../../method/audit/results.ts';
import { EFFECT_SERIES } from '../charts/frame.ts';
import { intervalChart } from '../charts/interval-chart.ts';
import { intervalCurve } from '../charts/interval-curve.ts';
import { rankChart } from '../charts/rank-chart.ts';
import { type Html, type HtmlPart, html } from '../text/html.ts';
import { textHtml } from '../text/html-page.ts';
import { estimateCell, figure, fold, foldedSection, scrollTable } from '../text/html-parts.ts';
import { count } from '../text/lists.ts';
import { tokenLabel, visibleText } from '../text/visible-text.ts';
import { likelier } from './audit-words.ts';

/** Users with the largest and with the smallest C that are drawn, of each. */
const ENDS = 6;

/** Rows of a table that are there at once; the rest is in a fold. */
const ROWS = 12;

/** Decimals of every effect on the page, so that numbers line up: a thousandth of a nat is 0.1%. */
const DIGITS = 3;

/** A, B and C, each with its meaning. */
const named = [
  ['total', 'A', 'own history', 'the user’s own history against none'],
  ['generic', 'B', 'another’s', 'another user’s history against none: what any history does'],
  [
    'userSpecific',
    'C',
    'own − other',
    'A − B, the user’s own history against another’s: the honest personalisation',
  ],
] as const;

/** A, B and C in one picture. */
export function effectsChart({ effects }: AuditResult): Html {
  const rows = named.map(([name, letter, label]) => ({
    label: `${letter} ${label}`,
    estimate: effects[name],
    series: EFFECT_SERIES[name],
  }));
  return figure(
    'What a history changes for each token, with 95% intervals by user. Right of 0 the text gets likelier; 0.1 nats are 11%.',
    (width) =>
      intervalChart({
        title: 'Effects of the history',
        xLabel: 'nats a token',
        groups: [{ rows }],
        reference: { value: 0, label: 'no effect' },
        digits: DIGITS,
        width,
      }),
  );
}

/** A, B and C in numbers. */
export function effectsTable({ effects }: AuditResult): Html {
  const cells = named.map(
    ([name, letter, label]) =>
      html`<tr><th scope="row"><b>${letter}</b> ${label}</th>${effectCell(effects[name])}<td>${likelier(effects[name].value)}</td></tr>`,
  );
  return html`${scrollTable('Effects of the history', ['effect', 'nats a token', 'a token is'], cells)}
<dl class="defined">${named.map(([, letter, , meaning]) => html`<dt>${letter}</dt><dd>${meaning}</dd>`)}</dl>`;
}

/** Who gains: all users in one picture, those at the ends by name, all in a table. */
export function usersHtml({ byUser, users, effects }: AuditResult): Html {
  const few = byUser.filter(({ texts }) => texts < FEWEST_FOR_INTERVAL).length;
  const who = few === users ? 'All are' : `${count(few, 'user')} of ${users} ${few === 1 ? 'is' : 'are'}`;
  const marked =
    few === 0
      ? 'The interval of a user is over the user’s texts.'
      : `${who} judged by fewer than ${FEWEST_FOR_INTERVAL} texts, their number in brackets: single examples, too few for an interval, say little about a user.`;
  const ends = [byUser.slice(0, ENDS), byUser.slice(Math.max(ENDS, byUser.length - ENDS))] as const;
  const rows = (groups: readonly GroupEffects[], width: number) =>
    groups.map((group) => ({
      label: `${short(group.name, width)}${group.texts < FEWEST_FOR_INTERVAL ? ` (${group.texts})` : ''}`,
      estimate: group.userSpecific,
      series: EFFECT_SERIES.userSpecific,
    }));
  return foldedSection(
    'For whom',
    html`<p>C of every user, largest first: what the user’s own history does beyond another user’s. ${marked}</p>
${
  byUser.length >= 3 &&
  figure(
    'Each dot is a user; whiskers are 95% intervals over the user’s texts, where there are enough.',
    (width) =>
      rankChart({
        title: 'C by user',
        xLabel: `${count(users, 'user')}, largest C first`,
        yLabel: 'C, nats a token',
        entries: byUser.map(({ name, userSpecific }) => ({ label: name, estimate: userSpecific })),
        mean: effects.userSpecific.value,
        width,
      }),
  )
}
${figure('Users at the two ends.', (width) =>
  intervalChart({
    title: 'Users with the largest and the smallest C',
    xLabel: 'C, nats a token',
    groups: [
      { label: 'Largest C', rows: rows(ends[0], width) },
      ...(ends[1].length === 0 ? [] : [{ label: 'Smallest C', rows: rows(ends[1], width) }]),
    ],
    reference: { value: 0, label: 'no effect' },
    digits: DIGITS,
    width,
  }),
)}
${fold(`All ${count(users, 'user')} as a table`, groupTable('user', byUser))}`,
  );
}

/** By domain; nothing where there are fewer than two. */
export function domainsHtml({ byDomain }: AuditResult): HtmlPart {
  if (byDomain.length < 2) return undefined;
  const drawn = byDomain.slice(0, 2 * ROWS);
  return foldedSection(
    'By domain',
    html`${figure(
      'C, own history against another user’s, by the domain of the text; no interval where there are too few users.',
      (width) =>
        intervalChart({
          title: 'C by domain',
          xLabel: 'C, nats a token',
          groups: [
            {
              rows: drawn.map(({ name, userSpecific }) => ({
                label: short(name, width),
                estimate: userSpecific,
                series: EFFECT_SERIES.userSpecific,
              })),
            },
          ],
          reference: { value: 0, label: 'no effect' },
          digits: DIGITS,
          width,
        }),
    )}
${fold(`All ${count(byDomain.length, 'domain')} as a table`, groupTable('domain', byDomain))}`,
  );
}

/** What more items add. */
export function doseHtml({ dose, texts }: AuditResult): Html {
  const rows = dose.map(({ items, effect, added, texts: many }) => {
    const more = added === undefined ? html`<td>–</td>` : effectCell(added);
    return html`<tr><th scope="row">${items}</th>${effectCell(effect)}${more}<td>${many}</td></tr>`;
  });
  return foldedSection(
    'How many items it takes',
    html`<p>A with only the latest items of the history. All ${count(texts, 'text')} are in every point; a text with fewer items counts with all it has.</p>
${figure('Effect of the latest items against none, with 95% intervals by user.', (width) =>
  intervalCurve({
    title: 'Effect by number of items',
    xLabel: 'latest items shown',
    yLabel: 'A, nats a token',
    points: dose.map(({ items, effect }) => ({ x: items, estimate: effect })),
    series: EFFECT_SERIES.total,
    width,
  }),
)}
${scrollTable('Effect by number of items', ['items', 'A', 'added', 'texts with so many'], rows)}`,
  );
}

/** Early or late, and in how many tokens. */
export function whereHtml({ where: { thirds, personal } }: AuditResult): Html {
  const share = (estimate: Estimate | undefined) =>
    estimate &&
    estimateCell(percentages(estimate), (value, digits) => `${decimal(value, Math.min(digits ?? 1, 1))}%`);
  const extra =
    personal === undefined || personal.share.value === 0
      ? []
      : [{ head: 'tokens found', cell: (i: number) => share(thirds[i]!.personalShare) }];
  const rows = (effect: 'total' | 'userSpecific') =>
    thirds.map((third) => ({
      label: third.name,
      estimate: third[effect],
      series: EFFECT_SERIES[effect],
    }));
  return foldedSection(
    'Where in the text',
    html`${figure('A and C by the place of a token in its text.', (width) =>
      intervalChart({
        title: 'Effects by third of the text',
        xLabel: 'nats a token',
        groups: [
          { label: 'A, own history against none', rows: rows('total') },
          { label: 'C, own history against another’s', rows: rows('userSpecific') },
        ],
        reference: { value: 0, label: 'no effect' },
        digits: DIGITS,
        width,
      }),
    )}
${groupTable('part', thirds, extra)}
${personal && tokensHtml(personal)}`,
  );
}

/** Why a clear C may show in no single token; measured on the simulator (docs/log.md). */
const nothingFound =
  'This does not speak against C, which is a mean over many tokens. Users share most of their words: where another user signs off the same way, that user’s history makes the words as much likelier. A token is found only where this is rarer than the rate of false discoveries allows.';

function tokensHtml(personal: NonNullable<AuditResult['where']['personal']>): Html {
  const { share, tokens, level, nullSize, strongest } = personal;
  const percent = percentages(share);
  const rows = strongest.map(
    ({ token, userSpecific, user, adjusted }) =>
      html`<tr><th scope="row"><bdi>${tokenLabel(token)}</bdi></th><td>${signed(userSpecific)}</td><td>${adjusted < 0.001 ? '< 0.001' : decimal(adjusted, 3)}</td><td><bdi>${short(user, 480)}</bdi></td></tr>`,
  );
  const found = strongest.length === 0 ? 'No token is' : `${decimal(percent.value, 1)}% of the tokens are`;
  return html`<h3>Tokens that are the user’s own</h3>
<p>${found} made likelier by the user’s own history by more than other users’ histories differ among themselves.</p>
<p class="facts">${count(tokens, 'token')} tested against ${count(nullSize, 'difference')} between other users’ histories, with at most ${decimal(100 * level, 0)}% false discoveries (Benjamini–Hochberg).</p>
${
  strongest.length === 0
    ? html`<p>${nothingFound}</p>`
    : fold(
        `The ${count(strongest.length, 'strongest token')}`,
        scrollTable('Strongest tokens', ['token', 'C, nats', 'false discovery rate', 'user'], rows),
      )
}`;
}

interface ExtraColumn {
  readonly head: string;
  readonly cell: (row: number) => HtmlPart;
}

function groupTable(kind: string, groups: readonly GroupEffects[], extra: readonly ExtraColumn[] = []): Html {
  const rows = groups.map((group, i) => {
    const effects = [group.total, group.generic, group.userSpecific].map(effectCell);
    const more = extra.map((column) => column.cell(i));
    return html`<tr><th scope="row"><bdi>${textHtml(group.name)}</bdi></th>${effects}<td>${group.texts}</td>${more}</tr>`;
  });
  const heads = ['A', 'B', 'C', 'texts', ...extra.map(({ head }) => head)];
  return scrollTable(`Effects by ${kind}`, [kind, ...heads], rows);
}

const effectCell = (estimate: Estimate) => estimateCell(estimate, signed, DIGITS);

const percentages = ({ value, low, high }: Estimate) => ({
  value: 100 * value,
  low: 100 * low,
  high: 100 * high,
});

/** A name that fits beside a chart. */
function short(name: string, width: number): string {
  const most = width < 480 ? 10 : 26;
  const characters = [...visibleText(name)];
  return characters.length <= most ? characters.join('') : `${characters.slice(0, most - 1).join('')}…`;
}
