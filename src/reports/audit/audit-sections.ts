/** @file The sections of an audit's report: effects, users, domains, dose, and where in the texts; each picture with its table. */

import { decimal, signed } from '../../base/number-format.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import { FEWEST_FOR_INTERVAL } from '../../base/statistics/estimate.ts';
import type { AuditResult, GroupEffects } from '../../method/audit/results.ts';
import { intervalChart } from '../charts/interval-chart.ts';
import { intervalCurve } from '../charts/interval-curve.ts';
import { rankChart } from '../charts/rank-chart.ts';
import { textHtml } from '../text/html-page.ts';
import { count, estimateCell, figure, scrollTable } from '../text/html-parts.ts';
import { tokenLabel, visibleText } from '../text/visible-text.ts';
import { percentOf } from './answer.ts';

/** Users with the largest and with the smallest C that are drawn, of each. */
const ENDS = 6;

/** Rows of a table that are there at once; the rest is in a fold. */
const ROWS = 12;

/** Colours of A, B and C on the whole page. */
const SERIES = { total: 1, generic: 0, userSpecific: 2 } as const;

/** Decimals of every effect on the page, so that numbers line up: a thousandth of a nat is 0.1%. */
const DIGITS = 3;

/** A, B and C side by side. */
export function effectsHtml({ effects: { total, generic, userSpecific } }: AuditResult): string {
  const named = [
    ['A', 'own history', 'the user’s own history against none', total, SERIES.total],
    ['B', 'another’s', 'another user’s history against none: what any history does', generic, SERIES.generic],
    [
      'C',
      'own − other',
      'A − B, the user’s own history against another’s: the honest personalisation',
      userSpecific,
      SERIES.userSpecific,
    ],
  ] as const;
  const rows = named.map(([letter, label, , estimate, series]) => ({
    label: `${letter} ${label}`,
    estimate,
    series,
  }));
  const cells = named.map(([letter, label, , estimate]) => {
    const change = `${percentOf(estimate.value)} ${estimate.value < 0 ? 'less likely' : 'likelier'}`;
    return `<tr><th scope="row"><b>${letter}</b> ${label}</th>${effectCell(estimate)}<td>${change}</td></tr>`;
  });
  const meanings = named.map(([letter, , meaning]) => `<dt>${letter}</dt><dd>${meaning}</dd>`);
  return `<section><h2>How much</h2>
<p>How much likelier the model finds what a user really wrote, with the user’s history and with somebody else’s.</p>
${figure('Means over users with 95% intervals; right of 0 the history helps.', (width) =>
  intervalChart({
    title: 'Effects of the history',
    xLabel: 'nats a token; 0.1 is 11% likelier',
    groups: [{ label: 'Effect of the history', rows }],
    reference: { value: 0, label: 'no effect' },
    digits: DIGITS,
    width,
  }),
)}
${scrollTable('Effects of the history', ['effect', 'nats a token', 'a token is'], cells)}
<dl class="defined">${meanings.join('')}</dl></section>`;
}

/** Who gains: all users in one picture, those at the ends by name, all in a table. */
export function usersHtml({ byUser, users, effects }: AuditResult): string {
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
      series: SERIES.userSpecific,
    }));
  return `<section><h2>For whom</h2>
<p>C of every user, largest first: what the user’s own history does beyond another user’s. ${marked}</p>
${
  byUser.length < 3
    ? ''
    : figure(
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
${fold(`All ${count(users, 'user')} as a table`, groupTable('user', byUser))}</section>`;
}

/** By domain; nothing where there are fewer than two. */
export function domainsHtml({ byDomain }: AuditResult): string {
  if (byDomain.length < 2) return '';
  const drawn = byDomain.slice(0, 2 * ROWS);
  return `<section><h2>By domain</h2>
${figure(
  'Own history against another user’s, by the domain of the text; no interval where there are too few users.',
  (width) =>
    intervalChart({
      title: 'C by domain',
      xLabel: 'C, nats a token',
      groups: [
        {
          label: 'C, own history against another’s',
          rows: drawn.map(({ name, userSpecific }) => ({
            label: short(name, width),
            estimate: userSpecific,
            series: SERIES.userSpecific,
          })),
        },
      ],
      reference: { value: 0, label: 'no effect' },
      digits: DIGITS,
      width,
    }),
)}
${fold(`All ${count(byDomain.length, 'domain')} as a table`, groupTable('domain', byDomain))}</section>`;
}

/** What more items add. */
export function doseHtml({ dose, texts }: AuditResult): string {
  const rows = dose.map(({ items, effect, added, texts: many }) => {
    const more = added === undefined ? '<td>–</td>' : effectCell(added);
    return `<tr><th scope="row">${items}</th>${effectCell(effect)}${more}<td>${many}</td></tr>`;
  });
  return `<section><h2>How many items it takes</h2>
<p>A with only the latest items of the history. All ${count(texts, 'text')} are in every point; a text with fewer items counts with all it has.</p>
${figure('Effect of the latest items against none, with 95% intervals by user.', (width) =>
  intervalCurve({
    title: 'Effect by number of items',
    xLabel: 'latest items shown',
    yLabel: 'A, nats a token',
    points: dose.map(({ items, effect }) => ({ x: items, estimate: effect })),
    series: SERIES.total,
    width,
  }),
)}
${scrollTable('Effect by number of items', ['items', 'A', 'added', 'texts with so many'], rows)}</section>`;
}

/** Early or late, and in how many tokens. */
export function whereHtml({ where: { thirds, personal } }: AuditResult): string {
  const share = (estimate: Estimate | undefined) =>
    estimate === undefined
      ? ''
      : estimateCell(
          percentages(estimate),
          (value, digits) => `${decimal(value, Math.min(digits ?? 1, 1))}%`,
        );
  const extra =
    personal === undefined || personal.share.value === 0
      ? []
      : [{ head: 'tokens found', cell: (i: number) => share(thirds[i]!.personalShare) }];
  return `<section><h2>Where in the text</h2>
${figure('A and C by the place of a token in its text.', (width) =>
  intervalChart({
    title: 'Effects by third of the text',
    xLabel: 'nats a token',
    groups: [
      {
        label: 'A, own history against none',
        rows: thirds.map(({ name, total }) => ({ label: name, estimate: total, series: SERIES.total })),
      },
      {
        label: 'C, own history against another’s',
        rows: thirds.map(({ name, userSpecific }) => ({
          label: name,
          estimate: userSpecific,
          series: SERIES.userSpecific,
        })),
      },
    ],
    reference: { value: 0, label: 'no effect' },
    digits: DIGITS,
    width,
  }),
)}
${groupTable('part', thirds, extra)}
${personal === undefined ? '' : tokensHtml(personal)}</section>`;
}

/** Why a clear C may show in no single token; measured on the simulator (docs/log.md). */
const nothingFound =
  'This is no evidence against C, which is a mean over many tokens. What is a user’s own is seldom that user’s alone: where one of the other users shares a word or a way to sign off, that user’s history makes it as much likelier, and a token is found only where this is rarer than the rate of false discoveries allows.';

function tokensHtml(personal: NonNullable<AuditResult['where']['personal']>): string {
  const { share, tokens, level, nullSize, strongest } = personal;
  const percent = percentages(share);
  const rows = strongest.map(
    ({ token, userSpecific, user, adjusted }) =>
      `<tr><th scope="row"><bdi>${textHtml(tokenLabel(token))}</bdi></th><td>${signed(userSpecific)}</td><td>${adjusted < 0.001 ? '< 0.001' : decimal(adjusted, 3)}</td><td><bdi>${textHtml(short(user, 480))}</bdi></td></tr>`,
  );
  const found =
    strongest.length === 0
      ? 'no token'
      : `${decimal(percent.value, 1)}% of the tokens (95% interval ${decimal(percent.low, 1)}% to ${decimal(percent.high, 1)}%)`;
  return `<h3>Tokens that are the user’s own</h3>
<p>The user’s own history makes ${found} likelier by more than other users’ histories differ among themselves: ${count(tokens, 'token')} tested against ${nullSize} differences between other users’ histories, with at most ${decimal(100 * level, 0)}% false discoveries (Benjamini–Hochberg).</p>
${
  strongest.length === 0
    ? `<p>${nothingFound}</p>`
    : fold(
        `The ${count(strongest.length, 'strongest token')}`,
        scrollTable('Strongest tokens', ['token', 'C, nats', 'false discovery rate', 'user'], rows),
      )
}`;
}

interface ExtraColumn {
  readonly head: string;
  readonly cell: (row: number) => string;
}

function groupTable(
  kind: string,
  groups: readonly GroupEffects[],
  extra: readonly ExtraColumn[] = [],
): string {
  const rows = groups.map((group, i) => {
    const effects = [group.total, group.generic, group.userSpecific].map(effectCell);
    const more = extra.map((column) => column.cell(i));
    return `<tr><th scope="row"><bdi>${textHtml(group.name)}</bdi></th>${effects.join('')}<td>${group.texts}</td>${more.join('')}</tr>`;
  });
  const heads = ['A', 'B', 'C', 'texts', ...extra.map(({ head }) => head)];
  return scrollTable(`Effects by ${kind}`, [kind, ...heads], rows);
}

const effectCell = (estimate: Estimate) => estimateCell(estimate, signed, DIGITS);

const fold = (summary: string, html: string) => `<details><summary>${summary}</summary>${html}</details>`;

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
