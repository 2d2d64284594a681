/** @file Packed rows hold every sequence once, and never cost more than one sequence a row. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packedRows } from '../../../src/method/prompts/packed-rows.ts';
import { branches } from '../../../src/method/prompts/shared-prefixes.ts';

const sequences = fc.array(
  fc
    .array(fc.integer({ min: 1, max: 2 }), { minLength: 1, maxLength: 9 })
    .map((tokens) => Int32Array.from(tokens)),
  { minLength: 1, maxLength: 8 },
);
const squared = (tokens: number) => tokens * (4 + tokens);

describe('packed rows', () => {
  it('hold every sequence once, as long as they say, at no more than the cost of one sequence a row', () => {
    fc.assert(
      fc.property(sequences, fc.boolean(), (given, isLinear) => {
        const cost = isLinear ? (tokens: number) => tokens : squared;
        const packed = packedRows(given, cost);
        expect(packed.layout.flat().sort((a, b) => a - b)).toEqual([...given.keys()]);
        const lengths = packed.layout.map((row) => branches(row, given).ids.length);
        expect(packed.length).toBe(Math.max(...lengths));
        expect(packed.cost).toBe(packed.layout.length * cost(packed.length));
        const longest = Math.max(...given.map(({ length }) => length));
        expect(packed.cost).toBeLessThanOrEqual(given.length * cost(longest));
      }),
    );
  });

  it('put short sequences one after the other beside a long one', () => {
    const lengths = [100, 40, 50, 90, 10];
    const given = lengths.map((length, i) => new Int32Array(length).fill(i));
    const { layout, length } = packedRows(given, (tokens) => tokens * (1000 + tokens));
    expect(length).toBe(100);
    expect(layout.map((row) => [...row].sort((a, b) => a - b))).toEqual([[0], [3, 4], [1, 2]]);
  });

  it('stay one sequence each where nothing is gained', () => {
    const given = [0, 1, 2].map((i) => new Int32Array(50).fill(i));
    expect(packedRows(given, (tokens) => tokens).layout).toEqual([[0], [1], [2]]);
  });
});
