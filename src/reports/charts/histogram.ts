/** @file Counts as bars, as SVG text. */
import { escapeHtml } from '../text/html-page.ts';
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
export function histogram({ title, xLabel, bars, width = 640 }: Histogram): string {
  const axis = axisOf([0, ...bars.map(({ count }) => count)], 3);
  const left = 12 + 8 * String(axis.high).length;
  const toY = scaleOf(axis, HEIGHT, 8);
  const step = (width - left) / Math.max(1, bars.length);
  const longest = Math.max(1, ...bars.map(({ label }) => label.length));
  const every = Math.max(1, Math.ceil((longest * 7 + 8) / step));
  const drawn = bars.map(({ label, count }, i) => {
    const x = left + i * step;
    const text =
      i % every === 0
        ? `<text class="tick" x="${(x + step / 2).toFixed(1)}" y="${HEIGHT + 16}" text-anchor="middle">${escapeHtml(label)}</text>`
        : '';
    return `<rect class="bar" x="${(x + step * 0.1).toFixed(1)}" y="${toY(count)}" width="${(step * 0.8).toFixed(1)}" height="${(HEIGHT - toY(count)).toFixed(1)}"><title>${escapeHtml(label)}: ${count}</title></rect>${text}`;
  });
  const grid = axis.ticks.map(
    (tick) =>
      `<line class="grid" x1="${left}" x2="${width}" y1="${toY(tick)}" y2="${toY(tick)}"/><text class="tick" x="${left - 6}" y="${toY(tick) + 4}" text-anchor="end">${tick}</text>`,
  );
  const summary = bars.map(({ label, count }) => `${label}: ${count}`).join('; ');
  return `<svg class="chart" viewBox="0 0 ${width} ${HEIGHT + 40}" role="img" aria-label="${escapeHtml(`${title}. ${summary}`)}">
${grid.join('\n')}
${drawn.join('\n')}
<text class="label" x="${(left + width) / 2}" y="${HEIGHT + 35}" text-anchor="middle">${escapeHtml(xLabel)}</text>
</svg>`;
}
