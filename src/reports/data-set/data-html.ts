/** @file What a data set holds, as one page with plots. */
import type { DataDescription } from '../../method/corpus/describe.ts';
import type { Distribution } from '../../method/corpus/distribution.ts';
import { histogram } from '../charts/histogram.ts';
import { pageStyle } from '../heat-map/style.ts';
import { type HtmlPart, html } from '../text/html.ts';
import { htmlPage, textHtml } from '../text/html-page.ts';
import { figure } from '../text/html-parts.ts';
import { reportStyle } from '../text/report-style.ts';
import { dataRows } from './data-rows.ts';

/** How the page of a data set is drawn. */
export interface DataHtmlOptions {
  /** What the data are named, such as the file. */
  readonly name: string;
}

/** A self-contained page; it holds names of users, ids and domains, and no text of theirs. */
export function renderDataHtml(data: DataDescription, { name }: DataHtmlOptions): string {
  const rows = dataRows(data).map(
    ([label, value]) => html`<tr><th scope="row">${label}</th><td><bdi>${textHtml(value)}</bdi></td></tr>\n`,
  );
  const plots = [
    plot('Examples of a user', 'examples', data.examplesPerUser),
    plot('History items of an example', 'items', data.historyItems),
    plot('Words of a response', 'words', data.words.response),
    plot('Words of a history text', 'words', data.words.item),
    plot('Words of a query', 'words', data.words.query),
    bars(
      'Responses by year',
      'year',
      data.times.years.map(([year, count]) => ({ label: String(year), count })),
    ),
  ];
  return htmlPage({
    title: `${name}: what it holds`,
    style: `${pageStyle}${reportStyle}.chart .bar{fill:var(--s1)}`,
    script: '',
    body: html`<main><header><h1><bdi>${textHtml(name)}</bdi></h1></header>
<section><h2>In numbers</h2><div class="scroll" role="region" tabindex="0" aria-label="In numbers"><table class="provenance"><tbody>${rows}</tbody></table></div></section>
<section><h2>In pictures</h2>${plots}</section></main>`,
  });
}

function plot(title: string, xLabel: string, distribution: Distribution | undefined): HtmlPart {
  const label = (low: number, high: number) => (low === high ? String(low) : `${low}–${high}`);
  return bars(
    title,
    xLabel,
    (distribution?.bars ?? []).map(({ low, high, count }) => ({ label: label(low, high), count })),
  );
}

function bars(title: string, xLabel: string, values: readonly { label: string; count: number }[]): HtmlPart {
  if (values.length === 0) return undefined;
  return html`<h3>${title}</h3>${figure('', (width) => histogram({ title, xLabel, bars: values, width }))}`;
}
