/** @file The history beside a heat map: numbers, kinds and the ties between tokens and items, on pages and terminals. */
import { describe, expect, it } from 'vitest';
import { displayPieces, type EffectMap } from '../../../src/method/explain/effect-map.ts';
import { LEVELS } from '../../../src/reports/heat-map/colour-scale.ts';
import { effectMapJson } from '../../../src/reports/heat-map/effect-map-json.ts';
import { renderEffectMapHtml } from '../../../src/reports/heat-map/heat-map-html.ts';
import { renderEffectMapTerminal } from '../../../src/reports/heat-map/heat-map-terminal.ts';
import { effectToken, exampleMap } from './example-map.ts';

const attack = '</li><img src=x onerror=alert(1)>"';

/** Two items: the first adds to the first word, the second does nothing while the first is there. */
function mapOfItems(extra: Partial<EffectMap> = {}): EffectMap {
  const map = exampleMap('own words', [2, 0], extra);
  const added = [
    [2, 0.01],
    [-0.5, 0],
    [0, 0],
  ];
  return {
    ...map,
    history: [
      { id: 'first', time: '2020-01-02', query: 'About granite', text: 'Own words of old' },
      { id: 'second', query: attack, text: attack },
    ],
    items: [
      { effect: 0.5, mean: 0.4, low: 0.1, high: 0.75, kind: 'useful' },
      { effect: 0.0033, mean: 0.2, low: 0, high: 0.5, kind: 'redundant', twin: 'first' },
    ],
    tokens: map.tokens.map((token, t) => ({ ...token, itemEffects: added[t]! })),
  };
}

describe('the items on a page', () => {
  const html = renderEffectMapHtml([mapOfItems()]);

  it('stand with D, its interval, their kind and the definition of every kind that occurs', () => {
    expect(html).toContain('D +0.500 · among random others +0.400 [+0.100, +0.750]');
    expect(html).toContain('<span class="kind useful">adds</span>');
    expect(html).toContain('item 1 stands in for it');
    expect(html).toContain('its twin, is there');
    expect(html).not.toContain('<span class="kind idle">');
  });

  it('are tied to the tokens by levels on the scale of the log ratio, and named in the facts where they add much', () => {
    expect(html).toContain(`data-items="${LEVELS},0"`);
    expect(html).toContain(`data-items="-2,0"`);
    expect(html).toMatch(/data-name="own"[^>]*\|item 1 adds=\+2\.00"/);
    expect(html).not.toContain('item 2 adds=');
  });

  it('are buttons, so that a keyboard reaches them, and columns of the table of tokens', () => {
    expect(html.match(/<button type="button" class="item" aria-pressed="false"/g)).toHaveLength(2);
    expect(html).toContain('<th scope="col">item 2 adds</th>');
    expect(html).toContain('role="status"');
  });

  it('cannot break out of the page, and are lengths when redacted', () => {
    expect(html).not.toContain('<img');
    const redacted = renderEffectMapHtml([mapOfItems()], { redact: true });
    expect(redacted).not.toMatch(/granite|onerror|of old|2020-01-02/);
    expect(redacted).toContain('item 1 stands in for it');
  });

  it('are absent where they were not asked for', () => {
    const plain = renderEffectMapHtml([exampleMap('own words')]);
    expect(plain).not.toContain('class="carriers"');
    expect(plain).toContain('<summary>History: 1 earlier text</summary>');
  });
});

it('tokens that share a character add up what the items do', () => {
  const tokens = [0.25, 0.5].map((effect) =>
    effectToken('\ufffd', 0, 1, { start: 0, end: 2, itemEffects: [effect, -effect] }),
  );
  const [piece] = displayPieces({ response: '🙂', tokens });
  expect(piece!.token!.itemEffects).toEqual([0.75, -0.75]);
});

it('the terminal lists the items with the tokens that they add to, without escapes of users', () => {
  const text = renderEffectMapTerminal(mapOfItems(), { color: false });
  expect(text).toContain(
    '1. 2020-01-02 · About granite  adds\n   D +0.500 · among random others +0.400 [+0.100, +0.750]\n',
  );
  expect(text).toContain('   adds to own +2.00\n');
  expect(text).toContain('has a twin: item 1');
});

it('the JSON has the items in the order of the history and their effects at every token', () => {
  const json = effectMapJson(mapOfItems());
  expect(json.items!.map(({ kind }) => kind)).toEqual(['useful', 'redundant']);
  expect(json.tokens[0]!.itemEffects).toEqual([2, 0.01]);
  expect(JSON.stringify(effectMapJson(mapOfItems(), { redact: true }))).not.toMatch(/first|granite/);
});
