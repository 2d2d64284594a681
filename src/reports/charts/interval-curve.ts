/** @file A curve whose every point has its interval, as SVG text: what more of something adds. */

import { decimal, estimateText, hasInterval } from '../../base/number-format.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import { escapeHtml } from '../text/html-page.ts';
import { axisOf, scaleOf } from './ticks.ts';

export interface IntervalCurve {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** In ascending order of `x`. */
  readonly points: readonly { readonly x: number; readonly estimate: Estimate }[];
  /** Index of the colour; default 1. */
  readonly series?: number;
  /** Pixels; default 640 × 260. */
  readonly width?: number;
  readonly height?: number;
}

/** An `<svg>`: dots with whiskers, joined; the value of each that has one stands above it. */
export function intervalCurve(curve: IntervalCurve): string {
  const { width = 640, height = 260, points, series = 1 } = curve;
  const plot = { left: 52, right: width - 24, top: 34, bottom: height - 42 };
  const least = points[0]?.x ?? 0;
  const xAxis = { low: least, high: Math.max(points.at(-1)?.x ?? 1, least + 1), ticks: [], digits: 0 };
  const yAxis = axisOf([0, ...points.flatMap(({ estimate }) => [estimate.low, estimate.high])], 4);
  const toX = scaleOf(xAxis, plot.left + 14, plot.right);
  const toY = scaleOf(yAxis, plot.bottom, plot.top);
  const grid = yAxis.ticks.map(
    (
      tick,
    ) => `<line class="${tick === 0 ? 'reference' : 'grid'}" x1="${plot.left}" x2="${plot.right}" y1="${toY(tick)}" y2="${toY(tick)}"/>
<text class="tick" x="${plot.left - 8}" y="${toY(tick)}" dy=".32em" text-anchor="end">${decimal(tick, yAxis.digits)}</text>`,
  );
  const marks = points.map(({ x, estimate }) => {
    const at = toX(x);
    const value = hasInterval(estimate)
      ? `<text class="value" x="${at}" y="${toY(estimate.high) - 9}" text-anchor="middle">${decimal(estimate.value, yAxis.digits + 1)}</text>`
      : '';
    return `<text class="tick" x="${at}" y="${plot.bottom + 19}" text-anchor="middle">${decimal(x, 0)}</text>
<line class="whisker" x1="${at}" x2="${at}" y1="${toY(estimate.low)}" y2="${toY(estimate.high)}"/><circle cx="${at}" cy="${toY(estimate.value)}" r="5"/>${value}`;
  });
  const path = points.map(({ x, estimate }, i) => `${i === 0 ? 'M' : 'L'}${toX(x)} ${toY(estimate.value)}`);
  const summary = points.map(({ x, estimate }) => `${decimal(x, 0)}: ${estimateText(estimate)}`);
  return `<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(`${curve.title}. ${summary.join('; ')}`)}">
<text class="label" x="${plot.left - 44}" y="14">${escapeHtml(curve.yLabel)}</text>
${grid.join('\n')}
<g class="s${series % 6}"><path class="line" d="${path.join('')}"/>${marks.join('\n')}</g>
<text class="label" x="${(plot.left + plot.right) / 2}" y="${height - 4}" text-anchor="middle">${escapeHtml(curve.xLabel)}</text>
</svg>`;
}
