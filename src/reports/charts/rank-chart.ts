/** @file All of a crowd in one picture, as SVG text: a dot with its interval for each, largest first. */

import { decimal, estimateText } from '../../base/number-format.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import { type Html, html } from '../text/html.ts';
import { EFFECT_SERIES, frame } from './frame.ts';
import { axisOf, scaleOf } from './ticks.ts';

export interface RankChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** In the order of the picture; one without an interval has low = high. */
  readonly entries: readonly { readonly label: string; readonly estimate: Estimate }[];
  /** Their mean, drawn as a line. */
  readonly mean: number;
  /** Pixels; default 640 × 240. */
  readonly width?: number;
  readonly height?: number;
}

/** An `<svg>`: what lies above 0 has the colour of C, what lies below is grey. */
export function rankChart(chart: RankChart): Html {
  const { width = 640, height = 240, entries, mean } = chart;
  const plot = { left: 52, right: width - 8, top: 30, bottom: height - 26 };
  const axis = axisOf([0, ...entries.flatMap(({ estimate }) => [estimate.low, estimate.high])], 5);
  const toY = scaleOf(axis, plot.bottom, plot.top);
  const toX = scaleOf(
    { low: -0.5, high: Math.max(entries.length, 1) - 0.5, ticks: [], digits: 0 },
    plot.left,
    plot.right,
  );
  const radius = Math.max(1.5, Math.min(5, (0.4 * (plot.right - plot.left)) / Math.max(entries.length, 1)));
  const dots = entries.map(({ label, estimate }, i) => {
    const [x, y] = [toX(i), toY(estimate.value)];
    const whisker =
      estimate.low !== estimate.high &&
      html`<line class="whisker thin" x1="${x}" x2="${x}" y1="${toY(estimate.low)}" y2="${toY(estimate.high)}"/>`;
    const series = estimate.value > 0 ? EFFECT_SERIES.userSpecific : EFFECT_SERIES.generic;
    return html`<g class="s${series}"><title>${label}: ${estimateText(estimate)}</title>${whisker}<circle cx="${x}" cy="${y}" r="${radius}"/></g>\n`;
  });
  const above = entries.filter(({ estimate }) => estimate.value > 0).length;
  return frame(
    {
      width,
      height,
      plot,
      title: chart.title,
      summary: [`${above} of ${entries.length} above 0`, `mean ${decimal(mean, 3)}`],
      xLabel: chart.xLabel,
      y: { axis, to: toY, label: chart.yLabel, line: (tick) => (tick === 0 ? 'axis' : 'grid') },
    },
    html`<line class="reference" x1="${plot.left}" x2="${plot.right}" y1="${toY(mean)}" y2="${toY(mean)}"/>
<text class="tick mean" x="${plot.right}" y="${toY(mean) - 6}" text-anchor="end">mean ${decimal(mean, 3)}</text>
${dots}`,
  );
}
