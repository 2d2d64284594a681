/** @file Dots with whiskers as SVG text: each number beside its interval, told apart by colour and by name. */

import { estimateText } from '../../base/number-format.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import { type Html, html } from '../text/html.ts';
import { frame } from './frame.ts';
import { axisOf, scaleOf } from './ticks.ts';

export interface IntervalRow {
  readonly label: string;
  readonly estimate: Estimate;
  /** Index of the colour; the same thing has the same one on every page. */
  readonly series: number;
}

export interface IntervalGroup {
  /** Above the rows; none for a group that the chart's caption names. */
  readonly label?: string;
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
export function intervalChart(chart: IntervalChart): Html {
  const { width = 640, groups, reference, digits } = chart;
  const numberOf = (estimate: Estimate) => estimateText(estimate, digits);
  const rows = groups.flatMap((group) => group.rows);
  const finite = rows.filter(({ estimate }) => Number.isFinite(estimate.value));
  const labelRoom = 16 + FONT * Math.max(0, ...rows.map((row) => row.label.length));
  const numberRoom =
    width < 480
      ? 8
      : 12 + FONT * 0.95 * Math.max(0, ...finite.map(({ estimate }) => numberOf(estimate).length));
  const top = reference === undefined ? 4 : 20;
  const left = Math.min(labelRoom, width * (width < 480 ? 0.42 : 1 / 3));
  const right = width - numberRoom;
  const axis = axisOf(
    [
      ...finite.flatMap(({ estimate }) => [estimate.low, estimate.high, estimate.value]),
      ...(reference === undefined ? [] : [reference.value]),
    ],
    width < 480 ? 3 : 5,
  );
  const toX = scaleOf(axis, left, right);
  const parts: Html[] = [];
  let y = top;
  for (const group of groups) {
    if (group.label !== undefined) {
      parts.push(html`<text class="group" x="0" y="${y + 17}">${group.label}</text>\n`);
      y += HEAD;
    }
    for (const row of group.rows) {
      parts.push(rowSvg(row, numberOf(row.estimate), toX, y + ROW / 2, left, width));
      y += ROW;
    }
    y += 6;
  }
  const line =
    reference &&
    html`<line class="reference" x1="${toX(reference.value)}" x2="${toX(reference.value)}" y1="${top}" y2="${y}"/>
<text class="tick" x="${toX(reference.value)}" y="12" text-anchor="middle">${reference.label}</text>`;
  const summary = groups.flatMap((group) =>
    group.rows.map((row) =>
      [group.label, `${row.label}: ${numberOf(row.estimate)}`]
        .filter((text) => text !== undefined)
        .join(', '),
    ),
  );
  return frame(
    {
      width,
      height: y + 40,
      plot: { left, right, top, bottom: y },
      title: chart.title,
      summary,
      x: { axis, to: toX, label: chart.xLabel },
    },
    html`${line}\n${parts}`,
  );
}

function rowSvg(
  { label, estimate, series }: IntervalRow,
  text: string,
  toX: (value: number) => number,
  y: number,
  left: number,
  width: number,
): Html {
  const name = html`<text class="row" x="${left - 10}" y="${y}" dy=".32em" text-anchor="end">${label}</text>\n`;
  if (!Number.isFinite(estimate.value)) return name;
  const number =
    width >= 480 &&
    html`<text class="value" x="${width}" y="${y}" dy=".32em" text-anchor="end">${text}</text>\n`;
  return html`${name}<g class="s${series % 6}"><title>${label}: ${text}</title>
<line class="whisker" x1="${toX(estimate.low)}" x2="${toX(estimate.high)}" y1="${y}" y2="${y}"/><circle cx="${toX(estimate.value)}" cy="${y}" r="5"/></g>${number}`;
}
