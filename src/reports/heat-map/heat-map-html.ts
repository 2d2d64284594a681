/** @file Heat maps as one HTML file: prose coloured by the effect of the history, with everything behind it in reach. */

import { decimal, signed } from '../../base/number-format.ts';
import type { Cause } from '../../method/data/example.ts';
import {
  type DisplayPiece,
  displayPieces,
  type EffectMap,
  type EffectName,
  effectDescriptions,
  effectNames,
  effectOfResponse,
} from '../../method/explain/effect-map.ts';
import { escapeHtml, htmlPage, textHtml } from '../text/html-page.ts';
import { tokenLabel } from '../text/visible-text.ts';
import { LEVELS, levelOf } from './colour-scale.ts';
import { type EffectLimits, effectLimits } from './effect-scale.ts';
import { hasItems, historyHtml, itemAttributes, itemFacts, kindsHtml } from './items-html.ts';
import { redactEffectMaps } from './redact-maps.ts';
import { effectMapScript } from './script.ts';
import { effectMapStyle, levelAttributes, pageStyle } from './style.ts';

export interface EffectMapHtmlOptions {
  /** Heading of the page; default that of the only map, or `What the history changes`. */
  readonly title?: string;
  /** Effect that colours at first; default `logRatio`. */
  readonly effect?: EffectName;
  /** Texts replaced by their lengths, names by numbers; default false. */
  readonly redact?: boolean;
}

/** What every page with heat maps says of them. */
export const effectCaveat =
  'Effects are teacher-forced: each is the direct effect of the history on one token, given the words before it as they ' +
  'were written. They do not add up over text that a model writes freely.';

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
  const { effect = 'logRatio', redact = false } = options;
  const onlyOne = maps.length === 1 && !redact ? maps[0]!.title : undefined;
  const title = options.title ?? onlyOne ?? 'What the history changes';
  const body = `<main>
<h1>${textHtml(title)}</h1>
${effectMapsHtml(maps, { effect, redact, titles: maps.length > 1 })}
</main>`;
  return htmlPage({ title, style: pageStyle + effectMapStyle, script: effectMapScript, body });
}

/**
 * The heat maps as a fragment for a page that has {@link pageStyle}, {@link effectMapStyle} and the script: once a page.
 * @param options.titles whether each map has its own heading; default true
 * @param options.kinds whether the kinds of items are defined here; default true
 */
export function effectMapsHtml(
  maps: readonly EffectMap[],
  {
    effect = 'logRatio',
    redact = false,
    titles = true,
    kinds = true,
  }: EffectMapHtmlOptions & { titles?: boolean; kinds?: boolean } = {},
): string {
  const shown = redact ? redactEffectMaps(maps) : maps;
  const names = effectNames(shown);
  const limits = effectLimits(shown);
  const chosen = names.includes(effect) ? effect : 'logRatio';
  const firstWithItems = shown.findIndex(hasItems);
  const simulated = shown.some(hasCauses);
  const causes = simulated
    ? '<fieldset><label><input type="checkbox" id="show-causes" checked>Underline known causes</label></fieldset>'
    : '';
  return `<div class="tools">
<fieldset><legend>Colour by</legend>${names.map((name) => choice(name, name === chosen)).join('')}</fieldset>${causes}
${names.map((name) => legend(name, limits[name])).join('\n')}
</div>
${shown.map((map, i) => article(map, names, limits, titles, i === firstWithItems)).join('\n')}
${kinds && firstWithItems >= 0 ? kindsHtml(shown.flatMap(({ items = [] }) => items.map(({ kind }) => kind))) : ''}
<p class="note">${escapeHtml(effectCaveat)}</p>`;
}

const hasCauses = (map: EffectMap) => map.tokens.some((token) => token.cause !== undefined);

function choice(name: EffectName, checked: boolean): string {
  const state = checked ? ' checked' : '';
  const { label } = effectDescriptions[name];
  return `<label><input type="radio" name="effect" id="by-${name}"${state}>${escapeHtml(label)}</label>`;
}

function legend(name: EffectName, limit: number): string {
  const { signed: hasSign, unit, meaning } = effectDescriptions[name];
  const levels = Array.from({ length: (hasSign ? 2 : 1) * LEVELS + 1 }, (_, i) => (hasSign ? i - LEVELS : i));
  const cells = levels.map(
    (level, i) => `<rect class="${hasSign ? 'k' : 'n'}${level}" x="${i}" width="1.02" height="1"/>`,
  );
  const most = decimal(limit, limit < 1 ? 2 : 1).replace(/\.0$/, '');
  const ticks = hasSign ? [`≤ −${most} ${unit}`, '0', `≥ +${most} ${unit}`] : ['0', '', `≥ ${most} ${unit}`];
  const ends = hasSign
    ? ['history makes it less likely', 'more likely']
    : ['prediction as without history', 'moved'];
  return `<div class="legend" data-effect="${name}" role="img" aria-label="Colour scale in ${unit}: ${escapeHtml(meaning)}">
<svg viewBox="0 0 ${levels.length} 1" preserveAspectRatio="none" aria-hidden="true">${cells.join('')}</svg>
${ticks.map((tick) => `<span>${tick}</span>`).join('')}
<div class="ends"><i>${ends[0]}</i><i>${ends[1]}</i></div></div>`;
}

function article(
  map: EffectMap,
  names: readonly EffectName[],
  limits: EffectLimits,
  titled: boolean,
  explainsItems: boolean,
): string {
  const pieces = displayPieces(map);
  let focusable = true;
  const prose = pieces.map((piece) => {
    const html = pieceHtml(piece, names, limits, focusable);
    if (piece.token !== undefined) focusable = false;
    return html;
  });
  const { total, perToken } = effectOfResponse(map);
  const verb = total < 0 ? 'lower' : 'higher';
  const sum = `With the history, the log-likelihood of this text is ${decimal(Math.abs(total), 1)} nats ${verb} (${signed(perToken)} a token).`;
  const facts = [
    `user <bdi>${textHtml(map.user)}</bdi>`,
    `example <bdi>${textHtml(map.example)}</bdi>`,
    `model <bdi>${textHtml(map.model)}</bdi>`,
    ...Object.entries(map.meta).map(([key, fact]) => `${textHtml(key)} <bdi>${textHtml(String(fact))}</bdi>`),
  ];
  return `<article class="map">
${titled ? `<h2>${textHtml(map.title)}</h2>` : ''}
<p class="facts">${facts.join(' · ')}</p>
<p class="query"><b>Query</b><bdi>${textHtml(map.query)}</bdi></p>
<p class="prose" dir="auto" role="group" aria-label="Response; arrow keys move from token to token">${prose.join('')}</p>
${hasCauses(map) ? causeKey() : ''}
<p class="facts">${escapeHtml(sum)}</p>
${historyHtml(map, explainsItems)}
${tableHtml(pieces, names, hasItems(map) ? map.history.length : 0)}
</article>`;
}

function pieceHtml(
  piece: DisplayPiece,
  names: readonly EffectName[],
  limits: EffectLimits,
  focusable: boolean,
): string {
  const { token } = piece;
  if (token === undefined) return textHtml(piece.text, { marks: true });
  const items = itemAttributes(piece, limits.logRatio);
  const levels = names
    .map((name) => [levelAttributes[name], levelOf(token.values[name]!, limits[name])] as const)
    .filter(([, level]) => level !== 0)
    .map(([attribute, level]) => ` ${attribute}="${level}"`)
    .join('');
  const classes = ['t', token.cause && causeClasses[token.cause], piece.isEnd && 'end']
    .filter(Boolean)
    .join(' ');
  const facts = [...pieceFacts(piece, names), ...itemFacts(piece)]
    .map(([term, value]) => `${term}=${value}`)
    .join('|');
  const name = piece.isEnd ? 'end of text' : tokenLabel(piece.text);
  const text = piece.text === '' ? (piece.isEnd ? '⏎' : '◦') : textHtml(piece.text, { marks: true });
  return `<span class="${classes}"${levels}${items} tabindex="${focusable ? 0 : -1}" data-name="${escapeHtml(name)}" data-facts="${escapeHtml(facts)}">${text}</span>`;
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
      effectDescriptions[name].label.toLowerCase(),
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
  const { signed: hasSign, unit } = effectDescriptions[name];
  const digits = unit === 'probability' ? 3 : 2;
  return hasSign ? signed(value, digits) : decimal(value, 3);
}

function causeKey(): string {
  const entries = (Object.keys(causeClasses) as Cause[]).map(
    (cause) => `<span class="cause ${causeClasses[cause]}">${cause}</span>`,
  );
  return `<p class="causes">Known cause of each token: ${entries.join(' ')}</p>`;
}

function tableHtml(pieces: readonly DisplayPiece[], names: readonly EffectName[], items: number): string {
  const rows = pieces.filter((piece) => piece.token !== undefined);
  if (rows.length === 0) return '';
  const head = pieceFacts(rows[0]!, names).map(([term]) => term);
  const terms = [...new Set(rows.flatMap((piece) => pieceFacts(piece, names).map(([term]) => term)))];
  const columns = terms.length > head.length ? terms : head;
  const cells = rows.map((piece) => {
    const facts = new Map(pieceFacts(piece, names));
    const values = columns.slice(1).map((term) => `<td>${escapeHtml(facts.get(term) ?? '')}</td>`);
    for (let i = 0; i < items; i++) values.push(`<td>${signed(piece.token!.itemEffects![i]!)}</td>`);
    const label = piece.isEnd ? '<i>end of text</i>' : `<bdi>${escapeHtml(tokenLabel(piece.text))}</bdi>`;
    return `<tr><td>${piece.positions.join(', ')}</td><th scope="row" class="text">${label}</th>${values.join('')}</tr>`;
  });
  const titles = columns.slice(1).map((term) => `<th scope="col">${escapeHtml(term)}</th>`);
  for (let i = 0; i < items; i++) titles.push(`<th scope="col">item ${i + 1} adds</th>`);
  return `<details><summary>All ${rows.length} tokens as a table</summary><div class="scroll"><table>
<caption>Natural logarithms; effects in nats, the probability difference from −1 to 1.</caption>
<thead><tr><th scope="col">position</th><th scope="col" class="text">token</th>${titles.join('')}</tr></thead>
<tbody>${cells.join('\n')}</tbody></table></div></details>`;
}
