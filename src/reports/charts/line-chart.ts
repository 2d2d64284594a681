/** @file Curves over steps as SVG text: a static chart needs no library, and a charting library would need a DOM. */

import { decimal } from '../../base/number-format.ts';
import { escapeHtml } from '../text/html-page.ts';
import { axisOf, scaleOf } from './ticks.ts';

export interface LineSeries {
  readonly label: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly LineSeries[];
  /** Pixels; default 640 × 300. */
  readonly width?: number;
  readonly height?: number;
}

/** Points on each side that the bold curve averages, as a share of the series. */
const SMOOTHING = 0.04;

/**
 * An `<svg>`: each series as a faint line of its points and a bold running mean, named at its end.
 * Points that are not finite break the faint line. Colours are the classes `s0`, `s1`, … of the page.
 */
export function lineChart(chart: LineChart): string {
  const { width = 640, height = 300, series } = chart;
  const labelRoom = 12 + 7.2 * Math.max(0, ...series.map(({ label }) => label.length));
  const plot = { left: 52, right: width - Math.min(labelRoom, width / 3), top: 30, bottom: height - 42 };
  const points = series.flatMap((line) => line.points);
  const xs = points.map((point) => point.x).filter(Number.isFinite);
  const x = { ...axisOf(xs, width < 480 ? 4 : 6) };
  const low = Math.min(...xs);
  const high = Math.max(...xs);
  const xAxis =
    low < high ? { ...x, low, high, ticks: x.ticks.filter((tick) => tick >= low && tick <= high) } : x;
  const yAxis = axisOf(
    points.map((point) => point.y),
    5,
  );
  const toX = scaleOf(xAxis, plot.left, plot.right);
  const toY = scaleOf(yAxis, plot.bottom, plot.top);
  const smooth = series.map((line) => runningMean(line.points.filter(({ y }) => Number.isFinite(y))));
  const ends = spread(
    smooth.map((line) => (line.length === 0 ? plot.bottom : toY(line.at(-1)!.y))),
    16,
    plot.top,
    plot.bottom,
  );
  const grid = yAxis.ticks.map(
    (tick) => `<line class="grid" x1="${plot.left}" x2="${plot.right}" y1="${toY(tick)}" y2="${toY(tick)}"/>
<text class="tick" x="${plot.left - 8}" y="${toY(tick)}" dy=".32em" text-anchor="end">${decimal(tick, yAxis.digits)}</text>`,
  );
  const below = xAxis.ticks.map(
    (tick) =>
      `<line class="axis" x1="${toX(tick)}" x2="${toX(tick)}" y1="${plot.bottom}" y2="${plot.bottom + 5}"/>
<text class="tick" x="${toX(tick)}" y="${plot.bottom + 19}" text-anchor="middle">${decimal(tick, xAxis.digits)}</text>`,
  );
  const lines = series.map((line, i) => {
    const path = (of: LineSeries['points']) =>
      pathOf(of.map((point) => [toX(point.x), toY(point.y)] as const));
    const last = smooth[i]!.at(-1);
    const name =
      last === undefined
        ? ''
        : `<text class="name" x="${toX(last.x) + 8}" y="${ends[i]}" dy=".32em">${escapeHtml(line.label)}</text>`;
    return `<g class="s${i % 6}"><path class="raw" d="${path(line.points)}"/><path class="line" d="${path(smooth[i]!)}"/>${name}</g>`;
  });
  const summary = series.map((line, i) => {
    const from = smooth[i]![0]?.y ?? Number.NaN;
    return `${line.label} from ${decimal(from)} to ${decimal(smooth[i]!.at(-1)?.y ?? Number.NaN)}`;
  });
  return `<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(`${chart.title}: ${summary.join('; ')}`)}">
<text class="label" x="${plot.left - 44}" y="14">${escapeHtml(chart.yLabel)}</text>
${grid.join('\n')}
<line class="axis" x1="${plot.left}" x2="${plot.right}" y1="${plot.bottom}" y2="${plot.bottom}"/>
${below.join('\n')}
<text class="label" x="${(plot.left + plot.right) / 2}" y="${height - 4}" text-anchor="middle">${escapeHtml(chart.xLabel)}</text>
${lines.join('\n')}
</svg>`;
}

/** SVG path of points in pixels; a gap where one is not finite. */
function pathOf(points: readonly (readonly [number, number])[]): string {
  let pen = 'M';
  let path = '';
  for (const [x, y] of points) {
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      pen = 'M';
      continue;
    }
    path += `${pen}${x} ${y}`;
    pen = 'L';
  }
  return path;
}

/** Centred mean over a window that is cut off at the ends. */
function runningMean(points: LineSeries['points']): LineSeries['points'] {
  const reach = Math.round(points.length * SMOOTHING);
  return points.map((point, i) => {
    const window = points.slice(Math.max(0, i - reach), i + reach + 1);
    return { x: point.x, y: window.reduce((sum, { y }) => sum + y, 0) / window.length };
  });
}

/** Positions at least `gap` apart, near where they were, in their order. */
export function spread(
  positions: readonly number[],
  gap: number,
  least = Number.NEGATIVE_INFINITY,
  most = Number.POSITIVE_INFINITY,
): number[] {
  const order = positions.map((_, i) => i).sort((a, b) => positions[a]! - positions[b]!);
  const placed = [...positions];
  for (const [rank, i] of order.entries()) {
    const floor = rank === 0 ? least : placed[order[rank - 1]!]! + gap;
    placed[i] = Math.max(placed[i]!, floor);
  }
  for (const [rank, i] of [...order].reverse().entries()) {
    const ceiling = rank === 0 ? most : placed[order[order.length - rank]!]! - gap;
    placed[i] = Math.min(placed[i]!, ceiling);
  }
  return placed;
}
