/** @file Pieces that reports are put together from: the answer on top, folds, numbers with intervals, charts for two widths. */

import { decimal, digitsOf, hasInterval } from '../../base/number-format.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import type { FindingKind } from '../../method/evaluation/findings.ts';
import { type Html, type HtmlPart, html } from './html.ts';
import { textHtml } from './html-page.ts';

/** Everything that is known about how a report was made, in order. */
export type Provenance = readonly (readonly [name: string, value: string])[];

/** The first screen of a report: the question, one sentence that answers it, one picture, one small table. */
export interface Answer {
  readonly question: string;
  /** What was looked at, in a line. */
  readonly facts: HtmlPart;
  readonly kind: FindingKind;
  readonly sentence: string;
  /** What must be known before the answer is believed, such as examples that were left out. */
  readonly warnings?: readonly string[];
  readonly picture: Html | undefined;
  readonly table: Html | undefined;
}

export function answerHtml({ question, facts, kind, sentence, warnings = [], picture, table }: Answer): Html {
  return html`<header>
<h1>${textHtml(question)}</h1>
<p class="facts">${facts}</p>
<p class="answer ${kind}">${textHtml(sentence)}</p>
${warnings.length > 0 && html`<ul class="findings">${warnings.map((text) => findingHtml({ kind: 'warning', text }))}</ul>`}
</header>
${picture}
${table}`;
}

/** A section that unfolds. */
export function foldedSection(heading: string, body: HtmlPart, { open = false } = {}): Html {
  return html`<details class="section"${open && html` open`}><summary><h2>${textHtml(heading)}</h2></summary>
${body}</details>`;
}

/** A small fold inside a section. */
export const fold = (summary: string, body: HtmlPart): Html =>
  html`<details><summary>${summary}</summary>${body}</details>`;

/** A finding in words. */
export interface Sentence {
  readonly kind: FindingKind;
  readonly text: string;
}

/** A list of findings: what was shown and warnings in sight, what was not shown in a fold. */
export function findingsHtml(sentences: readonly Sentence[]): Html {
  const open = sentences.filter(({ kind }) => kind === 'open');
  const said = sentences.filter(({ kind }) => kind !== 'open');
  return html`${said.length > 0 && html`<ul class="findings">${said.map(findingHtml)}</ul>`}
${open.length > 0 && fold(`Not found (${open.length})`, html`<ul class="findings">${open.map(findingHtml)}</ul>`)}`;
}

const findingHtml = ({ kind, text }: Sentence) =>
  html`<li class="${kind}">${kind === 'warning' && html`<span class="unseen">Warning: </span>`}${textHtml(text)}</li>`;

/** A cell with the value and, beneath it, its interval; no interval where it says no more than the value. */
export function estimateCell(
  estimate: Estimate | undefined,
  format = decimal,
  digits = estimate && digitsOf(estimate),
): Html {
  if (estimate === undefined) return html`<td>–</td>`;
  const [value, low, high] = [estimate.value, estimate.low, estimate.high].map((n) => format(n, digits));
  if (!hasInterval(estimate) || (low === value && high === value)) return html`<td>${value}</td>`;
  return html`<td>${value} <span class="interval">${low} to ${high}</span></td>`;
}

/** A chart drawn twice, for wide and for narrow screens; a page shows one. */
export function figure(caption: string, chart: (width: number) => Html): Html {
  return html`<figure><div class="wide">${chart(680)}</div><div class="narrow">${chart(360)}</div><figcaption>${caption}</figcaption></figure>`;
}

/** A column of a table; `isText` stands to the left. */
export interface Head {
  readonly label: string;
  readonly isText?: boolean;
}

/**
 * A table that scrolls sideways where the page is narrow, by keyboard too; the first column is text.
 * @param label what it is, for those who do not see it
 */
export function scrollTable(label: string, heads: readonly (string | Head)[], rows: readonly Html[]): Html {
  const cells = heads.map((head, i) => {
    const { label: text, isText = i === 0 } = typeof head === 'string' ? { label: head } : head;
    return html`<th scope="col"${isText && html` class="text"`}>${text}</th>`;
  });
  return html`<div class="scroll" role="region" tabindex="0" aria-label="${label}"><table class="groups">
<thead><tr>${cells}</tr></thead>
<tbody>${rows.map((row) => html`${row}\n`)}</tbody></table></div>`;
}

/** The last section of every report: how to make it again, and whether it may travel. */
export function provenanceHtml(provenance: Provenance, privacy: string): Html {
  return foldedSection(
    'How this was made',
    html`<div class="scroll" role="region" tabindex="0" aria-label="How this was made"><table class="provenance"><tbody>
${provenance.map(([name, value]) => html`<tr><th scope="row">${textHtml(name)}</th><td>${textHtml(value)}</td></tr>\n`)}</tbody></table></div>
<p class="private">${privacy}</p>`,
  );
}

/** Terms and values. */
export const factsHtml = (facts: readonly (readonly [label: string, value: string])[]): Html =>
  html`<dl class="facts-list">${facts.map(([label, value]) => html`<div><dt>${label}</dt><dd><bdi>${textHtml(value)}</bdi></dd></div>`)}</dl>`;
