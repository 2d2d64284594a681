/** @file Heat maps as one HTML file: prose coloured by the effect of the history, with everything behind it in reach. */

import { decimal, signed } from '../../base/number-format.ts';
import type { Cause } from '../../method/data/example.ts';
import {
  type DisplayPiece,
  displayPieces,
  type EffectMap,
  type EffectName,
  effectKinds,
  effectNames,
  effectOfResponse,
} from '../../method/explain/effect-map.ts';
import { NEAR_ZERO } from '../../method/scoring/item-kinds.ts';
import { type Html, type HtmlPart, html } from '../text/html.ts';
import { htmlPage, textHtml } from '../text/html-page.ts';
import { factsHtml, fold, scrollTable } from '../text/html-parts.ts';
import { reportStyle } from '../text/report-style.ts';
import { tokenLabel } from '../text/visible-text.ts';
import { LEVELS, levelOf } from './colour-scale.ts';
import { type EffectLimits, effectLimits } from './effect-scale.ts';
import { effectCaveat, effectWords, mapFacts } from './effect-words.ts';
import { hasItems, historyHtml, itemAttributes, itemFacts, kindsHtml } from './items-html.ts';
import { redactEffectMaps } from './redact-maps.ts';
import { effectMapScript } from './script.ts';
import { effectMapStyle, levelAttributes, pageStyle, WITHIN_NOISE } from './style.ts';

/** How heat maps are drawn as a page. */
export interface EffectMapHtmlOptions {
  /** Heading of the page; default that of the only map, or `What the history changes`. */
  readonly title?: string;
  /** Effect that colours at first; default `logRatio`. */
  readonly effect?: EffectName;
  /** Texts replaced by their lengths, names by numbers; default false. */
  readonly redact?: boolean;
}

const causeClasses: Readonly<Record<Cause, string>> = {
  user: 'user',
  query: 'query-cause',
  both: 'both',
  neither: 'neither',
};

/**
 * A whole HTML file with one or more heat maps on one colour scale: no server, no network, nothing loaded.
 * @throws {DataError} when the offsets of a map are not in order
 */
export function renderEffectMapHtml(maps: readonly EffectMap[], options: EffectMapHtmlOptions = {}): string {
  const { redact = false } = options;
  const shown = redact ? redactEffectMaps(maps) : maps;
  const only = shown.length === 1 ? shown[0] : undefined;
  const title = options.title ?? (redact ? undefined : only?.title) ?? 'What the history changes';
  const { tools, articles, note } = effectMapParts(shown, {
    ...options,
    redact: false,
    titles: only === undefined,
  });
  const body = html`<main>
<header><h1>${textHtml(title)}</h1>
${only && html`<p class="answer ${answerKind(only)}">${mapAnswer(only)}</p>`}</header>
${tools}
${articles}
${note}
</main>`;
  return htmlPage({
    title,
    style: pageStyle + effectMapStyle + reportStyle,
    script: effectMapScript,
    body,
  });
}

/** What the history does to one text, in one sentence. */
export function mapAnswer(map: EffectMap): string {
  if (map.history.length === 0) return 'No history is shown, so nothing can change.';
  const { perToken } = effectOfResponse(map);
  if (Math.abs(perToken) < NEAR_ZERO) return 'The history hardly changes how likely this text is.';
  return perToken > 0 ? 'The history makes this text likelier.' : 'The history makes this text less likely.';
}

const answerKind = (map: EffectMap) =>
  map.history.length > 0 && Math.abs(effectOfResponse(map).perToken) >= NEAR_ZERO ? 'shown' : 'open';

/** The pieces of heat maps, for a page that puts some in sight and folds others. */
export interface EffectMapParts {
  /** What colours, and the scale: once a page, before the first map. */
  readonly tools: Html;
  /** One for each map. */
  readonly articles: readonly Html[];
  /** What must be said of all of them. */
  readonly note: Html;
}

/**
 * The heat maps for a page that has {@link pageStyle}, {@link effectMapStyle} and the script.
 * @param options.titles whether each map has its own heading; default true
 * @param options.kinds whether the kinds of items are defined here; default true
 */
export function effectMapParts(
  maps: readonly EffectMap[],
  {
    effect = 'logRatio',
    redact = false,
    titles = true,
    kinds = true,
  }: EffectMapHtmlOptions & { titles?: boolean; kinds?: boolean } = {},
): EffectMapParts {
  const shown = redact ? redactEffectMaps(maps) : maps;
  const names = effectNames(shown);
  const limits = effectLimits(shown);
  const noise = Math.max(0, ...shown.map(noiseOf));
  const chosen = names.includes(effect) ? effect : 'logRatio';
  const firstWithItems = shown.findIndex(hasItems);
  const causes =
    shown.some(hasCauses) &&
    html`<fieldset><legend class="unseen">Known causes</legend><label><input type="checkbox" id="show-causes" checked>Underline known causes</label></fieldset>`;
  return {
    tools: html`<div class="tools">
<fieldset><legend>Colour by</legend>${names.map((name) => choice(name, name === chosen))}</fieldset>${causes}
${names.map((name) => legend(name, limits[name]))}
</div>`,
    articles: shown.map((map, i) => article(map, i + 1, names, limits, titles, i === firstWithItems)),
    note: html`${kinds && firstWithItems >= 0 && kindsHtml(shown.flatMap(({ items = [] }) => items.map(({ kind }) => kind)))}
${noise > 0 && html`<p class="note">Grey: not more than ${decimal(noise, 3)} nats, by which the server's answers to one prompt differ.</p>`}
<p class="note">${effectCaveat}</p>`,
  };
}

const hasCauses = (map: EffectMap) => map.tokens.some((token) => token.cause !== undefined);

function choice(name: EffectName, checked: boolean): Html {
  return html`<label><input type="radio" name="effect" id="by-${name}"${checked && html` checked`}>${effectWords[name].label}</label>`;
}

function legend(name: EffectName, limit: number): Html {
  const { signed: hasSign, unit } = effectKinds[name];
  const levels = Array.from({ length: (hasSign ? 2 : 1) * LEVELS + 1 }, (_, i) => (hasSign ? i - LEVELS : i));
  const cells = levels.map(
    (level, i) => html`<rect class="${hasSign ? 'k' : 'n'}${level}" x="${i}" width="1.02" height="1"/>`,
  );
  const most = decimal(limit, limit < 1 ? 2 : 1).replace(/\.0$/, '');
  const ticks = hasSign ? [`≤ −${most} ${unit}`, '0', `≥ +${most} ${unit}`] : ['0', '', `≥ ${most} ${unit}`];
  const ends = hasSign
    ? ['history makes it less likely', 'more likely']
    : ['prediction as without history', 'moved'];
  return html`<div class="legend" data-effect="${name}" role="img" aria-label="Colour scale in ${unit}: ${effectWords[name].meaning}">
<svg viewBox="0 0 ${levels.length} 1" preserveAspectRatio="none" aria-hidden="true">${cells}</svg>
${ticks.map((tick) => html`<span>${tick}</span>`)}
<div class="ends"><i>${ends[0]}</i><i>${ends[1]}</i></div></div>\n`;
}

function article(
  map: EffectMap,
  /** Of the map on its page, from 1. */
  number: number,
  names: readonly EffectName[],
  limits: EffectLimits,
  titled: boolean,
  explainsItems: boolean,
): Html {
  const pieces = displayPieces(map);
  let focusable = true;
  const prose = pieces.map((piece) => {
    const piecesHtml = pieceHtml(piece, names, { limits, noise: noiseOf(map) }, focusable);
    if (piece.token !== undefined) focusable = false;
    return piecesHtml;
  });
  return html`<article class="map">
${titled && html`<h2 class="title">${textHtml(map.title)}</h2>\n<p class="said">${mapAnswer(map)}</p>`}
<p class="query"><b>Query</b><bdi>${textHtml(map.query)}</bdi></p>
<p class="prose" dir="auto" role="group" aria-label="Response; arrow keys move from token to token">${prose}</p>
${hasCauses(map) && causeKey()}
${sumHtml(map, number)}
${historyHtml(map, explainsItems, titled ? 'h3' : 'h2')}
${tableHtml(pieces, number, names, hasItems(map) ? map.history.length : 0)}
<details><summary>About this text</summary>${factsHtml(mapFacts(map))}</details>
</article>\n`;
}

/** Nats by which a server's answers to one prompt differ; 0 where the model is here. */
const noiseOf = ({ meta: { noiseMax } }: EffectMap): number => (typeof noiseMax === 'number' ? noiseMax : 0);

/** The text's likelihood both ways, in nats. */
function sumHtml(map: EffectMap, number: number): Html {
  const sum = (of: (token: EffectMap['tokens'][number]) => number) =>
    map.tokens.reduce((all, token) => all + of(token), 0);
  const [own, none] = [sum((token) => token.logProbWithHistory), sum((token) => token.logProbWithoutHistory)];
  const perToken = (value: number) => (map.tokens.length === 0 ? 0 : value / map.tokens.length);
  const row = (label: string, value: number, format = decimal) =>
    html`<tr><th scope="row">${label}</th><td>${format(value, 1)}</td><td>${format(perToken(value), 3)}</td></tr>`;
  return scrollTable(
    `Log-likelihood of text ${number}`,
    ['log-likelihood', 'nats', 'a token'],
    [row('with the history', own), row('without', none), row('difference', own - none, signed)],
  );
}

function pieceHtml(
  piece: DisplayPiece,
  names: readonly EffectName[],
  { limits, noise }: { readonly limits: EffectLimits; readonly noise: number },
  focusable: boolean,
): Html {
  const { token } = piece;
  if (token === undefined) return textHtml(piece.text, { marks: true });
  const levels = names
    .map((name) => {
      const value = token.values[name]!;
      // Differences of log-probabilities are compared with the noise of these; a divergence is of another size.
      const { unit, signed: hasSign } = effectKinds[name];
      const isNoise = unit === 'nats' && hasSign && value !== 0 && Math.abs(value) <= noise;
      return [levelAttributes[name], isNoise ? WITHIN_NOISE : levelOf(value, limits[name])] as const;
    })
    .filter(([, level]) => level !== 0)
    .map(([attribute, level]) => html` ${attribute}="${level}"`);
  const classes = ['t', token.cause && causeClasses[token.cause], piece.isEnd && 'end']
    .filter(Boolean)
    .join(' ');
  const facts = [...pieceFacts(piece, names), ...itemFacts(piece)]
    .map(([term, value]) => `${term}=${value}`)
    .join('|');
  const name = piece.isEnd ? 'end of text' : tokenLabel(piece.text);
  const text = piece.text === '' ? (piece.isEnd ? '⏎' : '◦') : textHtml(piece.text, { marks: true });
  return html`<span class="${classes}"${levels}${itemAttributes(piece, limits.logRatio)} tabindex="${focusable ? 0 : -1}" data-name="${name}" data-facts="${facts}">${text}</span>`;
}

/** Term and value of everything that is known of a piece; no user's text. */
function pieceFacts({ token, positions }: DisplayPiece, names: readonly EffectName[]): [string, string][] {
  if (token === undefined) return [];
  return [
    [
      'position',
      positions.length === 1 ? `${positions[0]}` : `${positions[0]}–${positions.at(-1)}, one character`,
    ],
    ['log p with history', logProbText(token.logProbWithHistory)],
    ['log p without history', logProbText(token.logProbWithoutHistory)],
    ...names.map((name): [string, string] => [
      effectWords[name].label.toLowerCase(),
      effectText(name, token.values[name]!),
    ]),
    ...(token.weight === undefined ? [] : [['weight', decimal(token.weight, 4)] as [string, string]]),
    ...(token.cause === undefined ? [] : [['known cause', token.cause] as [string, string]]),
  ];
}

/** `−1.94 (14.4%)`. */
function logProbText(logProb: number): string {
  const percent = 100 * Math.exp(logProb);
  const text = percent >= 99.95 ? '100' : percent >= 10 ? percent.toFixed(1) : percent.toPrecision(2);
  return `${decimal(logProb)} (${percent < 0.01 ? '< 0.01' : text}%)`;
}

function effectText(name: EffectName, value: number): string {
  const { signed: hasSign, unit } = effectKinds[name];
  const digits = unit === 'probability' ? 3 : 2;
  return hasSign ? signed(value, digits) : decimal(value, 3);
}

function causeKey(): Html {
  const entries = (Object.keys(causeClasses) as Cause[]).map(
    (cause) => html`<span class="cause ${causeClasses[cause]}">${cause}</span> `,
  );
  return html`<p class="causes">Known cause of each token: ${entries}</p>`;
}

function tableHtml(
  pieces: readonly DisplayPiece[],
  number: number,
  names: readonly EffectName[],
  items: number,
): HtmlPart {
  const rows = pieces.filter((piece) => piece.token !== undefined);
  if (rows.length === 0) return undefined;
  const terms = [...new Set(rows.flatMap((piece) => pieceFacts(piece, names).map(([term]) => term)))];
  const columns = terms.slice(1);
  const cells = rows.map((piece) => {
    const facts = new Map(pieceFacts(piece, names));
    const values = columns.map((term) => html`<td>${facts.get(term) ?? ''}</td>`);
    for (let i = 0; i < items; i++) values.push(html`<td>${signed(piece.token!.itemEffects![i]!)}</td>`);
    const label = piece.isEnd ? html`<i>end of text</i>` : html`<bdi>${tokenLabel(piece.text)}</bdi>`;
    return html`<tr><td>${piece.positions.join(', ')}</td><th scope="row" class="text">${label}</th>${values}</tr>\n`;
  });
  const titles = columns.map((term) => html`<th scope="col">${term}</th>`);
  for (let i = 0; i < items; i++) titles.push(html`<th scope="col">item ${i + 1} adds</th>`);
  return fold(
    `All ${rows.length} tokens as a table`,
    html`<div class="scroll" role="region" tabindex="0" aria-label="Tokens of text ${number}"><table>
<caption>Natural logarithms; effects in nats, the probability difference from −1 to 1.</caption>
<thead><tr><th scope="col">position</th><th scope="col" class="text">token</th>${titles}</tr></thead>
<tbody>${cells}</tbody></table></div>`,
  );
}
