/**
 * @file Gives out the rows of a cache so that the rows of one group always lie side by side: one pass runs over a range.
 * Groups keep free rows between them, so that few rows are moved when one joins or leaves.
 */
import { EngineError } from '../../base/errors.ts';

/** The rows of a group: `count` of them, from `first` on. */
export interface Segment {
  readonly first: number;
  readonly count: number;
}

/** Rows by group. */
export interface RowSegments {
  /** Rows that nobody has. */
  free(): number;
  groups(): readonly string[];
  /** @throws {RangeError} for a group without rows */
  segment(group: string): Segment;
  /** A row for a group, beside its others. @throws {EngineError} when none is free */
  take(group: string): number;
  release(row: number): void;
}

/**
 * @param rows number of all rows
 * @param move makes row `to` what row `from` is, and empties `from`
 * @param clear empties a row that is given back
 * Cost: at most one move for each group that lies between a group that grows and the nearest free row.
 */
export function rowSegments(
  rows: number,
  move: (from: number, to: number) => void,
  clear: (row: number) => void,
): RowSegments {
  /** In the order of their rows. */
  const segments: { group: string; first: number; count: number }[] = [];
  const find = (group: string) => segments.findIndex((segment) => segment.group === group);
  const endOf = (place: number) => (place < 0 ? 0 : segments[place]!.first + segments[place]!.count);
  /** Free rows between a segment and the one behind it; -1 is what lies before all. */
  const gapBehind = (place: number) => (segments[place + 1]?.first ?? rows) - endOf(place);
  const free = () => rows - segments.reduce((sum, { count }) => sum + count, 0);

  /** Makes the row behind a segment free, by moving each segment up to the next gap by one row. */
  const makeRoomBehind = (place: number): boolean => {
    let gap = place;
    while (gap < segments.length && gapBehind(gap) === 0) gap++;
    if (gap === segments.length) return false;
    for (let i = gap; i > place; i--) {
      const segment = segments[i]!;
      move(segment.first, segment.first + segment.count);
      segment.first += 1;
    }
    return true;
  };
  const makeRoomBefore = (place: number): void => {
    let gap = place - 1;
    while (gapBehind(gap) === 0) gap--;
    for (let i = gap + 1; i < place; i++) {
      const segment = segments[i]!;
      move(segment.first + segment.count - 1, segment.first - 1);
      segment.first -= 1;
    }
  };
  const begin = (group: string): number => {
    let widest = -1;
    for (let place = 0; place < segments.length; place++)
      if (gapBehind(place) > gapBehind(widest)) widest = place;
    const gap = gapBehind(widest);
    // In the middle, so that the groups on both sides can grow; at the start where there is none.
    const first = endOf(widest) + (segments.length === 0 ? 0 : gap >> 1);
    segments.splice(widest + 1, 0, { group, first, count: 1 });
    return first;
  };
  return {
    free,
    groups: () => segments.map(({ group }) => group),
    segment: (group) => {
      const { first, count } = segments[find(group)] ?? { first: 0, count: 0 };
      if (count === 0) throw new RangeError(`row group: expected one with rows, got ${group}`);
      return { first, count };
    },
    take: (group) => {
      if (free() === 0)
        throw new EngineError(`cache rows: expected a free one of ${rows}, got none`, {
          code: 'generate/rows',
          hint: 'Start a text when one has ended.',
        });
      const place = find(group);
      if (place < 0) return begin(group);
      const segment = segments[place]!;
      if (gapBehind(place) > 0 || gapBehind(place - 1) === 0) {
        if (makeRoomBehind(place)) {
          segment.count += 1;
          return segment.first + segment.count - 1;
        }
        makeRoomBefore(place);
      }
      segment.first -= 1;
      segment.count += 1;
      return segment.first;
    },
    release: (row) => {
      const place = segments.findIndex(({ first, count }) => row >= first && row < first + count);
      if (place < 0) throw new RangeError(`row: expected one in use, got ${row}`);
      const segment = segments[place]!;
      const last = segment.first + segment.count - 1;
      if (row === segment.first) {
        clear(row);
        segment.first += 1;
      } else {
        clear(row);
        if (row !== last) move(last, row);
      }
      segment.count -= 1;
      if (segment.count === 0) segments.splice(place, 1);
    },
  };
}
