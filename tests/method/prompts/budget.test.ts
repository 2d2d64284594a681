/** @file The history budget: the same answer as dropping the oldest item one at a time, in few tries. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { latestThatFit, steppedCount } from '../../../src/method/prompts/budget.ts';

test('the number that fits is the one that dropping items one at a time finds', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50), { maxLength: 60 }), fc.nat(400), (lengths, room) => {
      const fits = (count: number) =>
        lengths.slice(lengths.length - count).reduce((sum, n) => sum + n, 0) <= room;
      let dropping = lengths.length;
      while (dropping > 0 && !fits(dropping)) dropping--;
      const asked: number[] = [];
      const found = latestThatFit(lengths.length, (count) => {
        asked.push(count);
        return fits(count);
      });
      expect(found).toBe(dropping);
      expect(
        asked.every((count) => count >= 1 && count <= Math.max(1, Math.min(lengths.length, 2 * found))),
      ).toBe(true);
      expect(asked.length).toBeLessThanOrEqual(2 * Math.log2(found + 1) + 3);
    }),
  );
});

test('no items are asked for when there are none', () => {
  expect(latestThatFit(0, () => expect.unreachable())).toBe(0);
});

test('a stepped window begins at a multiple of the stride wherever one lies among what fits', () => {
  fc.assert(
    fc.property(fc.nat(40), fc.nat(12), fc.integer({ min: 1, max: 12 }), (length, most, stride) => {
      const count = Math.min(length, most);
      const stepped = steppedCount(length, count, stride);
      expect(stepped).toBeLessThanOrEqual(count);
      if (count > 0) expect(stepped).toBeGreaterThan(0);
      if (stride === 1) expect(stepped).toBe(count);
      const start = length - stepped;
      const isStart = (place: number) => place % stride === 0;
      const places = Array.from({ length: count }, (_, i) => length - count + i);
      expect(isStart(start) || !places.some(isStart)).toBe(true);
      // The first of them, so that no more is left out than the step asks for.
      expect(places.filter((place) => place < start).some(isStart)).toBe(false);
    }),
  );
});
