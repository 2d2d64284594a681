/** @file Axes, line charts and interval charts as SVG text. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { intervalChart as intervalChartHtml } from '../../../src/reports/charts/interval-chart.ts';
import { intervalCurve as intervalCurveHtml } from '../../../src/reports/charts/interval-curve.ts';
import { lineChart as lineChartHtml, spread } from '../../../src/reports/charts/line-chart.ts';
import { rankChart as rankChartHtml } from '../../../src/reports/charts/rank-chart.ts';
import { axisOf, scaleOf } from '../../../src/reports/charts/ticks.ts';
import { markupOf } from '../../../src/reports/text/html.ts';
import { about } from '../comparison/example-results.ts';

const intervalChart = (chart: Parameters<typeof intervalChartHtml>[0]) => markupOf(intervalChartHtml(chart));
const intervalCurve = (chart: Parameters<typeof intervalCurveHtml>[0]) => markupOf(intervalCurveHtml(chart));
const lineChart = (chart: Parameters<typeof lineChartHtml>[0]) => markupOf(lineChartHtml(chart));
const rankChart = (chart: Parameters<typeof rankChartHtml>[0]) => markupOf(rankChartHtml(chart));

const numbers = (svg: string, attribute: string) =>
  [...svg.matchAll(new RegExp(` ${attribute}="(-?[\\d.]+)"`, 'g'))].map((match) => Number(match[1]));

describe('axisOf', () => {
  it('puts ticks at round numbers that enclose the values', () => {
    expect(axisOf([1.83, 2.57])).toMatchObject({
      low: 1.8,
      high: 2.6,
      ticks: [1.8, 2, 2.2, 2.4, 2.6],
      digits: 1,
    });
    expect(axisOf([0, 97]).ticks).toEqual([0, 20, 40, 60, 80, 100]);
  });

  it('holds all values with two to nine evenly spaced ticks, whatever the range', () => {
    const value = fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((x) => Number(x.toPrecision(4)));
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 9 }), (values) => {
        const { low, high, ticks } = axisOf(values);
        const slack = 1e-6 * (high - low);
        expect(low).toBeLessThanOrEqual(Math.min(...values) + slack);
        expect(high).toBeGreaterThanOrEqual(Math.max(...values) - slack);
        expect(ticks.length).toBeGreaterThanOrEqual(2);
        expect(ticks.length).toBeLessThanOrEqual(9);
      }),
    );
  });

  it('gives room to equal values and passes over those that are not finite', () => {
    const { low, high } = axisOf([2, 2, Number.NaN, Number.POSITIVE_INFINITY]);
    expect(low).toBeLessThan(2);
    expect(high).toBeGreaterThan(2);
    expect(axisOf([])).toMatchObject({ low: 0, high: 1 });
  });
});

describe('scaleOf', () => {
  it('maps the ends of the axis to the ends of the plot', () => {
    const scale = scaleOf(axisOf([0, 10]), 100, 0);
    expect([scale(0), scale(5), scale(10)]).toEqual([100, 50, 0]);
  });
});

describe('lineChart', () => {
  const points = Array.from({ length: 50 }, (_, i) => ({ x: i, y: 3 - i / 50 }));
  const chart = { title: 'Loss', xLabel: 'step', yLabel: 'nats', series: [{ label: 'sft', points }] };

  it('draws each series twice, names it at its end and tells its course to screen readers', () => {
    const svg = lineChart({ ...chart, series: [...chart.series, { label: 'nextquill', points }] });
    expect(svg.match(/class="raw"/g)).toHaveLength(2);
    expect(svg.match(/class="line"/g)).toHaveLength(2);
    expect(svg).toContain('>nextquill</text>');
    expect(svg).toMatch(/role="img" aria-label="Loss; sft from [\d.]+ to [\d.]+; nextquill from/);
    const names = [...svg.matchAll(/class="name" x="[\d.]+" y="([\d.]+)"/g)].map((match) => Number(match[1]));
    expect(Math.abs(names[0]! - names[1]!)).toBeGreaterThanOrEqual(15.9);
  });

  it('draws a lower loss lower', () => {
    const path = /class="raw" d="M([^"]*)"/.exec(lineChart(chart))![1]!.split('L');
    const ys = path.map((point) => Number(point.split(' ')[1]));
    for (let i = 1; i < ys.length; i++) expect(ys[i]).toBeGreaterThan(ys[i - 1]!);
  });

  it('breaks the line at a loss that is not finite instead of writing NaN', () => {
    const broken = points.map((point, i) => (i === 20 ? { ...point, y: Number.NaN } : point));
    const svg = lineChart({ ...chart, series: [{ label: 'sft', points: broken }] });
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    expect(/class="raw" d="([^"]*)"/.exec(svg)![1]!.match(/M/g)).toHaveLength(2);
  });

  it('survives an empty series and a single point', () => {
    const svg = lineChart({
      ...chart,
      series: [
        { label: 'none', points: [] },
        { label: 'one', points: [{ x: 1, y: 2 }] },
      ],
    });
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    expect(svg).toContain('>one</text>');
  });

  it('escapes its texts', () => {
    expect(lineChart({ ...chart, title: '"><script>', xLabel: '<b>' })).not.toMatch(/<script>|<b>/);
  });
});

describe('spread', () => {
  it('keeps positions apart and within bounds, in their order', () => {
    expect(spread([10, 11, 50], 16, 0, 100)).toEqual([10, 26, 50]);
    expect(spread([99, 98], 16, 0, 100)).toEqual([100, 84]);
  });
});

describe('intervalChart', () => {
  const chart = {
    title: 'NLL',
    xLabel: 'nats',
    groups: [
      {
        label: 'with history',
        rows: [
          { label: 'sft', estimate: about(2, 0.1), series: 0 },
          { label: 'nextquill', estimate: about(2.5, 0.2), series: 1 },
        ],
      },
    ],
  };

  it('puts each dot inside its whisker, and the larger value further right', () => {
    const svg = intervalChart(chart);
    const dots = numbers(svg, 'cx');
    const whiskers = [...svg.matchAll(/class="whisker" x1="([\d.]+)" x2="([\d.]+)"/g)].map((match) => [
      Number(match[1]),
      Number(match[2]),
    ]);
    expect(dots).toHaveLength(2);
    expect(dots[1]).toBeGreaterThan(dots[0]!);
    for (const [i, dot] of dots.entries()) {
      expect(dot).toBeGreaterThan(whiskers[i]![0]!);
      expect(dot).toBeLessThan(whiskers[i]![1]!);
    }
  });

  it('writes every number beside its dot and into the label for screen readers', () => {
    const svg = intervalChart(chart);
    expect(svg).toContain('>2.00 [1.90, 2.10]</text>');
    expect(svg).toContain(
      'aria-label="NLL; with history, sft: 2.00 [1.90, 2.10]; with history, nextquill: 2.50',
    );
  });

  it('takes the reference into the axis and names it', () => {
    const svg = intervalChart({ ...chart, reference: { value: 0, label: 'no effect' } });
    expect(svg).toContain('>no effect</text>');
    expect(numbers(svg, 'cx')[0]).toBeGreaterThan(Number(/class="reference" x1="([\d.]+)"/.exec(svg)![1]));
  });

  it('leaves out the dot of a value that is not finite', () => {
    const rows = [
      { label: 'x', estimate: { value: Number.NaN, low: Number.NaN, high: Number.NaN }, series: 0 },
    ];
    const svg = intervalChart({ ...chart, groups: [{ label: 'g', rows }] });
    expect(svg.replace(/aria-label="[^"]*"/, '')).not.toMatch(/NaN|Infinity|<circle/);
  });
});

describe('intervalCurve', () => {
  const points = [0, 1, 4].map((x) => ({ x, estimate: about(x / 10, x === 0 ? 0 : 0.05) }));
  const svg = intervalCurve({ title: 'Dose', xLabel: 'items', yLabel: 'A', points });

  it('places points by their x, with whiskers and values where intervals are known', () => {
    const [a, b, c] = numbers(svg, 'cx') as [number, number, number];
    expect((c - a) / (b - a)).toBeCloseTo(4, 1);
    expect(svg.match(/class="value"/g)).toHaveLength(2);
  });

  it('tells every point to screen readers', () => {
    expect(svg).toContain('aria-label="Dose; 0: 0.00; 1: 0.10 [0.05, 0.15]; 4: 0.40 [0.35, 0.45]"');
  });

  it('draws a single point', () => {
    expect(intervalCurve({ title: 'x', xLabel: 'x', yLabel: 'y', points: points.slice(0, 1) })).not.toMatch(
      /NaN|Infinity/,
    );
  });
});

describe('rankChart', () => {
  const entries = [0.4, 0.1, -0.2].map((value, i) => ({
    label: `user <${i}>`,
    estimate: about(value, i / 20),
  }));
  const svg = rankChart({ title: 'C', xLabel: 'users', yLabel: 'nats', entries, mean: 0.1 });

  it('draws a dot for each in order, the larger the higher, with a colour each above and below 0', () => {
    const [xs, ys] = [numbers(svg, 'cx'), numbers(svg, 'cy')];
    expect(xs).toEqual(xs.toSorted((a, b) => a - b));
    expect(ys).toEqual(ys.toSorted((a, b) => a - b));
    expect(svg.match(/<g class="s2">/g)).toHaveLength(2);
    expect(svg.match(/<g class="s0">/g)).toHaveLength(1);
  });

  it('draws whiskers only where an interval is known, and escapes names', () => {
    expect(svg.match(/class="whisker thin"/g)).toHaveLength(2);
    expect(svg).toContain('user &#60;0&#62;');
    // A bug: control and bidi characters of a name reached the title of its dot as they were.
    const hostile = [{ label: 'a\u202e\u0000b', estimate: about(1, 0) }];
    const named = rankChart({ title: '\u202e', xLabel: 'x', yLabel: 'y', entries: hostile, mean: 1 });
    for (const part of ['\u0000', '\u202e']) expect(named).not.toContain(part);
    expect(named).toContain('a⟨U+202E⟩⟨U+0000⟩b');
    expect(svg).toContain('2 of 3 above 0; mean 0.100');
  });
});
