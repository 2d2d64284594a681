/** @file The small table of systems on a page: likelihoods, C and author identification. */

import { decimal, signed } from '../../base/number-format.ts';
import type { Evaluation } from '../../method/evaluation/results.ts';
import { type Html, html } from '../text/html.ts';
import { textHtml } from '../text/html-page.ts';
import { estimateCell, scrollTable } from '../text/html-parts.ts';
import { matchingText } from '../text/matching-text.ts';
import { systemHeads, systemMeasures } from './comparison-table.ts';

/** One row a system. */
export function systemsTableHtml({ name, systems, historyEffects = [] }: Evaluation): Html {
  const columns = systemMeasures.filter((measure) => systems.some((system) => system[measure] !== undefined));
  const hasEffects = historyEffects.length > 0;
  const rows = systems.map((system) => {
    const effect = historyEffects.find((each) => each.system === system.name);
    return html`<tr><th scope="row">${textHtml(system.name)}</th>${columns.map((measure) => estimateCell(system[measure]))}${hasEffects && estimateCell(effect?.userSpecific, signed)}</tr>`;
  });
  const heads = columns.map((measure) => systemHeads[measure]);
  return scrollTable(
    `Systems, ${name}`,
    ['system', ...heads, ...(hasEffects ? ['C own − other'] : [])],
    rows,
  );
}

/** How its columns are read. */
export function systemsNote({ systems }: Evaluation): string {
  const identified = systems.find((system) => system.authorIdentification)?.authorIdentification;
  const nll = 'NLL: negative log-likelihood in nats per response token; lower is likelier.';
  return identified === undefined
    ? nll
    : `${nll} Author identified: the share of texts that the true user’s history, among ${identified.k} matched in ${matchingText(identified.matching)}, makes likeliest; chance ${decimal(1 / identified.k)}.`;
}
