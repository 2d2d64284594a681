/**
 * @file Draws progress on stderr: a live bar on a terminal, a line every few seconds elsewhere, both with the time left.
 * Our own 100 lines instead of a package: bars of packages draw for terminals only, know one bar a process, and none
 * estimates time for stages that follow one another, writes warnings above itself and is silent when told to be.
 */
import type { Progress } from '../../base/progress.ts';

/** Where and how progress is drawn. */
export interface ProgressOptions {
  readonly write: (text: string) => void;
  /** Whether lines can be drawn over; false for files, pipes and CI. */
  readonly live: boolean;
  /** Width of the terminal at the moment. */
  readonly columns: () => number;
  /** Milliseconds of a clock that only runs forward. */
  readonly now: () => number;
}

/** A display that is silent until something is reported. */
export interface ProgressDisplay {
  report(progress: Progress): void;
  /** Writes a line that stays, above the bar. */
  line(text: string): void;
  /** Takes the bar away until the next report, because something else is about to be written on the terminal. */
  clear(): void;
  /** Takes the bar away for good, or writes the last line that is still owed. */
  end(): void;
}

const BAR_INTERVAL_MS = 100;
const LINE_INTERVAL_MS = 5000;
const CLEAR_LINE = '\r\u001b[2K';
const BAR_WIDTH = 24;

/** A display of one process's progress; stages follow one another, and each is timed from its own start. */
export function progressDisplay({ write, live, columns, now }: ProgressOptions): ProgressDisplay {
  let latest: Progress | undefined;
  let stageStart = { time: 0, done: 0 };
  let estimate: TimeEstimate | undefined;
  let drawnAt = Number.NEGATIVE_INFINITY;
  let drawn: Progress | undefined;
  const draw = (time: number) => {
    if (latest === undefined || latest === drawn) return;
    estimate = timeLeft(latest, stageStart, time, estimate);
    const text = progressText(latest, estimate?.seconds, live);
    write(live ? CLEAR_LINE + clip(text, columns() - 1) : `${text}\n`);
    drawnAt = time;
    drawn = latest;
  };
  return {
    report(progress) {
      const time = now();
      if (latest?.stage !== progress.stage) {
        if (!live) draw(time); // the last state of the stage before
        stageStart = { time, done: progress.done };
        estimate = undefined;
        drawnAt = Number.NEGATIVE_INFINITY;
      }
      latest = progress;
      const complete = progress.done === progress.total;
      // Work that is counted in large units may say several times that it is done.
      if (!live && complete && isSameState(progress, drawn)) drawn = progress;
      else if (complete || time - drawnAt >= (live ? BAR_INTERVAL_MS : LINE_INTERVAL_MS)) draw(time);
    },
    line(text) {
      write(live && drawn !== undefined ? `${CLEAR_LINE}${text}\n` : `${text}\n`);
      if (!live || drawn === undefined) return;
      drawn = undefined;
      draw(now());
    },
    clear() {
      if (live && drawn !== undefined) write(CLEAR_LINE);
      if (live) drawn = undefined;
    },
    end() {
      if (!live) draw(now());
      else if (drawn !== undefined) write(CLEAR_LINE);
      latest = undefined;
      drawn = undefined;
    },
  };
}

const isSameState = (a: Progress, b: Progress | undefined): boolean =>
  a.stage === b?.stage && a.done === b.done && a.total === b.total;

function progressText(progress: Progress, secondsLeft: number | undefined, bar: boolean): string {
  const { stage, done, total, unit, detail } = progress;
  const count = total === undefined ? `${done} ${unit}` : `${done}/${total} ${unit}`;
  const parts = [
    bar && total !== undefined
      ? `${stage} ${barOf(total > 0 ? done / total : 1)} ${count}`
      : `${stage} ${count}`,
    ...(detail === undefined ? [] : [detail]),
    ...(secondsLeft === undefined ? [] : [`${clock(secondsLeft)} left`]),
  ];
  return parts.join(' · ');
}

/** Seconds that are left, as they were shown at some time. */
interface TimeEstimate {
  readonly seconds: number;
  readonly time: number;
}

/** Seconds in which an estimate goes most of the way to what a new pace says. */
const SMOOTHING_SECONDS = 10;
/** An estimate moves by this factor at most from one look to the next, beside the time that has passed. */
const LARGEST_CHANGE = 1.5;

/** What is left by the pace since the stage began, smoothed; unknown in its first second. */
function timeLeft(
  { done, total }: Progress,
  start: { time: number; done: number },
  now: number,
  before: TimeEstimate | undefined,
): TimeEstimate | undefined {
  const elapsed = (now - start.time) / 1000;
  const progressed = done - start.done;
  if (total === undefined || done >= total || progressed <= 0 || elapsed < 1) return undefined;
  const seconds = ((total - done) * elapsed) / progressed;
  if (before === undefined) return { seconds, time: now };
  const passed = (now - before.time) / 1000;
  const expected = Math.max(1, before.seconds - passed);
  const change = (seconds / expected) ** (1 - Math.exp(-passed / SMOOTHING_SECONDS));
  const bounded = Math.min(LARGEST_CHANGE, Math.max(1 / LARGEST_CHANGE, change));
  return { seconds: expected * bounded, time: now };
}

function barOf(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * BAR_WIDTH);
  return '█'.repeat(full) + '░'.repeat(BAR_WIDTH - full);
}

/** Minutes and seconds, such as `3:07`, or hours `1:02:03`. */
export function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  const pad = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}

/** The text cut so that it never wraps. */
function clip(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;
}

/** Graphs below this size open in well under a second; one of 400 kB (135 million parameters) takes about 10 seconds. */
const LARGE_GRAPH_BYTES = 150_000;

/** What to show while the engine opens a session: nothing else is heard or drawn until it is open. */
export function openingProgress({ state, bytes }: { state: string; bytes: number }): Progress | undefined {
  if (bytes < LARGE_GRAPH_BYTES) return undefined;
  const isOpen = state === 'open';
  const detail = isOpen ? 'done' : 'the engine optimises the graph, which takes seconds for large models';
  return { stage: 'opening the model', done: isOpen ? 1 : 0, total: 1, unit: 'graphs', detail };
}
