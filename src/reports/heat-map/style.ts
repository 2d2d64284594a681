/** @file The look of heat maps: prose first, colours in two themes, readable on paper and on a phone. */

import { type EffectName, effectKinds } from '../../method/explain/effect-map.ts';
import { colourOf, hexOf, LEVELS, type Theme, themes } from './colour-scale.ts';

/** Short attribute of a token that holds its level for an effect. */
export const levelAttributes: Readonly<Record<EffectName, string>> = {
  logRatio: 'data-l',
  probability: 'data-p',
  divergence: 'data-d',
  divergenceAtLeast: 'data-b',
  userSpecific: 'data-u',
  generic: 'data-g',
};

const names = Object.keys(effectKinds) as EffectName[];
const levels = Array.from({ length: 2 * LEVELS + 1 }, (_, i) => i - LEVELS);

function themeVariables(theme: Theme, extra: string): string {
  const ramp = levels.map((level) => `--c${level}:${hexOf(colourOf(level, theme))}`);
  const moved = levels
    .filter((level) => level >= 0)
    .map((level) => `--m${level}:${hexOf(colourOf(level, theme, false))}`);
  return [`--paper:${hexOf(theme.paper)}`, `--ink:${hexOf(theme.ink)}`, ...ramp, ...moved, extra].join(';');
}

const light = themeVariables(
  themes.light,
  '--soft:#575d6b;--grey:#e4e5ea;--line:#dcdfe6;--panel:#f6f7f9;--accent:#1c5fb0;--halo:rgb(20 24 34/.16)',
);
const dark = themeVariables(
  themes.dark,
  '--soft:#a2a9b8;--grey:#3a3e46;--line:#343943;--panel:#1e2128;--accent:#82b6f5;--halo:rgb(0 0 0/.6)',
);

/** In place of a level: an effect that the noise of a server could have made. */
export const WITHIN_NOISE = 'noise';

/** Which attribute colours the tokens, by the radio button that is on, unless an item of the history colours them. */
function colourRules(): string {
  const rule = (name: EffectName, scope: string) =>
    levels
      .filter((level) => effectKinds[name].signed || level >= 0)
      .filter((level) => level !== 0)
      .map((level) => {
        const colour = effectKinds[name].signed ? `--c${level}` : `--m${level}`;
        return `${scope} .map:not(.of-item) .t[${levelAttributes[name]}="${level}"]{background:var(${colour})}`;
      })
      .join('\n');
  const grey = (name: EffectName, scope: string) =>
    `${scope} .map:not(.of-item) .t[${levelAttributes[name]}="${WITHIN_NOISE}"]{background:var(--grey)}`;
  return names
    .map((name) => `:root:has(#by-${name}:checked)`)
    .map((scope, i) => `${rule(names[i]!, scope)}\n${grey(names[i]!, scope)}`)
    .join('\n');
}

/** Tokens under a pressed item, and items under the token in hand. */
const itemRules = levels
  .filter((level) => level !== 0)
  .map((level) => `.of-item .t[data-i="${level}"],.items li[data-i="${level}"]{background:var(--c${level})}`)
  .join('\n');

/** Legends of the effects that are not chosen stay hidden. */
const legendRules = names
  .map((name) => `:root:has(#by-${name}:checked) .legend[data-effect="${name}"]{display:grid}`)
  .join('\n');

/** Colours and type that heat maps and reports share. */
export const pageStyle = `
:root{color-scheme:light dark;${light};
--serif:ui-serif,"Iowan Old Style","Palatino Linotype",Palatino,"Source Serif 4",Georgia,serif;
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
@media (prefers-color-scheme:dark){:root{${dark}}}
@media print{:root{${light}}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:60rem;padding:2.5rem clamp(1rem,4vw,2.5rem) 5rem;background:var(--paper);color:var(--ink);
font:1rem/1.55 var(--sans)}
h1{font:600 2rem/1.2 var(--serif);margin:0 0 .5rem;letter-spacing:-.01em;text-wrap:balance}
h2{font:600 1.35rem/1.3 var(--serif);margin:0 0 .25rem;text-wrap:balance}
h3{font:600 1rem/1.4 var(--sans);margin:1.5rem 0 .5rem}
p{margin:.5rem 0}
.soft,.facts,figcaption,caption{color:var(--soft)}
.facts,figcaption,.note{font-size:.875rem}
.named{font:.75em/1 ui-monospace,monospace;border:1px solid var(--soft);border-radius:3px;padding:0 .2em;unicode-bidi:isolate}
summary{cursor:pointer;padding:.35rem 0;font-size:.9rem;color:var(--accent)}
summary:focus-visible,a:focus-visible,label:has(:focus-visible){outline:2px solid var(--accent);outline-offset:2px;border-radius:3px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .7rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
th{font-weight:600;vertical-align:bottom}
thead th{white-space:normal;min-width:4.5rem}
tbody th{font-weight:400}
thead th{border-bottom:1.5px solid var(--soft)}
.text,tbody th{text-align:left}
.text bdi{white-space:pre}
caption{text-align:left;padding:.25rem 0 .5rem;font-size:.875rem}
@media print{body{padding:0;max-width:none}}
`;

/** Style of the heat maps, to follow {@link pageStyle}. */
export const effectMapStyle = `
.tools{position:sticky;top:0;z-index:2;background:var(--paper);border-bottom:1px solid var(--line);padding:.7rem 0;margin:1.25rem 0 0;
display:flex;flex-wrap:wrap;gap:.5rem 1.75rem;align-items:center;justify-content:space-between}
.tools fieldset{border:0;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:.3rem;min-width:0}
.tools legend{float:left;padding:.2rem .5rem .2rem 0;font-size:.85rem;color:var(--soft)}
.tools label{font-size:.85rem;padding:.2rem .65rem;border:1px solid var(--line);border-radius:99px;cursor:pointer}
.tools label:has(:checked){background:var(--ink);color:var(--paper);border-color:var(--ink)}
.tools input{position:absolute;opacity:0;pointer-events:none}
.legend{display:none;grid-template-columns:auto auto auto;font-size:.75rem;line-height:1.3;color:var(--soft);gap:.1rem 0;width:min(21rem,100%)}
.legend svg{grid-column:1/-1;width:100%;height:.8rem;display:block;border-radius:3px;border:1px solid var(--line)}
.legend span:nth-of-type(2){text-align:center}.legend span:nth-of-type(3){text-align:right}
.legend .ends{grid-column:1/-1;display:flex;justify-content:space-between;gap:1rem}
${levels.map((level) => `.k${level}{fill:var(--c${level})}`).join('')}
${levels
  .filter((level) => level >= 0)
  .map((level) => `.n${level}{fill:var(--m${level})}`)
  .join('')}
.map{padding:1rem 0 1.25rem;border-bottom:1px solid var(--line);break-inside:avoid-page}
.map:last-of-type{border-bottom:0}
.facts{margin:0 0 1rem}
.facts bdi{color:var(--ink)}
.query{margin:1rem 0 .25rem;font:italic 1.05rem/1.5 var(--serif);max-width:44rem;white-space:pre-wrap;overflow-wrap:anywhere}
.query b,.items b{font:600 .75rem/1 var(--sans);letter-spacing:.04em;color:var(--soft);margin-right:.5rem}
.prose{font:1.1875rem/1.9 var(--serif);max-width:44rem;margin:.75rem 0 1rem;white-space:pre-wrap;overflow-wrap:anywhere;
unicode-bidi:isolate}
.t{border-radius:2px;padding:.14em 0;-webkit-box-decoration-break:clone;box-decoration-break:clone;cursor:default;
print-color-adjust:exact;-webkit-print-color-adjust:exact}
.t:hover,.t:focus,.t.on{outline:2px solid var(--ink);outline-offset:-1px;position:relative;z-index:1}
.end{font-family:var(--sans);font-size:.85em;padding:.14em .3em;margin-left:.15em;color:var(--ink)}
.break{font-family:var(--sans);font-size:.75em;color:var(--soft);user-select:none;padding:0 .1em}
.t,.cause{text-decoration-color:var(--ink);text-underline-offset:.3em;text-decoration-skip-ink:none}
.user{text-decoration-line:underline;text-decoration-style:solid;text-decoration-thickness:2.5px}
.query-cause{text-decoration-line:underline;text-decoration-style:dotted;text-decoration-thickness:2.5px}
.both{text-decoration-line:underline;text-decoration-style:double;text-decoration-thickness:2px}
:root:has(#show-causes:not(:checked)) .t{text-decoration-line:none}
.causes{font-size:.875rem;color:var(--soft);display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;margin:.25rem 0 .5rem}
.causes .cause{color:var(--ink)}
.items{padding-left:1.4rem;margin:.25rem 0 1rem;font-size:.95rem}
.items li{margin:.6rem 0;padding:.1rem .5rem .1rem .2rem;border-radius:4px}
.items .effect{display:flex;flex-wrap:wrap;align-items:center;gap:.2rem .6rem;margin:0 0 .2rem}
.item{font:600 .8125rem/1 var(--sans);color:var(--accent);background:var(--paper);border:1px solid var(--line);border-radius:999px;
padding:.35rem .7rem;cursor:pointer}
.item:hover{border-color:var(--accent)}
.item[aria-pressed="true"]{color:var(--paper);background:var(--accent);border-color:var(--accent)}
.item:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.number{font-size:.875rem;font-variant-numeric:tabular-nums}
.kind{font:600 .75rem/1.2 var(--sans);border-radius:4px;padding:.15rem .45rem;border:1px solid var(--soft);white-space:nowrap}
.kind.useful{background:var(--c5);border-color:var(--c7)}
.kind.harmful{background:var(--c-5);border-color:var(--c-7)}
.kind.redundant{border-style:dashed}
.kind.idle{color:var(--soft);border-color:var(--line)}
.kinds{display:grid;grid-template-columns:auto 1fr;gap:.35rem .75rem;margin:.75rem 0;font-size:.875rem;max-width:44rem;align-items:baseline}
.kinds dd{margin:0}
.by-item:empty{display:none}
.items li[data-i] .soft,.items li[data-i] b{color:var(--ink)}
.carriers{margin:1rem 0}
.carriers .items{list-style:none;padding-left:0}
.carriers .items li{padding:.2rem .5rem;margin:.4rem -.5rem}
.map .carriers h3{margin:0}
.items p{margin:.1rem 0}
.items .body{font-family:var(--serif);white-space:pre-wrap;overflow-wrap:anywhere;max-width:44rem}
.note{color:var(--soft);max-width:44rem;margin-top:1.5rem}
#tip{position:fixed;z-index:9;left:0;top:0;max-width:min(21rem,calc(100vw - 1rem));background:var(--panel);color:var(--ink);
border:1px solid var(--line);border-radius:8px;box-shadow:0 6px 24px var(--halo);padding:.55rem .75rem;font-size:.8125rem;line-height:1.4;
pointer-events:none}
#tip[hidden]{display:none}
#tip strong{display:block;font:600 1rem/1.3 var(--serif);white-space:pre-wrap;overflow-wrap:anywhere;margin-bottom:.2rem}
#tip dl{display:grid;grid-template-columns:auto auto;gap:0 1rem;margin:0}
#tip dt{color:var(--soft)}
#tip dd{margin:0;text-align:right;font-variant-numeric:tabular-nums}
@media (max-width:40rem){body{padding-top:1.5rem}h1{font-size:1.6rem}.prose{font-size:1.0625rem}.tools{position:static}.legend{width:100%}}
@media print{.tools fieldset,#tip,.by-item{display:none}.tools{position:static}.map{padding-top:1rem}}
@media (forced-colors:active){.t,.kind,.items li{forced-color-adjust:none;color:var(--ink)}}
${colourRules()}
${itemRules}
${legendRules}
`;
