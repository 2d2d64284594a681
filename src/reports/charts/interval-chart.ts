/** @file Dots with whiskers as SVG text: each number beside its interval, systems told apart by colour and by name. */

import { decimal, estimateText } from '../../base/number-format.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import { escapeHtml } from '../text/html-page.ts';
import { axisOf, scaleOf } from './ticks.ts';

export interface IntervalRow {
  readonly label: string;
  readonly estimate: Estimate;
  /** Index of the colour; the same system has the same one everywhere. */
  readonly series: number;
}

export interface IntervalGroup {
  readonly label: string;
  readonly rows: readonly IntervalRow[];
}

export interface IntervalChart {
  readonly title: string;
  readonly xLabel: string;
  readonly groups: readonly IntervalGroup[];
  /** A value to compare with, such as chance, drawn as a dashed line. */
  readonly reference?: { readonly value: number; readonly label: string };
  /** Decimals of the numbers; by default as many as each interval needs. */
  readonly digits?: number;
  /** Pixels; default 640. */
  readonly width?: number;
}

const ROW = 22;
const HEAD = 26;
const FONT = 7.2;

/** An `<svg>` whose height follows its rows; the numbers stand at the right, so that no reader must guess them. */
export function intervalChart(chart: IntervalChart): string {
  const { width = 640, groups, reference, digits } = chart;
  const numberOf = (estimate: Estimate) => estimateText(estimate, digits);
  const rows = groups.flatMap((group) => group.rows);
  const finite = rows.filter(({ estimate }) => Number.isFinite(estimate.value));
  const labelRoom = 16 + FONT * Math.max(0, ...rows.map((row) => row.label.length));
  const numberRoom =
    width < 480
      ? 8
      : 12 + FONT * 0.95 * Math.max(0, ...finite.map(({ estimate }) => numberOf(estimate).length));
  const plot = { left: Math.min(labelRoom, width / 3), right: width - numberRoom };
  const axis = axisOf(
    [
      ...finite.flatMap(({ estimate }) => [estimate.low, estimate.high, estimate.value]),
      ...(reference === undefined ? [] : [reference.value]),
    ],
    width < 480 ? 3 : 5,
  );
  const toX = scaleOf(axis, plot.left, plot.right);
  const top = reference === undefined ? 4 : 20;
  const parts: string[] = [];
  let y = top;
  for (const group of groups) {
    parts.push(`<text class="group" x="0" y="${y + 17}">${escapeHtml(group.label)}</text>`);
    y += HEAD;
    for (const row of group.rows) {
      parts.push(rowSvg(row, numberOf(row.estimate), toX, y + ROW / 2, plot.left, width));
      y += ROW;
    }
    y += 6;
  }
  const bottom = y;
  const grid = axis.ticks.map(
    (tick) => `<line class="grid" x1="${toX(tick)}" x2="${toX(tick)}" y1="${top}" y2="${bottom}"/>
<text class="tick" x="${toX(tick)}" y="${bottom + 16}" text-anchor="middle">${decimal(tick, axis.digits)}</text>`,
  );
  const line =
    reference === undefined
      ? ''
      : `<line class="reference" x1="${toX(reference.value)}" x2="${toX(reference.value)}" y1="${top}" y2="${bottom}"/>
<text class="tick" x="${toX(reference.value)}" y="12" text-anchor="middle">${escapeHtml(reference.label)}</text>`;
  const summary = groups.flatMap((group) =>
    group.rows.map((row) => `${group.label}, ${row.label}: ${numberOf(row.estimate)}`),
  );
  return `<svg class="chart" viewBox="0 0 ${width} ${bottom + 40}" role="img" aria-label="${escapeHtml(`${chart.title}. ${summary.join('; ')}`)}">
${grid.join('\n')}
${line}
${parts.join('\n')}
<text class="label" x="${(plot.left + plot.right) / 2}" y="${bottom + 35}" text-anchor="middle">${escapeHtml(chart.xLabel)}</text>
</svg>`;
}

function rowSvg(
  { label, estimate, series }: IntervalRow,
  text: string,
  toX: (value: number) => number,
  y: number,
  left: number,
  width: number,
): string {
  const name = `<text class="row" x="${left - 10}" y="${y}" dy=".32em" text-anchor="end">${escapeHtml(label)}</text>`;
  if (!Number.isFinite(estimate.value)) return name;
  const number =
    width >= 480
      ? `<text class="value" x="${width}" y="${y}" dy=".32em" text-anchor="end">${text}</text>`
      : '';
  return `${name}<g class="s${series % 6}"><title>${escapeHtml(label)}: ${text}</title>
<line class="whisker" x1="${toX(estimate.low)}" x2="${toX(estimate.high)}" y1="${y}" y2="${y}"/><circle cx="${toX(estimate.value)}" cy="${y}" r="5"/></g>${number}`;
}
