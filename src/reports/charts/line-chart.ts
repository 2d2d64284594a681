/** @file Curves over steps as SVG text: a static chart needs no library, and a charting library would need a DOM. */

import { largest, smallest } from '../../base/largest.ts';
import { decimal } from '../../base/number-format.ts';
import { type Html, html } from '../text/html.ts';
import { frame } from './frame.ts';
import { axisOf, scaleOf } from './ticks.ts';

export interface LineSeries {
  readonly label: string;
  /** Index of the colour; default its place. */
  readonly series?: number;
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
export function lineChart(chart: LineChart): Html {
  const { width = 640, height = 300, series } = chart;
  const labelRoom = 12 + 7.2 * Math.max(0, ...series.map(({ label }) => label.length));
  const plot = { left: 52, right: width - Math.min(labelRoom, width / 3), top: 30, bottom: height - 42 };
  const points = series.flatMap((line) => line.points);
  const xs = points.map((point) => point.x).filter(Number.isFinite);
  const x = { ...axisOf(xs, width < 480 ? 4 : 6) };
  const low = smallest(xs);
  const high = largest(xs);
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
  const lines = series.map((line, i) => {
    const path = (of: LineSeries['points']) =>
      pathOf(of.map((point) => [toX(point.x), toY(point.y)] as const));
    const last = smooth[i]!.at(-1);
    const name =
      last && html`<text class="name" x="${toX(last.x) + 8}" y="${ends[i]}" dy=".32em">${line.label}</text>`;
    return html`<g class="s${line.series ?? i % 6}"><path class="raw" d="${path(line.points)}"/><path class="line" d="${path(smooth[i]!)}"/>${name}</g>\n`;
  });
  const summary = series.map((line, i) => {
    const from = smooth[i]![0]?.y ?? Number.NaN;
    return `${line.label} from ${decimal(from)} to ${decimal(smooth[i]!.at(-1)?.y ?? Number.NaN)}`;
  });
  return frame(
    {
      width,
      height,
      plot,
      title: chart.title,
      summary,
      x: { axis: xAxis, to: toX, label: chart.xLabel, line: () => 'axis' },
      y: { axis: yAxis, to: toY, label: chart.yLabel },
    },
    html`<line class="axis" x1="${plot.left}" x2="${plot.right}" y1="${plot.bottom}" y2="${plot.bottom}"/>
${lines}`,
  );
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
