/** @file A curve whose every point has its interval, as SVG text: what more of something adds. */

import { decimal, estimateText, hasInterval } from '../../base/number-format.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import { type Html, html } from '../text/html.ts';
import { frame } from './frame.ts';
import { axisOf, scaleOf } from './ticks.ts';

export interface IntervalCurve {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Decimals of x; default 0. */
  readonly xDigits?: number;
  /** In ascending order of `x`. */
  readonly points: readonly { readonly x: number; readonly estimate: Estimate }[];
  /** Index of the colour; default 1. */
  readonly series?: number;
  /** Pixels; default 640 × 260. */
  readonly width?: number;
  readonly height?: number;
}

/** An `<svg>`: dots with whiskers, joined; the value of each that has one stands above it. */
export function intervalCurve(curve: IntervalCurve): Html {
  const { width = 640, height = 260, points, series = 1, xDigits = 0 } = curve;
  const plot = { left: 52, right: width - 24, top: 34, bottom: height - 42 };
  const least = points[0]?.x ?? 0;
  const xAxis = { low: least, high: Math.max(points.at(-1)?.x ?? 1, least + 1), ticks: [], digits: 0 };
  const yAxis = axisOf([0, ...points.flatMap(({ estimate }) => [estimate.low, estimate.high])], 4);
  const toX = scaleOf(xAxis, plot.left + 14, plot.right);
  const toY = scaleOf(yAxis, plot.bottom, plot.top);
  const marks = points.map(({ x, estimate }) => {
    const at = toX(x);
    const value =
      hasInterval(estimate) &&
      html`<text class="value" x="${at}" y="${toY(estimate.high) - 9}" text-anchor="middle">${decimal(estimate.value, yAxis.digits + 1)}</text>`;
    return html`<text class="tick" x="${at}" y="${plot.bottom + 19}" text-anchor="middle">${decimal(x, xDigits)}</text>
<line class="whisker" x1="${at}" x2="${at}" y1="${toY(estimate.low)}" y2="${toY(estimate.high)}"/><circle cx="${at}" cy="${toY(estimate.value)}" r="5"/>${value}\n`;
  });
  const path = points.map(({ x, estimate }, i) => `${i === 0 ? 'M' : 'L'}${toX(x)} ${toY(estimate.value)}`);
  return frame(
    {
      width,
      height,
      plot,
      title: curve.title,
      summary: points.map(({ x, estimate }) => `${decimal(x, xDigits)}: ${estimateText(estimate)}`),
      xLabel: curve.xLabel,
      y: { axis: yAxis, to: toY, label: curve.yLabel, line: (tick) => (tick === 0 ? 'reference' : 'grid') },
    },
    html`<g class="s${series % 6}"><path class="line" d="${path.join('')}"/>${marks}</g>`,
  );
}
