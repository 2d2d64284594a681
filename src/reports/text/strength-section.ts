/** @file How far a model should trust histories, as a section of a page and as lines of a terminal. */
import { decimal, estimateText, signed } from '../../base/number-format.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import type { HistoryStrength } from '../../method/strength/history-strength.ts';
import { intervalCurve } from '../charts/interval-curve.ts';
import { type Html, html } from './html.ts';
import { estimateCell, figure, foldedSection, scrollTable } from './html-parts.ts';
import { count } from './lists.ts';
import { partText, strengthMeaning } from './strength-words.ts';

const asStrength = (value: number) => decimal(value, 2);

/** The curve, and s* of every part. */
export function strengthHtml({ curve, best, parts, texts, users }: HistoryStrength): Html {
  const rows = [{ name: 'all tokens', users, texts, best }, ...parts].map(
    (part) =>
      html`<tr><th scope="row">${partText(part.name)}</th>${estimateCell(part.best, asStrength)}<td>${part.texts}</td></tr>`,
  );
  return foldedSection(
    'How far to trust the history',
    html`<p>${strengthMeaning}</p>
${figure(
  'Loss at each strength beside the loss at 1, with 95% intervals by user; below 0 the texts are likelier.',
  (width) =>
    intervalCurve({
      title: 'Loss by strength of the history',
      xLabel: 'strength s',
      yLabel: 'change, nats a token',
      xDigits: 2,
      points: curve.map(({ strength, change }) => ({ x: strength, estimate: change })),
      width,
    }),
)}
${scrollTable('Strength of least loss', ['tokens', 's*', 'texts'], rows)}
<p class="facts">${count(texts, 'text')} of ${count(users, 'user')}; an interval at 0 or at ${asStrength(curve.at(-1)!.strength)} ends where no more was tried.</p>`,
  );
}

/** The cells of the same as a table of text, its head first. */
export function strengthRows({ best, parts, curve }: HistoryStrength): string[][] {
  const row = (name: string, value: Estimate) => [name, estimateText(value, 2)];
  return [
    ['tokens', 's*'],
    row('all', best),
    ...parts.map((part) => row(partText(part.name), part.best)),
    [
      'loss beside s = 1',
      curve.map(({ strength, change }) => `${asStrength(strength)}: ${signed(change.value, 3)}`).join('  '),
    ],
  ];
}
