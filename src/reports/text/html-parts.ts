/** @file Pieces that reports are put together from: numbers with intervals in cells, charts for two widths, counts in words. */

import { decimal, digitsOf, hasInterval } from '../../base/number-format.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import { escapeHtml } from './html-page.ts';

/** A cell with the value and, beneath it, its interval. */
export function estimateCell(
  estimate: Estimate | undefined,
  format = decimal,
  digits = estimate && digitsOf(estimate),
): string {
  if (estimate === undefined) return '<td>–</td>';
  if (!hasInterval(estimate)) return `<td>${format(estimate.value, digits)}</td>`;
  const range = `${format(estimate.low, digits)} to ${format(estimate.high, digits)}`;
  return `<td>${format(estimate.value, digits)} <span class="interval">${range}</span></td>`;
}

/** A chart drawn twice, for wide and for narrow screens; a page shows one. */
export function figure(caption: string, chart: (width: number) => string): string {
  return `<figure><div class="wide">${chart(680)}</div><div class="narrow">${chart(360)}</div><figcaption>${escapeHtml(caption)}</figcaption></figure>`;
}

/**
 * A table that scrolls sideways where the page is narrow, by keyboard too.
 * @param label plain text of our own, as are the heads; the first column is text
 * @param rows HTML of whole rows
 */
export function scrollTable(label: string, heads: readonly string[], rows: readonly string[]): string {
  const cells = heads.map((head, i) => `<th scope="col"${i === 0 ? ' class="text"' : ''}>${head}</th>`);
  return `<div class="scroll" role="region" tabindex="0" aria-label="${label}"><table class="groups">
<thead><tr>${cells.join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>`;
}

/** `1 text`, `2 texts`. */
export const count = (n: number, noun: string) => `${n} ${noun}${n === 1 ? '' : 's'}`;
