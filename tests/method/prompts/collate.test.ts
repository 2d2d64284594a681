/** @file Collation: nothing but indices depends on padding, and every response token finds its own logits. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DataError, ShapeError } from '../../../src/base/errors.ts';
import { type CollatedBatch, checkAligned, collate } from '../../../src/method/prompts/collate.ts';

const padId = 9;
const ids = fc.array(fc.integer({ min: 10, max: 99 }), { minLength: 1, maxLength: 6 });
const rows = fc.array(fc.record({ promptIds: ids, responseIds: ids }), { minLength: 1, maxLength: 5 });
const side = fc.constantFrom('left', 'right');

/** The real tokens of row b with their positions, wherever padding is. */
function realTokens({ length, tokenIds, positionIds, attentionMask }: CollatedBatch, row: number) {
  const places = Array.from({ length }, (_, t) => row * length + t).filter((at) => attentionMask[at] === 1);
  return places.map((at) => [Number(tokenIds[at]), Number(positionIds[at])]);
}

test('each row holds its prompt and response, positions counting from 0, and padding elsewhere', () => {
  fc.assert(
    fc.property(rows, side, (given, padded) => {
      const batch = collate(given, { padId, side: padded });
      expect(batch.batch).toBe(given.length);
      expect(batch.length).toBe(Math.max(...given.map((r) => r.promptIds.length + r.responseIds.length)));
      given.forEach(({ promptIds, responseIds }, row) => {
        expect(realTokens(batch, row)).toEqual([...promptIds, ...responseIds].map((id, t) => [id, t]));
        const used = promptIds.length + responseIds.length;
        const edge = row * batch.length + (padded === 'right' ? used : 0);
        const padding = batch.tokenIds.slice(edge, edge + batch.length - used);
        expect([...padding].every((id) => id === BigInt(padId))).toBe(true);
      });
      expect(batch.tokenIds.filter((_, at) => batch.attentionMask[at] === 0).every((id) => id === 9n)).toBe(
        true,
      );
    }),
  );
});

test('tokens that are not fitted are read but have no row and no target', () => {
  const row = { promptIds: [10, 11], responseIds: [12, 13, 14], fitted: [false, true, true] };
  const batch = collate([row], { padId, side: 'right' });
  expect([...batch.tokenIds]).toEqual([10n, 11n, 12n, 13n, 14n]);
  expect([...batch.targets]).toEqual([13n, 14n]);
  expect([...batch.responseRows]).toEqual([2n, 3n]);
  expect(() => collate([{ ...row, fitted: [false, false, false] }], { padId, side: 'right' })).toThrow(
    DataError,
  );
});

test('shifted labels change what is scored and nothing of what is read', () => {
  const row = { promptIds: [10, 11], responseIds: [12, 13, 14] };
  const plain = collate([row], { padId, side: 'right' });
  const shifted = collate([{ ...row, targetIds: [13, 14, 14] }], { padId, side: 'right' });
  expect([...shifted.targets]).toEqual([13n, 14n, 14n]);
  expect({ ...shifted, targets: plain.targets }).toEqual(plain);
});

test('each response token is predicted from the token before it, the first one from the last of the prompt', () => {
  fc.assert(
    fc.property(rows, side, (given, padded) => {
      const batch = collate(given, { padId, side: padded });
      const expected = given.flatMap(({ promptIds, responseIds }, row) =>
        responseIds.map((id, r) => {
          const before = [...promptIds, ...responseIds][promptIds.length + r - 1]!;
          return { row, id, before, position: promptIds.length + r - 1 };
        }),
      );
      const found = [...batch.targets].map((id, s) => {
        const at = Number(batch.responseRows[s]);
        return {
          row: batch.exampleOf[s]!,
          id: Number(id),
          before: Number(batch.tokenIds[at]),
          position: Number(batch.positionIds[at]),
        };
      });
      expect(found).toEqual(expected);
      const inRow = [...batch.responseRows].every(
        (at, s) => Math.floor(Number(at) / batch.length) === batch.exampleOf[s],
      );
      expect(inRow).toBe(true);
    }),
  );
});

test('the padding side changes where tokens are and nothing else', () => {
  fc.assert(
    fc.property(rows, (given) => {
      const left = collate(given, { padId, side: 'left' });
      const right = collate(given, { padId, side: 'right' });
      expect(left.targets).toEqual(right.targets);
      expect(left.exampleOf).toEqual(right.exampleOf);
      for (let row = 0; row < given.length; row++)
        expect(realTokens(left, row)).toEqual(realTokens(right, row));
      const at = ({ tokenIds, positionIds, responseRows }: CollatedBatch) =>
        [...responseRows].map((place) => [tokenIds[Number(place)], positionIds[Number(place)]]);
      expect(at(left)).toEqual(at(right));
      checkAligned(left, right);
    }),
  );
});

test('a batch is its rows: collating one at a time gives the same targets and tokens', () => {
  fc.assert(
    fc.property(rows, side, (given, padded) => {
      const whole = collate(given, { padId, side: padded });
      const single = given.map((row) => collate([row], { padId, side: padded }));
      expect([...whole.targets]).toEqual(single.flatMap(({ targets }) => [...targets]));
      single.forEach((batch, row) => {
        expect(realTokens(whole, row)).toEqual(realTokens(batch, 0));
      });
    }),
  );
});

// All labels masked must be an error, never a loss of 0.
test('a batch without rows, and a row without response or prompt tokens, are refused', () => {
  const row = { promptIds: [1, 2], responseIds: [3] };
  const options = { padId, side: 'right' } as const;
  expect(() => collate([], options)).toThrow(DataError);
  expect(() => collate([row, { ...row, responseIds: [] }], options)).toThrow('row 1 of the batch');
  expect(() => collate([{ ...row, promptIds: [] }], options)).toThrow(DataError);
});

test('passes with other prompts are aligned, passes with other responses are not', () => {
  const batch = (promptIds: number[], ...responses: number[][]) =>
    collate(
      responses.map((responseIds) => ({ promptIds, responseIds })),
      { padId, side: 'right' },
    );
  const first = batch([1, 2, 3], [4, 5], [6]);
  expect(() => checkAligned(first, batch([1], [4, 5], [6]))).not.toThrow();
  for (const other of [
    batch([1], [4, 7], [6]),
    batch([1], [4, 5]),
    batch([1], [4, 5], [6, 7]),
    batch([1], [4], [5, 6]),
  ]) {
    expect(() => checkAligned(first, other)).toThrow(ShapeError);
    expect(() => checkAligned(other, first)).toThrow(ShapeError);
  }
  expect(() => checkAligned(first, batch([1], [4, 7], [6]))).toThrow('response token 1: expected the same');
});
