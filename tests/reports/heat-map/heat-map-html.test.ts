/** @file The HTML of heat maps: self-contained, safe with any text, and true to the map. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LEVELS } from '../../../src/reports/heat-map/colour-scale.ts';
import { effectCaveat } from '../../../src/reports/heat-map/effect-words.ts';
import { mapAnswer, renderEffectMapHtml } from '../../../src/reports/heat-map/heat-map-html.ts';
import { markupOf } from '../../../src/reports/text/html.ts';
import { textHtml } from '../../../src/reports/text/html-page.ts';
import { effectToken, exampleMap } from './example-map.ts';

const main = (html: string) => html.slice(html.indexOf('<main>'), html.indexOf('</main>'));
/** The text a browser would show in the coloured prose, without the marks of line breaks. */
const proseText = (html: string) =>
  /<p class="prose"[^>]*>(.*?)<\/p>/s
    .exec(html)![1]!
    .replace(/<span class="break"[^>]*>¶<\/span>/g, '')
    .replace(/<[^>]*>/g, '')
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));

describe('renderEffectMapHtml', () => {
  const html = renderEffectMapHtml([exampleMap('plain words here', [3, -3, 0])]);

  it('loads nothing from anywhere', () => {
    expect(html).not.toMatch(/https?:|\/\/[a-z]/i);
    expect(html).not.toMatch(/<(?:link|img|iframe|object|embed|form|base|a)\b/i);
    expect(html).not.toMatch(/url\(|@import|fetch\(|XMLHttpRequest|\bsrc=/i);
  });

  it('allows only its own style and script by their hashes', () => {
    const hash = (tag: string) => {
      const content = new RegExp(`<${tag}>(.*?)</${tag}>`, 's').exec(html)![1]!;
      return `${tag}-src 'sha256-${createHash('sha256').update(content).digest('base64')}'`;
    };
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(html)![1]!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain(hash('style'));
    expect(policy).toContain(hash('script'));
    expect(html).not.toMatch(/ style=| on\w+=/);
  });

  it('marks the strength of each effect on its token and none at zero', () => {
    expect(html).toContain(`<span class="t" data-l="${LEVELS}"`);
    expect(html).toMatch(new RegExp(`data-l="-${LEVELS}"[^>]*data-name="␣words"`));
    expect(html).toMatch(/<span class="t" tabindex="-1" data-name="␣here"/);
  });

  it('draws effects grey that the noise of a server could have made, and says so', () => {
    const map = exampleMap('loud soft none', [3, -0.2, 0]);
    const remote = renderEffectMapHtml([{ ...map, meta: { ...map.meta, noiseMax: 0.25 } }]);
    expect(remote).toContain(`data-l="${LEVELS}"`);
    expect(remote).toMatch(/data-l="noise"[^>]*data-name="␣soft"/);
    expect(remote.match(/<span[^>]* data-l="noise"/g)).toHaveLength(1);
    expect(remote).toContain('Grey: not more than 0.250 nats');
    expect(renderEffectMapHtml([map])).not.toMatch(/<span[^>]* data-l="noise"|Grey:/);
  });

  it('shows probabilities, effects and weight of a token in its facts', () => {
    const map = exampleMap('word', [1.5]);
    const weighted = { ...map, tokens: map.tokens.map((token) => ({ ...token, weight: 0.0321 })) };
    const facts = /data-facts="([^"]*)"/.exec(renderEffectMapHtml([weighted]))![1]!;
    expect(facts).toBe(
      'position=0|log p with history=−2.50 (8.2%)|log p without history=−4.00 (1.8%)|log ratio=+1.50|probability difference=+0.064|divergence=0.150|weight=0.0321',
    );
  });

  it('puts one token of a map in the tab order', () => {
    expect(main(html).match(/<span[^>]* tabindex="0"/g)).toHaveLength(1);
    expect(main(html).match(/tabindex="-1"/g)).toHaveLength(3);
  });

  it('shows the end of turn as a sign and never its special token', () => {
    expect(html).toContain('⏎');
    expect(html).not.toContain('im_end');
  });

  it('says that the effects are teacher-forced and do not add up', () => {
    expect(html).toContain(markupOf(effectCaveat));
    expect(effectCaveat).toContain('do not add up');
  });

  it('gives units in the legends and lists all tokens in a table', () => {
    expect(html).toContain('≥ +3 nats');
    expect(html).toContain('≥ 0.30 nats');
    expect(html).toMatch(/≥ \+0\.\d\d probability/);
    expect(html).toContain('All 4 tokens as a table');
    expect(html.match(/<tr><td>/g)).toHaveLength(4);
  });

  it('offers a choice for each effect that the maps have, and starts with the one asked for', () => {
    expect(html.match(/type="radio"/g)).toHaveLength(3);
    expect(html).toContain('id="by-logRatio" checked');
    const byDivergence = renderEffectMapHtml([exampleMap('a')], { effect: 'divergence' });
    expect(byDivergence).toContain('id="by-divergence" checked');
    expect(byDivergence).not.toContain('id="by-logRatio" checked');
  });

  it('underlines known causes and explains them, only for simulated text', () => {
    expect(html).not.toContain('Known cause of each token');
    const map = exampleMap('mine yours', [2, 0]);
    const tokens = map.tokens.map((token, i) => ({
      ...token,
      cause: (['user', 'query', 'neither'] as const)[i]!,
    }));
    const simulated = renderEffectMapHtml([{ ...map, tokens }]);
    expect(simulated).toContain('Known cause of each token');
    expect(simulated).toContain('<span class="t user"');
    expect(simulated).toContain('<span class="t query-cause"');
    expect(simulated).toContain('known cause=user');
  });

  it('says so when there is no history', () => {
    const empty = renderEffectMapHtml([exampleMap('word', [0], { history: [] })]);
    expect(empty).toContain('every effect is 0');
  });

  it('answers first whether the history helped the text as a whole, and gives the sum as a table', () => {
    const likelier = renderEffectMapHtml([exampleMap('word', [2])]);
    expect(likelier).toContain('class="answer shown"');
    expect(likelier).toContain('<th scope="row">difference</th><td>+2.0</td><td>+1.000</td>');
    const said = [[2], [-2], [0.001]].map((effects) => mapAnswer(exampleMap('word', effects)));
    expect(new Set(said).size).toBe(3);
  });

  // A bug: facts were shown by their keys in the code, such as "historyItems 3".
  it('gives facts as labels and values, and no key of the code', () => {
    const shown = renderEffectMapHtml([
      exampleMap('word', [1], { meta: { reference: 'removed', historyItems: 3, someKey: 'x' } }),
    ]);
    expect(shown).toContain('<dt>History items shown</dt><dd><bdi>3</bdi></dd>');
    expect(main(shown)).not.toMatch(/historyItems|someKey/);
  });
});

describe('texts of users in HTML', () => {
  const attacks = [
    '<script>alert(1)</script>',
    '</style><script>alert(1)</script>',
    '</title></bdi></main><img src=x onerror=alert(1)>',
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    '`alert(1)`',
    '<!-- --> ]]> &lt;b&gt; &amp;',
    'a\u2028b\u2029c',
  ];

  it.each(attacks)('stay text everywhere: %s', (attack) => {
    const map = exampleMap(attack, [1], {
      title: attack,
      user: attack,
      example: attack,
      query: attack,
      model: attack,
      history: [{ id: attack, time: attack, query: attack, text: attack }],
      meta: { [attack]: attack },
    });
    const html = renderEffectMapHtml([map, map], { title: attack });
    const harmless = renderEffectMapHtml([exampleMap('x y z', [1]), exampleMap('x y z', [1])]);
    expect(html.match(/<script/g)).toHaveLength(1);
    expect(html.match(/<\/style/g)).toHaveLength(1);
    expect(html).not.toContain('<img');
    // Tags and attributes are ours alone: with the quoted values taken out, none of the attack's is left.
    const skeleton = main(html)
      .replace(/"[^"]*"/g, '""')
      .match(/<[^>]*>/g)!;
    const known = new Set(
      main(harmless)
        .replace(/"[^"]*"/g, '""')
        .match(/<[^>]*>/g)!,
    );
    known.add('<span class="">');
    expect(
      skeleton.filter((tag) => !known.has(tag) && !/^<span class=""( data-[lpd]="")* tabindex=""/.test(tag)),
    ).toEqual([]);
    expect(html).not.toMatch(/[\u2028\u2029]/);
  });

  it('come back unchanged from the prose', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[ -~éß漢🙂\n]{1,40}$/u), (text) => {
        expect(proseText(renderEffectMapHtml([exampleMap(text)]))).toBe(`${text}⏎`);
      }),
    );
  });

  it('cannot turn the page around: overrides are named and every text is isolated', () => {
    const html = renderEffectMapHtml([
      exampleMap('abc \u202edef', [1], { query: '\u2067x', user: '\u202eu' }),
    ]);
    expect(html).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
    expect(html).toContain('<span class="named">U+202E</span>def');
    expect(html).toContain('<bdi><span class="named">U+202E</span>u</bdi>');
    expect(html).toMatch(/\.prose\{[^}]*unicode-bidi:isolate/);
    expect(html).toContain('class="prose" dir="auto"');
  });

  it('show hidden and control characters by their names', () => {
    expect(markupOf(textHtml('a\u0000b\u200bc\u{e0041}d\u001b[31m'))).toBe(
      'a<span class="named">U+0000</span>b<span class="named">U+200B</span>c<span class="named">U+E0041</span>d<span class="named">U+001B</span>[31m',
    );
  });

  it('show one character that several tokens share once', () => {
    const tokens = [0, 1].map(() => effectToken('\ufffd', 0, 1, { start: 0, end: 2 }));
    const html = renderEffectMapHtml([{ ...exampleMap('x'), response: '🙂', tokens }]);
    expect(proseText(html)).toBe('🙂');
    expect(html).toContain('position=0–1, one character');
  });
});

describe('the redacted page', () => {
  const map = exampleMap('Quietly devastating prose', [1, 2, 3]);
  const html = renderEffectMapHtml([map, { ...map, user: 'Someone Else' }], { redact: true });

  it('holds none of the original words, names, ids, dates or textual facts', () => {
    const words = [
      map.response,
      map.query,
      map.user,
      'Someone Else',
      map.title,
      map.example,
      map.history[0]!.text,
    ]
      .concat(map.history[0]!.query, map.history[0]!.id, map.history[0]!.time!, 'Metaword')
      .flatMap((text) => text.split(/[^\p{L}\p{N}-]+/u))
      .filter((word) => word.length > 2 && !['the', 'map', 'was', 'here', 'about', 'prose'].includes(word));
    expect(words.length).toBeGreaterThan(12);
    const texts = html.replace(/<(style|script)>.*?<\/\1>/gs, '');
    expect(words.filter((word) => texts.includes(word))).toEqual([]);
  });

  it('gives lengths instead, numbers the users and keeps the effects', () => {
    expect(html).toContain(`[${map.query.length} characters]`);
    expect(html).toContain('·'.repeat('Quietly'.length));
    expect(html).toContain('<bdi>user 2</bdi>');
    expect(html).toContain('log ratio=+3.00');
  });
});
