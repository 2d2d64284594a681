/** @file Rows of a cache by group: always side by side, never two owners, contents follow their rows. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { rowSegments } from '../../../src/engine/generate/row-segments.ts';

it('keeps the rows of every group side by side while groups grow and shrink', () => {
  const command = fc.oneof(
    fc.record({ kind: fc.constant('take' as const), group: fc.integer({ min: 0, max: 4 }) }),
    fc.record({ kind: fc.constant('release' as const), pick: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.array(command, { maxLength: 60 }), (rows, commands) => {
      const content = new Array<string | undefined>(rows).fill(undefined);
      const segments = rowSegments(
        rows,
        (from, to) => {
          expect(content[from]).toBeDefined();
          expect(content[to]).toBeUndefined();
          content[to] = content[from];
          content[from] = undefined;
        },
        (row) => {
          content[row] = undefined;
        },
      );
      let made = 0;
      const alive: string[] = [];
      for (const next of commands) {
        if (next.kind === 'take') {
          if (segments.free() === 0) continue;
          const group = `g${next.group}`;
          const name = `${group}:${made++}`;
          const row = segments.take(group);
          expect(content[row]).toBeUndefined();
          content[row] = name;
          alive.push(name);
        } else if (alive.length > 0) {
          const [name] = alive.splice(next.pick % alive.length, 1);
          segments.release(content.indexOf(name));
        }
        expect(content.filter((each) => each !== undefined).sort()).toEqual([...alive].sort());
        expect(segments.free()).toBe(rows - alive.length);
        expect([...segments.groups()].sort()).toEqual(
          [...new Set(alive.map((name) => name.split(':')[0]))].sort(),
        );
        for (const group of segments.groups()) {
          const { first, count } = segments.segment(group);
          const inside = content.slice(first, first + count);
          expect(inside.every((name) => name?.startsWith(`${group}:`))).toBe(true);
          expect(count).toBe(alive.filter((name) => name.startsWith(`${group}:`)).length);
        }
      }
    }),
  );
});

it('refuses a row when none is free, and gives back only rows in use', () => {
  const segments = rowSegments(
    1,
    () => {},
    () => {},
  );
  expect(segments.take('a')).toBe(0);
  expect(() => segments.take('b')).toThrowError(expect.objectContaining({ code: 'generate/rows' }));
  segments.release(0);
  expect(() => segments.release(0)).toThrowError(RangeError);
});
