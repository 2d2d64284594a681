/** @file The history beside a heat map: every item with what it does, tied to the tokens that it carries. */

import { signed } from '../../base/number-format.ts';
import type { DisplayPiece, EffectMap, EffectMapItem } from '../../method/explain/effect-map.ts';
import { itemKinds } from '../../method/scoring/item-kinds.ts';
import { constantHtml, type Html, type HtmlPart, html } from '../text/html.ts';
import { textHtml } from '../text/html-page.ts';
import { levelOf } from './colour-scale.ts';
import { itemKindWords, nearZeroText } from './effect-words.ts';
import { ITEMS_NAMED, itemNumbers, WORTH_NAMING } from './item-numbers.ts';

/** How the items of a map are read. */
const reading =
  'D: nats a token that this text loses without the item, all others kept. Then what the item adds on average when a ' +
  'random part of the others is shown, and where 95% of these effects lie. Point at a token to tint the items that carry ' +
  'it. Press an item to colour the tokens by what it adds.';

/** Whether what each item does is known. */
export const hasItems = (map: EffectMap) => (map.items?.length ?? 0) > 0;

/**
 * The history of a map: plain texts, or items with their effects, each a button that colours the tokens.
 * @param isFirst whether to say how the items are read: once a page
 * @param heading the level below the map's title, or the page's
 */
export function historyHtml(map: EffectMap, isFirst: boolean, heading: 'h2' | 'h3'): Html {
  const { length } = map.history;
  if (length === 0)
    return html`<p class="facts">No history: both passes are the same and every effect is 0.</p>`;
  const count = length === 1 ? '1 earlier text' : `${length} earlier texts, oldest first`;
  if (!hasItems(map)) {
    const items = map.history.map((_, i) => html`<li>${itemText(map, i)}</li>`);
    return html`<details><summary>History: ${count}</summary><ol class="items">${items}</ol></details>`;
  }
  const items = map.items!.map(
    (item, i) => html`<li>
<p class="effect"><button type="button" class="item" aria-pressed="false" data-item="${i}">Item ${i + 1}</button>
<span class="kind ${item.kind}">${itemKindWords[item.kind].label}</span> <span class="number">${itemNumbers(item)}</span>${twinText(map, item)}</p>
${itemText(map, i)}</li>\n`,
  );
  return html`<section class="carriers"><${constantHtml(heading)} class="title">Which item carries it: ${count}</${constantHtml(heading)}>
${isFirst && html`<p class="facts">${reading}</p>`}
<ol class="items">${items}</ol>
<p class="facts by-item" role="status"></p></section>`;
}

/** The definitions of the kinds that occur, in the order of the table of kinds. */
export function kindsHtml(kinds: readonly EffectMapItem['kind'][]): Html {
  const rows = itemKinds
    .filter((kind) => kinds.includes(kind))
    .map((kind) => {
      const { label, meaning } = itemKindWords[kind];
      return html`<dt><span class="kind ${kind}">${label}</span></dt><dd>${meaning}</dd>`;
    });
  return html`<dl class="kinds">${rows}<dt>near 0</dt><dd>${nearZeroText}</dd></dl>`;
}

/** Attribute that ties a token to the items: the level of each one's effect on it, on the scale of the log ratio. */
export function itemAttributes({ token }: DisplayPiece, limit: number): HtmlPart {
  if (token?.itemEffects === undefined) return undefined;
  return html` data-items="${token.itemEffects.map((effect) => levelOf(effect, limit)).join()}"`;
}

/** Which items do most at a token, as terms and values of its tooltip; no user's text. */
export function itemFacts({ token }: DisplayPiece): [string, string][] {
  return (token?.itemEffects ?? [])
    .map((effect, i) => ({ effect, i }))
    .filter(({ effect }) => Math.abs(effect) >= WORTH_NAMING)
    .sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect) || a.i - b.i)
    .slice(0, ITEMS_NAMED)
    .map(({ effect, i }) => [`item ${i + 1} adds`, signed(effect)]);
}

function itemText(map: EffectMap, i: number): Html {
  const item = map.history[i]!;
  const time = item.time !== undefined && html`<b>${textHtml(item.time)}</b>`;
  return html`<p>${time}<bdi class="soft">${textHtml(item.query)}</bdi></p><p class="body" dir="auto">${textHtml(item.text)}</p>`;
}

function twinText(map: EffectMap, { twin }: EffectMapItem): HtmlPart {
  const at = map.history.findIndex(({ id }) => id === twin);
  return twin !== undefined && at >= 0 && html` <span class="soft">item ${at + 1} stands in for it</span>`;
}
