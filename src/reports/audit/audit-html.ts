/** @file The report of an audit as one HTML file: the answer first, then the numbers, pictures and texts behind it. */
import { FEWEST_FOR_INTERVAL } from '../../base/statistics/estimate.ts';
import type { AuditResult } from '../../method/audit/results.ts';
import { itemKindDefinitions } from '../../method/scoring/item-kinds.ts';
import { effectMapsHtml } from '../heat-map/heat-map-html.ts';
import { kindsHtml } from '../heat-map/items-html.ts';
import { effectMapScript } from '../heat-map/script.ts';
import { effectMapStyle, pageStyle } from '../heat-map/style.ts';
import { htmlPage, textHtml } from '../text/html-page.ts';
import { count } from '../text/html-parts.ts';
import { reportStyle } from '../text/report-style.ts';
import { answerOf } from './answer.ts';
import { domainsHtml, doseHtml, effectsHtml, usersHtml, whereHtml } from './audit-sections.ts';
import { caveatsOf } from './caveats.ts';
import { redactAudit } from './redact-audit.ts';

export interface AuditHtmlOptions {
  /** Texts replaced by their lengths, names by numbers; default false. */
  readonly redact?: boolean;
}

/**
 * The whole report as an HTML document that loads nothing.
 * @throws {DataError} when the offsets of a map are not in order
 */
export function renderAuditHtml(audit: AuditResult, { redact = false }: AuditHtmlOptions = {}): string {
  const shown = redact ? redactAudit(audit) : audit;
  const { model, texts, users, tokens } = shown;
  const title = 'Does the history matter?';
  const body = `<main>
<header>
<h1>${title}</h1>
<p class="facts">Audit of <bdi>${textHtml(model)}</bdi> · ${count(texts, 'text')} of ${count(users, 'user')} · ${count(tokens, 'token')}</p>
<ol class="answer">${answerOf(shown)
    .map((sentence) => `<li>${textHtml(sentence)}</li>`)
    .join('\n')}</ol>
</header>
${effectsHtml(shown)}
${usersHtml(shown)}
${domainsHtml(shown)}
${doseHtml(shown)}
${whereHtml(shown)}
${textsHtml(shown)}
<section><h2>What to know before you rely on this</h2>
<ul class="findings not">${caveatsOf(shown)
    .map((caveat) => `<li>${textHtml(caveat)}</li>`)
    .join('\n')}</ul></section>
${provenanceHtml(shown, redact)}
</main>`;
  return htmlPage({
    title: `${title} ${model}`,
    style: pageStyle + effectMapStyle + reportStyle + auditStyle,
    script: effectMapScript,
    body,
  });
}

function textsHtml({ maps }: AuditResult): string {
  const { most, least } = maps;
  if (most.length === 0) return '';
  const titled = [
    ...most.map((map) => ({ ...map, title: `Most personal: ${map.title}` })),
    ...least.map((map) => ({ ...map, title: `Least personal: ${map.title}` })),
  ];
  const kinds = titled.flatMap(({ items = [] }) => items.map(({ kind }) => kind));
  const names = Object.keys(itemKindDefinitions) as (keyof typeof itemKindDefinitions)[];
  const counts = names.map((kind) => `${kinds.filter((each) => each === kind).length} ${kind}`).join(', ');
  return `<section><h2>Which texts, and which items carry them</h2>
<p>The texts with the largest and the smallest C. Each earlier text was taken out alone: of ${count(kinds.length, 'item')}, ${counts}.</p>
${kindsHtml(names)}
${effectMapsHtml(titled, { kinds: false })}</section>`;
}

function provenanceHtml(audit: AuditResult, redact: boolean): string {
  const { prompt, seed, others, matching, modelHash, itemsShown } = audit;
  const rows: readonly (readonly [string, string])[] = [
    ['Model', audit.model],
    ['Hash of weights, config and tokenizer', modelHash],
    ['Prompt without history', prompt.reference],
    ['Prompt template', prompt.template],
    [
      'History shown',
      `the latest ${prompt.maxHistory} items at most, within ${prompt.maxTokens} tokens; ${itemsShown.own.toFixed(1)} on average`,
    ],
    [
      'Other users’ histories',
      `${others} for each text, matched in ${matching}; ${itemsShown.others.toFixed(1)} items on average`,
    ],
    [
      'Intervals',
      `95%, users resampled (BCa); those of a user over the user’s texts; none with fewer than ${FEWEST_FOR_INTERVAL}`,
    ],
    ['Seed', String(seed)],
  ];
  const privacy = redact
    ? 'Texts and names have been replaced by lengths and numbers.'
    : 'This file holds texts and names of users: think before you send it on.';
  return `<section><h2>How this was made</h2>
<div class="scroll"><table class="provenance"><tbody>
${rows.map(([name, value]) => `<tr><th scope="row">${textHtml(name)}</th><td>${textHtml(value)}</td></tr>`).join('\n')}
</tbody></table></div>
<p class="private">${privacy}</p></section>`;
}

/** What this report adds to the look of reports. */
const auditStyle = `
.answer{list-style:none;margin:1.25rem 0 .75rem;padding:0;max-width:46rem}
.answer li{font:1.1875rem/1.55 var(--serif);padding:.45rem 0 .45rem 1rem;border-left:3px solid var(--s2);margin:.6rem 0;overflow-wrap:anywhere}
.answer li:first-child{font-size:1.375rem;line-height:1.45}
.defined{max-width:44rem;margin:.75rem 0;display:grid;grid-template-columns:auto 1fr;gap:.2rem .75rem;font-size:.9375rem}
.defined dt{font-weight:600}
.defined dd{margin:0}
.chart .thin{stroke-width:1.25;opacity:.55}
.chart .mean,.chart .value{paint-order:stroke;stroke:var(--paper);stroke-width:4px}
.scroll:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.groups td,.groups tbody th{vertical-align:baseline}
.groups tbody th{max-width:16rem;min-width:5.5rem;overflow-wrap:anywhere;white-space:normal}
.groups .interval{display:block;color:var(--soft);font-size:.78rem;white-space:nowrap}
@media (max-width:40rem){.answer li{font-size:1.0625rem;padding-left:.75rem}.answer li:first-child{font-size:1.1875rem}
.groups th,.groups td{padding:.3rem .35rem}.groups thead th{min-width:0}.groups .interval{white-space:normal}}
`;
