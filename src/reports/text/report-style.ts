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
section{margin:2.75rem 0 0}
section>p,section>ul,header>p{max-width:44rem}
header{border-bottom:1px solid var(--line);padding-bottom:1rem}
.lead{font:1.1rem/1.6 var(--serif);margin:.75rem 0}
.findings{padding:0;list-style:none;margin:.5rem 0;max-width:46rem}
.findings li{padding:.4rem 0 .4rem 1.6rem;position:relative}
.findings li::before{position:absolute;left:.1rem;content:"●";font-size:.7em;top:.85em;color:var(--s3)}
.findings.not li::before{content:"○";color:var(--soft)}
.findings li.warning::before{content:"▲";color:var(--s2)}
section>h3{margin-bottom:.1rem}
figure{margin:1.25rem 0}
figcaption{max-width:44rem;margin-top:.4rem}
.narrow{display:none}
@media (max-width:40rem){.systems th,.systems td{padding:.3rem .4rem}.wide{display:none}.narrow{display:block}}
.systems td{white-space:normal}
.systems td,.systems tbody th{vertical-align:baseline}
.systems .interval{display:block;color:var(--soft);font-size:.78rem;white-space:nowrap}
.provenance th{font-weight:400;color:var(--soft);text-align:left;white-space:normal}
.provenance td{text-align:left;white-space:normal;overflow-wrap:anywhere}
.private{font-size:.875rem;color:var(--soft)}
@media print{section{break-inside:auto}figure,tr,li{break-inside:avoid}}
`;
