/** @file The search for many byte strings finds what a search for each finds. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { byteSearch } from '../../../../src/app/server/forgetting/byte-search.ts';

it('finds every occurrence of every needle, as a search for each alone does', () => {
  const letters = (least: number, most: number) =>
    fc
      .array(fc.constantFrom(0, 97, 98, 255), { minLength: least, maxLength: most })
      .map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(
      letters(0, 300),
      fc.array(letters(4, 7), { minLength: 1, maxLength: 8 }),
      (bytes, needles) => {
        const expected = needles.flatMap((needle, n) => {
          const hits: string[] = [];
          for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1))
            hits.push(`${n}@${at}`);
          return hits;
        });
        const found = [...byteSearch(needles)(bytes)].map(({ needle, at }) => `${needle}@${at}`);
        expect(found.sort()).toEqual(expected.sort());
      },
    ),
    { seed: 16, numRuns: 300 },
  );
});

it('takes no needle that would be found everywhere', () => {
  expect(() => byteSearch([Buffer.from('abc')])).toThrow(RangeError);
});
