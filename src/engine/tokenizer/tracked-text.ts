/** @file Text that remembers where it came from: each UTF-16 unit of a normalised text has its span in the original. */

/** A text and, for each of its UTF-16 units, the span of the original that it stands for. */
export interface TrackedText {
  readonly text: string;
  /** Start in the original of each unit, number[text.length]. */
  readonly starts: readonly number[];
  /** End (exclusive) in the original of each unit, number[text.length]. */
  readonly ends: readonly number[];
}

/** A stretch `from` … `to` of a tracked text that becomes `text`; an empty stretch is an insertion. */
export interface Replacement {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** The original itself, from `from` to `to`; both halves of a surrogate pair stand for the whole character. */
export function trackOriginal(original: string, from: number, to: number): TrackedText {
  const starts: number[] = [];
  const ends: number[] = [];
  for (let i = from; i < to; ) {
    const next = i + (original.codePointAt(i)! > 0xffff && i + 1 < to ? 2 : 1);
    for (let unit = i; unit < next; unit++) {
      starts.push(i);
      ends.push(next);
    }
    i = next;
  }
  return { text: original.slice(from, to), starts, ends };
}

/** The units `from` … `to` of a tracked text. */
export function sliceTracked(tracked: TrackedText, from: number, to: number): TrackedText {
  return {
    text: tracked.text.slice(from, to),
    starts: tracked.starts.slice(from, to),
    ends: tracked.ends.slice(from, to),
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
  let text = '';
  const starts: number[] = [];
  const ends: number[] = [];
  let done = 0;
  const keep = (to: number) => {
    text += tracked.text.slice(done, to);
    for (let i = done; i < to; i++) {
      starts.push(tracked.starts[i]!);
      ends.push(tracked.ends[i]!);
    }
  };
  for (const replacement of replacements) {
    if (tracked.text.slice(replacement.from, replacement.to) === replacement.text) continue;
    keep(replacement.from);
    done = replacement.to;
    const isInsertion = replacement.from === replacement.to;
    const start = tracked.starts[replacement.from] ?? tracked.ends.at(-1) ?? 0;
    const end = isInsertion ? start : tracked.ends[replacement.to - 1]!;
    text += replacement.text;
    for (let i = 0; i < replacement.text.length; i++) {
      starts.push(start);
      ends.push(end);
    }
  }
  keep(tracked.text.length);
  return { text, starts, ends };
}
