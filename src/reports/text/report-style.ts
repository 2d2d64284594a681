/** @file The look of reports, to follow the page's style: tables, charts that follow the theme, findings. */

/** Series colours (after Okabe and Ito) keep 3 : 1 to the page in both themes and differ in lightness. */
const lightSeries = '--s0:#6b7280;--s1:#0b69a8;--s2:#c2500a;--s3:#0a7d5e;--s4:#9a4f86;--s5:#8a6d00';

/** Charts, on a page that names its colours and fonts. */
export const chartStyle = `
:root{${lightSeries}}
.chart{display:block;width:100%;height:auto;max-width:48rem;overflow:visible;font:13px var(--sans);font-variant-numeric:tabular-nums}
.chart text{fill:var(--ink)}
.chart .tick,.chart .label{fill:var(--soft);font-size:12px}
.chart .group{font-weight:600;paint-order:stroke;stroke:var(--paper);stroke-width:5px}
.chart .grid{stroke:var(--line);stroke-width:1}
.chart .axis{stroke:var(--soft);stroke-width:1}
.chart .reference{stroke:var(--soft);stroke-width:1.5;stroke-dasharray:4 4}
.chart .whisker{stroke-width:2.5;stroke-linecap:round}
.chart .line{fill:none;stroke-width:2.25;stroke-linejoin:round}
.chart .raw{fill:none;stroke-width:1;opacity:.3}
.chart circle{stroke:var(--paper);stroke-width:1.5}
${[0, 1, 2, 3, 4, 5]
  .map(
    (i) =>
      `.chart .s${i} path,.chart .s${i} line{stroke:var(--s${i})}.chart .s${i} circle,.chart .s${i} text.name{fill:var(--s${i})}.chart .s${i} .name{font-weight:600}`,
  )
  .join('\n')}
`;

/** All of a report. */
export const reportStyle = `
${chartStyle}@media (prefers-color-scheme:dark){:root{--s0:#a3abba;--s1:#5fb2ee;--s2:#f39a4d;--s3:#3fc79d;--s4:#d79ac4;--s5:#dcc04a}}
@media print{:root{${lightSeries}}}
header>p{max-width:44rem}
.answer{font:1.375rem/1.45 var(--serif);padding:.1rem 0 .1rem 1rem;border-left:4px solid var(--soft);margin:1rem 0;overflow-wrap:anywhere;text-wrap:pretty}
.answer.shown{border-color:var(--s3)}
.answer.warning{border-color:var(--s2)}
.section{border-top:1px solid var(--line);margin:0}
.section:first-of-type{margin-top:2rem}
.section>summary{padding:.8rem 0;color:var(--ink);list-style-position:outside}
.section>summary h2{display:inline;font-size:1.15rem;margin:0}
.section>summary:hover h2{text-decoration:underline;text-underline-offset:.2em}
.section[open]{padding-bottom:1.5rem}
.section>p,.section>ul{max-width:44rem}
.findings{padding:0;list-style:none;margin:.25rem 0;max-width:46rem}
.findings li{padding:.25rem 0 .25rem 1.6rem;position:relative}
.findings li::before{position:absolute;left:.1rem;content:"●";font-size:.7em;top:.7em;color:var(--s3)}
.findings li.open::before{content:"○";color:var(--soft)}
.findings li.warning::before{content:"▲";color:var(--s2)}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.facts-list{display:flex;flex-wrap:wrap;gap:.35rem 1.75rem;margin:.5rem 0;font-size:.875rem}
.facts-list div{min-width:0}
.facts-list dt{color:var(--soft)}
.facts-list dd{margin:0;overflow-wrap:anywhere}
.title{font:600 1rem/1.4 var(--sans);margin:1rem 0 .1rem}
.said{margin:.1rem 0 .5rem;color:var(--soft)}
figure{margin:1.25rem 0}
figcaption{max-width:44rem;margin-top:.4rem}
.narrow{display:none}
.chart .thin{stroke-width:1.25;opacity:.55}
.chart .mean,.chart .value{paint-order:stroke;stroke:var(--paper);stroke-width:4px}
.scroll:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.groups td,.groups tbody th{vertical-align:baseline}
.groups tbody th{max-width:16rem;min-width:5.5rem;overflow-wrap:anywhere;white-space:normal}
.groups td.text{white-space:normal}
.groups .interval{display:block;color:var(--soft);font-size:.78rem;white-space:nowrap}
@media (max-width:40rem){.wide{display:none}.narrow{display:block}.answer{font-size:1.1875rem;padding-left:.75rem}
.groups th,.groups td{padding:.3rem .35rem}.groups thead th{min-width:0}.groups .interval{white-space:normal}}
.provenance th{font-weight:400;color:var(--soft);text-align:left;white-space:normal}
.provenance td{text-align:left;white-space:normal;overflow-wrap:anywhere}
.private{font-size:.875rem;color:var(--soft)}
@media print{figure,tr,li{break-inside:avoid}details::details-content{content-visibility:visible;block-size:auto}}
`;
