/** @file A chart of a report as an SVG file of its own, for documents that show images. */
import { type Html, markupOf } from '../text/html.ts';
import { chartStyle } from '../text/report-style.ts';

/** What the page around a chart gives it in a report: light paper, as documents have it. */
const page = ':root{--paper:#fff;--ink:#1b1f2a;--soft:#575d6b;--line:#dcdfe6;--sans:system-ui,sans-serif}';

/** The `<svg>` of a chart as a whole file, its style inside. */
export function standaloneChart(svg: Html): string {
  return markupOf(svg).replace(
    /^<svg ([^>]*)>/,
    `<svg xmlns="http://www.w3.org/2000/svg" $1><style>${page}${chartStyle}</style><rect width="100%" height="100%" fill="#fff"/>`,
  );
}
