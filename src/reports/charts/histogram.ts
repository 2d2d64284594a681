/** @file Counts as bars, as SVG text. */
import { type Html, html } from '../text/html.ts';
import { frame } from './frame.ts';
import { axisOf, scaleOf } from './ticks.ts';

export interface Histogram {
  readonly title: string;
  readonly xLabel: string;
  readonly bars: readonly { readonly label: string; readonly count: number }[];
  /** Pixels; default 640. */
  readonly width?: number;
}

const HEIGHT = 140;

/** An `<svg>`; labels that would touch are left out, and each bar tells its count to pointers and readers. */
export function histogram({ title, xLabel, bars, width = 640 }: Histogram): Html {
  const axis = axisOf([0, ...bars.map(({ count }) => count)], 3);
  const plot = { left: 14 + 8 * String(axis.high).length, right: width, top: 8, bottom: HEIGHT };
  const toY = scaleOf(axis, plot.bottom, plot.top);
  const step = (width - plot.left) / Math.max(1, bars.length);
  const longest = Math.max(1, ...bars.map(({ label }) => label.length));
  const every = Math.max(1, Math.ceil((longest * 7 + 8) / step));
  const drawn = bars.map(({ label, count }, i) => {
    const x = plot.left + i * step;
    const text =
      i % every === 0 &&
      html`<text class="tick" x="${(x + step / 2).toFixed(1)}" y="${HEIGHT + 16}" text-anchor="middle">${label}</text>`;
    return html`<rect class="bar" x="${(x + step * 0.1).toFixed(1)}" y="${toY(count)}" width="${(step * 0.8).toFixed(1)}" height="${(HEIGHT - toY(count)).toFixed(1)}"><title>${label}: ${count}</title></rect>${text}\n`;
  });
  return frame(
    {
      width,
      height: HEIGHT + 40,
      plot,
      title,
      summary: bars.map(({ label, count }) => `${label}: ${count}`),
      xLabel,
      y: { axis, to: toY, label: '' },
    },
    drawn,
  );
}
