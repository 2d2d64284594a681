/** @file Numbers that stay where sessions run: graphs read them and write them in place, run after run. */
import type { Feed } from './session.ts';

/** A change of numbers between two runs. */
export type MemoryEdit =
  | { readonly part: number; readonly to: number; readonly from: number; readonly count: number }
  | { readonly part: number; readonly start: number; readonly count: number; readonly fill: number };

/** Equal parts of numbers, f32, zeros at first. */
export interface TensorMemory {
  /** Some numbers of a part as a feed, or as an output that is written in place. */
  view(part: number, start: number, shape: readonly number[]): Feed;
  /** In their order, after the runs that were asked for before and before those that come. */
  edit(edits: readonly MemoryEdit[]): void;
  /** Nobody uses it any more. */
  release(): void;
}

/** Memory of this thread. @throws {RangeError} when there is none */
export function hostMemory(parts: number, size: number): TensorMemory {
  const data = Array.from({ length: parts }, () => new Float32Array(size));
  return {
    view: (part, start, shape) => ({
      data: data[part]!.subarray(start, start + shape.reduce((a, b) => a * b, 1)),
      shape,
    }),
    edit: (edits) => {
      for (const edit of edits) {
        const numbers = data[edit.part]!;
        if ('from' in edit) numbers.copyWithin(edit.to, edit.from, edit.from + edit.count);
        else numbers.fill(edit.fill, edit.start, edit.start + edit.count);
      }
    },
    release: () => {
      data.length = 0;
    },
  };
}
