/** @file Symbolic dimensions: a canonical form, and arithmetic that agrees with numbers. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addDims,
  broadcastShapes,
  type Dim,
  evaluateDim,
  multiplyDims,
  sizeOf,
  subtractDims,
} from '../../../src/engine/ops/dimension.ts';

const values = new Map([
  ['B', 3],
  ['T', 7],
  ['S', 11],
]);
const dims = fc.letrec<{ dim: Dim }>((tie) => ({
  dim: fc.oneof(
    { maxDepth: 3 },
    fc.integer({ min: 0, max: 9 }),
    fc.constantFrom<Dim>('B', 'T', 'S'),
    fc.tuple(tie('dim'), tie('dim')).map(([a, b]) => addDims(a, b)),
    fc.tuple(tie('dim'), tie('dim')).map(([a, b]) => multiplyDims(a, b)),
  ),
})).dim;

describe('dimensions', () => {
  it('sums, products and differences evaluate as numbers do', () => {
    fc.assert(
      fc.property(dims, dims, (a, b) => {
        const [x, y] = [evaluateDim(a, values), evaluateDim(b, values)];
        expect(evaluateDim(addDims(a, b), values)).toBe(x + y);
        expect(evaluateDim(multiplyDims(a, b), values)).toBe(x * y);
        expect(evaluateDim(subtractDims(a, b), values)).toBe(x - y);
      }),
    );
  });

  it('equal polynomials are equal strings, whatever the order of the work', () => {
    fc.assert(
      fc.property(dims, dims, dims, (a, b, c) => {
        expect(multiplyDims(a, addDims(b, c))).toBe(addDims(multiplyDims(c, a), multiplyDims(b, a)));
        expect(subtractDims(addDims(a, b), b)).toBe(a);
      }),
    );
  });

  it('a size is the product of a shape', () => {
    expect(sizeOf(['T', 2, 'B'])).toBe('2*B*T');
    expect(sizeOf([])).toBe(1);
  });

  it('broadcasting stretches ones and refuses anything else', () => {
    expect(broadcastShapes(['B', 1, 4], ['T', 1])).toEqual(['B', 'T', 4]);
    expect(() => broadcastShapes(['B', 4], ['T', 4])).toThrowError('differ at axis 0: B and T');
  });
});
