/** @file Rows of branches: every prompt keeps its tokens, positions and its own past, and rows form only where they pay. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { collate } from '../../../src/method/prompts/collate.ts';
import { planRows, type RowLimits, tokensOf } from '../../../src/method/prompts/shared-prefixes.ts';

// Few ids, so that beginnings are shared, prompts repeat and one is the beginning of another.
const ids = fc.array(fc.integer({ min: 10, max: 12 }), { minLength: 1, maxLength: 6 });
const prompts = fc.array(fc.record({ promptIds: ids, responseIds: ids }), { minLength: 1, maxLength: 8 });
const side = fc.constantFrom('left', 'right');

const free: RowLimits = { cost: (tokens) => tokens, most: () => 1000, mostResponses: 1000 };

describe('a row of branches', () => {
  it('shows each prompt exactly its own tokens at their own positions, before every response token', () => {
    fc.assert(
      fc.property(prompts, side, fc.integer({ min: 1, max: 3 }), (given, padded, rowCount) => {
        const layout = Array.from({ length: Math.min(rowCount, given.length) }, (_, row) =>
          given.flatMap((__, place) => (place % Math.min(rowCount, given.length) === row ? [place] : [])),
        );
        const batch = collate(given, { padId: 9, side: padded, layout });
        const { length, tokenIds, positionIds, seenUntil, responseRows, exampleOf } = batch;
        let s = 0;
        given.forEach(({ promptIds, responseIds }, place) => {
          responseIds.forEach((_, r) => {
            const flat = Number(responseRows[s]);
            expect(exampleOf[s++]).toBe(place);
            const [row, query] = [Math.floor(flat / length), flat % length];
            const seen = Array.from({ length: query + 1 }, (__, key) => row * length + key).filter(
              (at) => seenUntil[at]! > query,
            );
            const expected = [...promptIds, ...responseIds].slice(0, promptIds.length + r);
            expect(seen.map((at) => [Number(tokenIds[at]), Number(positionIds[at])])).toEqual(
              expected.map((id, t) => [id, t]),
            );
          });
        });
      }),
    );
  });

  it('holds what is shared once', () => {
    const given = [
      { promptIds: [10, 11, 12], responseIds: [13, 14] },
      { promptIds: [10, 11, 15], responseIds: [13] },
      { promptIds: [10, 11, 12], responseIds: [13, 16] },
    ];
    const batch = collate(given, { padId: 9, side: 'right', layout: [[0, 1, 2]] });
    expect([...batch.tokenIds]).toEqual([10n, 11n, 12n, 13n, 14n, 16n, 15n, 13n]);
    expect([...batch.positionIds]).toEqual([0n, 1n, 2n, 3n, 4n, 4n, 2n, 3n]);
    expect([...batch.seenUntil]).toEqual([8, 8, 6, 6, 5, 6, 8, 8]);
  });
});

describe('the plan of rows', () => {
  it('has every prompt once, and tokens that are counted as they will be laid out', () => {
    fc.assert(
      fc.property(prompts, fc.integer({ min: 1, max: 30 }), (given, most) => {
        const responses = given.map(({ responseIds }) => responseIds.length);
        const limits = { ...free, most: (longest: number) => Math.max(longest, most) };
        const rows = planRows(given.map(tokensOf), responses, limits);
        expect(rows.flatMap(({ places }) => places).sort((a, b) => a - b)).toEqual([...given.keys()]);
        for (const { places, tokens } of rows) {
          const some = places.map((place) => given[place]!);
          const layout = [some.map((_, place) => place)];
          expect(collate(some, { padId: 9, side: 'right', layout }).length).toBe(tokens);
          const longest = Math.max(...some.map((prompt) => tokensOf(prompt).length));
          expect(tokens).toBeLessThanOrEqual(Math.max(longest, most));
        }
      }),
    );
  });

  it('keeps prompts apart that share too little for what a longer row costs', () => {
    const given = [
      [1, 2, 3, 4, 5, 6, 7, 8, 20],
      [1, 2, 3, 4, 5, 6, 7, 8, 21],
      [1, 30, 31, 32, 33, 34, 35, 36, 37],
    ].map((tokens) => Int32Array.from(tokens));
    const squares = { ...free, cost: (tokens: number) => tokens ** 2 };
    const places = (limits: RowLimits) => planRows(given, [1, 1, 1], limits).map((row) => [...row.places]);
    expect(places(squares)).toEqual([[0, 1], [2]]);
    expect(places(free)).toEqual([[0, 1, 2]]);
    expect(places({ ...free, mostResponses: 2 })).toEqual([[0, 1], [2]]);
    expect(places({ ...free, most: () => 9 })).toEqual([[0], [1], [2]]);
  });
});
