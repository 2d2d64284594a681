/** @file The report of an audit as one HTML file: the answer first, then the numbers, pictures and texts behind it. */
import { FEWEST_FOR_INTERVAL } from '../../base/statistics/estimate.ts';
import type { AuditResult } from '../../method/audit/results.ts';
import { itemKinds } from '../../method/scoring/item-kinds.ts';
import { effectMapParts } from '../heat-map/heat-map-html.ts';
import { kindsHtml } from '../heat-map/items-html.ts';
import { effectMapScript } from '../heat-map/script.ts';
import { effectMapStyle, pageStyle } from '../heat-map/style.ts';
import { type Html, type HtmlPart, html } from '../text/html.ts';
import { htmlPage, textHtml } from '../text/html-page.ts';
import {
  answerHtml,
  findingsHtml,
  foldedSection,
  type Provenance,
  provenanceHtml,
} from '../text/html-parts.ts';
import { count } from '../text/lists.ts';
import { matchingText } from '../text/matching-text.ts';
import { portableName } from '../text/portable-name.ts';
import { remoteText } from '../text/remote-text.ts';
import { reportStyle } from '../text/report-style.ts';
import { strengthHtml } from '../text/strength-section.ts';
import { domainsHtml, doseHtml, effectsChart, effectsTable, usersHtml, whereHtml } from './audit-sections.ts';
import { generalCaveats, isAnswer, saidFindings } from './audit-words.ts';
import { redactAudit } from './redact-audit.ts';

/** How the page of an audit is drawn. */
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
  const said = saidFindings(shown);
  const answer = said.find(({ finding }) => finding.code === 'history')!;
  const sentences = said.map(({ finding: { kind }, text }) => ({ kind, text }));
  const question = 'Does the history matter?';
  const body = html`<main>
${answerHtml({
  question,
  facts: html`Audit of <bdi>${textHtml(portableName(model))}</bdi> · ${count(texts, 'text')} of ${count(users, 'user')} · ${count(tokens, 'token')}`,
  kind: answer.finding.kind,
  sentence: answer.text,
  warnings: said.filter(({ finding }) => finding.code === 'left-out').map(({ text }) => text),
  picture: effectsChart(shown),
  table: effectsTable(shown),
})}
${foldedSection('What else was found', findingsHtml(sentences.filter((_, i) => isAnswer(said[i]!) && said[i] !== answer)), { open: true })}
${usersHtml(shown)}
${domainsHtml(shown)}
${doseHtml(shown)}
${whereHtml(shown)}
${shown.strength && strengthHtml(shown.strength)}
${textsHtml(shown)}
${foldedSection(
  'What to know before you rely on this',
  html`<ul class="findings">${[
    ...sentences.filter((_, i) => !isAnswer(said[i]!)),
    ...generalCaveats.map((text) => ({ kind: 'open', text })),
  ].map(({ kind, text }) => html`<li class="${kind}">${textHtml(text)}</li>\n`)}</ul>`,
)}
${provenanceHtml(provenanceOf(shown), redact ? 'Texts and names have been replaced by lengths and numbers.' : 'This file holds texts and names of users: think before you send it on.')}
</main>`;
  return htmlPage({
    title: `${question} ${portableName(model)}`,
    style: pageStyle + effectMapStyle + reportStyle + auditStyle,
    script: effectMapScript,
    body,
  });
}

function textsHtml({ maps }: AuditResult): HtmlPart {
  const { most, least } = maps;
  if (most.length === 0) return undefined;
  const titled = [
    ...most.map((map) => ({ ...map, title: `Most personal: ${map.title}` })),
    ...least.map((map) => ({ ...map, title: `Least personal: ${map.title}` })),
  ];
  const { tools, articles, note } = effectMapParts(titled, { kinds: false });
  const kinds: Html = kindsHtml(itemKinds);
  return foldedSection(
    'Which texts, and which items carry them',
    html`<p>The texts with the largest and the smallest C. Each earlier text was taken out alone; what it does is told of that one text only.</p>
${kinds}
${tools}
${articles}
${note}`,
  );
}

function provenanceOf(audit: AuditResult): Provenance {
  const { prompt, seed, others, matching, modelHash, itemsShown } = audit;
  return [
    ['Model', portableName(audit.model)],
    audit.remote === undefined
      ? ['Hash of weights, config and tokenizer', modelHash]
      : ['Server', remoteText(audit.remote)],
    ['Prompt without history', prompt.reference],
    ['Prompt template', prompt.template],
    [
      'History shown',
      `the latest ${prompt.maxHistory} items at most, within ${prompt.maxTokens} tokens; ${itemsShown.own.toFixed(1)} on average`,
    ],
    [
      'Other users’ histories',
      `${others} for each text, matched in ${matchingText(matching)}; ${itemsShown.others.toFixed(1)} items on average`,
    ],
    [
      'Intervals',
      `95%, users resampled (BCa); those of a user over the user’s texts; none with fewer than ${FEWEST_FOR_INTERVAL}`,
    ],
    ['Seed', String(seed)],
  ];
}

/** What this report adds to the look of reports. */
const auditStyle = `
.defined{max-width:44rem;margin:.75rem 0;display:grid;grid-template-columns:auto 1fr;gap:.2rem .75rem;font-size:.9375rem}
.defined dt{font-weight:600}
.defined dd{margin:0}
`;
