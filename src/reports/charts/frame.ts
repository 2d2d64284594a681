/** @file What every chart stands in: the `<svg>` with its words for those who do not see it, grid, ticks and labels. */
import { decimal } from '../../base/number-format.ts';
import { type Html, type HtmlPart, html } from '../text/html.ts';
import type { Axis } from './ticks.ts';

/** Pixels of the plot's edges. */
export interface Plot {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** An axis with its place. */
export interface FrameAxis {
  readonly axis: Axis;
  readonly to: (value: number) => number;
  readonly label: string;
  /** Class of the line at a tick; `grid` by default, none for ''. */
  readonly line?: (tick: number) => string;
}

export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly plot: Plot;
  /** Read out in place of the picture. */
  readonly title: string;
  readonly summary: readonly string[];
  /** Ticks below, with lines upward. */
  readonly x?: FrameAxis;
  /** Ticks at the left, with lines to the right. */
  readonly y?: FrameAxis;
  /** A label below where there are no ticks. */
  readonly xLabel?: string;
}

/** The colours of A, B and C on every page; systems have those after them. */
export const EFFECT_SERIES = { total: 1, generic: 0, userSpecific: 2 } as const;

/** The colour of the i-th system. */
export const systemSeries = (i: number) => 3 + (Math.max(i, 0) % 3);

/** The chart with its marks. */
export function frame(
  { width, height, plot, title, summary, x, y, xLabel = x?.label }: Frame,
  marks: HtmlPart,
): Html {
  const { left, right, top, bottom } = plot;
  const gridOf = ({ line = () => 'grid' }: FrameAxis, tick: number) => line(tick);
  const down = x?.axis.ticks.map((tick) => {
    const [at, line] = [x.to(tick), gridOf(x, tick)];
    return html`${line !== '' && html`<line class="${line}" x1="${at}" x2="${at}" y1="${line === 'axis' ? bottom : top}" y2="${line === 'axis' ? bottom + 5 : bottom}"/>`}
<text class="tick" x="${at}" y="${bottom + 18}" text-anchor="middle">${decimal(tick, x.axis.digits)}</text>`;
  });
  const across = y?.axis.ticks.map((tick) => {
    const [at, line] = [y.to(tick), gridOf(y, tick)];
    return html`${line !== '' && html`<line class="${line}" x1="${left}" x2="${right}" y1="${at}" y2="${at}"/>`}
<text class="tick" x="${left - 8}" y="${at}" dy=".32em" text-anchor="end">${decimal(tick, y.axis.digits)}</text>`;
  });
  return html`<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label="${[title, ...summary].join('; ')}">
${y && y.label !== '' && html`<text class="label" x="${Math.max(0, left - 44)}" y="14">${y.label}</text>`}
${down}${across}
${marks}
${xLabel !== undefined && html`<text class="label" x="${(left + right) / 2}" y="${height - 4}" text-anchor="middle">${xLabel}</text>`}
</svg>`;
}
