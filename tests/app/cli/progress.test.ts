/** @file Progress on a clock of the test: what is drawn when, on a terminal and elsewhere. */
import { describe, expect, it } from 'vitest';
import { clock, openingProgress, progressDisplay } from '../../../src/app/cli/progress.ts';

/** A display on a clock of our own, and what it has written. */
function display({ live, columns = 100 }: { live: boolean; columns?: number }) {
  const written: string[] = [];
  const time = { now: 0 };
  const shown = progressDisplay({
    write: (text) => written.push(text),
    live,
    columns: () => columns,
    now: () => time.now,
  });
  const report = (seconds: number, done: number, stage = 'training') => {
    time.now = seconds * 1000;
    shown.report({ stage, done, total: 10, unit: 'steps', detail: `loss ${10 - done}` });
  };
  return { shown, written, report };
}

describe('without a terminal', () => {
  it('writes the first report, one line every five seconds, and the last', () => {
    const { report, written } = display({ live: false });
    for (let step = 0; step <= 10; step++) report(step * 2, step);
    expect(written).toEqual([
      'training 0/10 steps · loss 10\n',
      'training 3/10 steps · loss 7 · 0:14 left\n',
      'training 6/10 steps · loss 4 · 0:08 left\n',
      'training 9/10 steps · loss 1 · 0:02 left\n',
      'training 10/10 steps · loss 0\n',
    ]);
  });

  it('writes the last state of a stage that another one follows, and times each from its own start', () => {
    const { report, written, shown } = display({ live: false });
    report(0, 0, 'one');
    report(1, 4, 'one');
    report(2, 0, 'two');
    report(8, 3, 'two');
    report(9, 4, 'two');
    shown.end();
    expect(written.map((line) => line.replace(/ · loss \d+/, ''))).toEqual([
      'one 0/10 steps\n',
      'one 4/10 steps · 0:03 left\n',
      'two 0/10 steps\n',
      'two 3/10 steps · 0:14 left\n',
      'two 4/10 steps · 0:13 left\n',
    ]);
  });

  it('writes an end that is reported several times once, and again for another stage of the name', () => {
    // Regression: weights whose last tensors are small ended as "538/538 MB" five times.
    const { report, written, shown } = display({ live: false });
    for (const second of [1, 2, 3, 9]) report(second, 10);
    shown.end();
    for (const done of [0, 10, 10]) report(20, done);
    shown.end();
    expect(written.map((line) => line.replace(/ · .*/, ''))).toEqual([
      'training 10/10 steps\n',
      'training 0/10 steps\n',
      'training 10/10 steps\n',
    ]);
  });

  it('never writes an escape code', () => {
    const { report, written, shown } = display({ live: false });
    report(0, 0);
    shown.line('a warning');
    report(9, 9);
    shown.clear();
    shown.end();
    expect(written.join('')).not.toContain('\u001b');
    expect(written).toContain('a warning\n');
  });
});

it('estimates do not jump when the pace changes', () => {
  // Half of the steps were known already: what was left once went from 9 seconds to 60 within three lines.
  const { report, written } = display({ live: false });
  const times = [0, 2, 20, 40, 60, 80];
  times.forEach((seconds, i) => {
    report(seconds, i === 0 ? 0 : 4 + i);
  });
  const left = written.flatMap((line) => /(\d+):(\d\d) left/.exec(line)?.slice(1).map(Number) ?? []);
  const shown = Array.from({ length: left.length / 2 }, (_, i) => 60 * left[2 * i]! + left[2 * i + 1]!);
  expect(shown.length).toBeGreaterThan(3);
  for (let i = 1; i < shown.length; i++) expect(shown[i]! / shown[i - 1]!).toBeLessThan(2);
});

describe('on a terminal', () => {
  it('draws one line over itself, at most ten times a second, and takes it away at the end', () => {
    const { report, written, shown } = display({ live: true });
    report(0, 0);
    report(0.05, 1);
    report(0.12, 2);
    report(2, 5);
    expect(written).toEqual([
      '\r\u001b[2Ktraining ░░░░░░░░░░░░░░░░░░░░░░░░ 0/10 steps · loss 10',
      '\r\u001b[2Ktraining █████░░░░░░░░░░░░░░░░░░░ 2/10 steps · loss 8',
      '\r\u001b[2Ktraining ████████████░░░░░░░░░░░░ 5/10 steps · loss 5 · 0:02 left',
    ]);
    shown.end();
    expect(written.at(-1)).toBe('\r\u001b[2K');
  });

  it('writes a warning above the bar and draws the bar again', () => {
    const { report, written, shown } = display({ live: true });
    report(0, 3);
    shown.line('warning: short');
    expect(written.slice(1)).toEqual(['\r\u001b[2Kwarning: short\n', written[0]]);
  });

  it('cuts a line that would wrap, for a wrapped line cannot be drawn over', () => {
    const { report, written } = display({ live: true, columns: 30 });
    report(0, 3);
    const text = written[0]!.replace('\r\u001b[2K', '');
    expect(text).toHaveLength(29);
    expect(text.endsWith('…')).toBe(true);
  });
});

it('shows seconds, minutes and hours', () => {
  expect([0.2, 59, 60, 187, 3723].map(clock)).toEqual(['0:01', '0:59', '1:00', '3:07', '1:02:03']);
});

describe('opening a session', () => {
  // A terminal showed nothing for minutes.
  it('is told for large graphs, before and after', () => {
    const large = { bytes: 400_000 };
    expect(openingProgress({ state: 'opening', ...large })).toMatchObject({ done: 0, total: 1 });
    expect(openingProgress({ state: 'open', ...large })).toMatchObject({ done: 1, total: 1 });
    expect(openingProgress({ state: 'opening', bytes: 60_000 })).toBeUndefined();
  });
});
