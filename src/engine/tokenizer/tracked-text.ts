/** @file Text that remembers where it came from: each UTF-16 unit of a normalised text has its span in the original. */

/** A text and, for each of its UTF-16 units, the span of the original that it stands for. */
export interface TrackedText {
  readonly text: string;
  /** Start in the original of each unit, u32[text.length]. */
  readonly starts: Uint32Array;
  /** End (exclusive) in the original of each unit, u32[text.length]. */
  readonly ends: Uint32Array;
}

/** A stretch `from` … `to` of a tracked text that becomes `text`; an empty stretch is an insertion. */
export interface Replacement {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** The original itself, from `from` to `to`; both halves of a surrogate pair stand for the whole character. */
export function trackOriginal(original: string, from: number, to: number): TrackedText {
  const starts = new Uint32Array(to - from);
  const ends = new Uint32Array(to - from);
  for (let i = from; i < to; ) {
    const next = i + (original.codePointAt(i)! > 0xffff && i + 1 < to ? 2 : 1);
    starts.fill(i, i - from, next - from);
    ends.fill(next, i - from, next - from);
    i = next;
  }
  return { text: original.slice(from, to), starts, ends };
}

/** The units `from` … `to` of a tracked text. */
export function sliceTracked(tracked: TrackedText, from: number, to: number): TrackedText {
  if (from === 0 && to === tracked.text.length) return tracked;
  return {
    text: tracked.text.slice(from, to),
    starts: tracked.starts.subarray(from, to),
    ends: tracked.ends.subarray(from, to),
  };
}

/**
 * The text after replacements.
 *
 * A stretch that changes is one unit of meaning: all that replaces it stands for all of it. An insertion stands for
 * the empty span at its place.
 * @param replacements in order, without overlap
 */
export function replaceTracked(tracked: TrackedText, replacements: Iterable<Replacement>): TrackedText {
  const parts: string[] = [];
  let starts = new Uint32Array(tracked.text.length + 16);
  let ends = new Uint32Array(tracked.text.length + 16);
  let length = 0;
  let done = 0;
  const reserve = (units: number) => {
    if (length + units <= starts.length) return;
    const longer = (from: Uint32Array) => {
      const to = new Uint32Array(2 * (length + units));
      to.set(from);
      return to;
    };
    starts = longer(starts);
    ends = longer(ends);
  };
  const keep = (to: number) => {
    if (to === done) return;
    parts.push(tracked.text.slice(done, to));
    reserve(to - done);
    starts.set(tracked.starts.subarray(done, to), length);
    ends.set(tracked.ends.subarray(done, to), length);
    length += to - done;
  };
  let changed = false;
  for (const { from, to, text } of replacements) {
    if (tracked.text.slice(from, to) === text) continue;
    changed = true;
    keep(from);
    done = to;
    const start = tracked.starts[from] ?? tracked.ends.at(-1) ?? 0;
    const end = from === to ? start : tracked.ends[to - 1]!;
    parts.push(text);
    reserve(text.length);
    starts.fill(start, length, length + text.length);
    ends.fill(end, length, length + text.length);
    length += text.length;
  }
  if (!changed) return tracked;
  keep(tracked.text.length);
  return { text: parts.join(''), starts: starts.subarray(0, length), ends: ends.subarray(0, length) };
}
