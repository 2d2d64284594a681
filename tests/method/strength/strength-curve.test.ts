/** @file The strength of least loss: read between the strengths tried, over users, with its interval. */
import { describe, expect, it } from 'vitest';
import { leastOfConvex, strengthCurve } from '../../../src/method/strength/strength-curve.ts';

describe('where a convex function is least', () => {
  it('is exact for a parabola, whatever the distances between the places', () => {
    const places = [0, 0.25, 0.75, 1, 1.75, 2];
    const values = places.map((s) => 3 * (s - 0.83) ** 2 - 1);
    expect(leastOfConvex(places, values)).toBeCloseTo(0.83, 12);
  });

  it('is an end where the values only fall or only rise, and the first of a flat bottom', () => {
    expect(leastOfConvex([0, 1, 2], [3, 2, 1])).toBe(2);
    expect(leastOfConvex([0, 1, 2], [1, 2, 3])).toBe(0);
    expect(leastOfConvex([0, 1, 2, 3], [1, 1, 1, 1])).toBe(0);
    expect(leastOfConvex([0, 1, 2, 3], [2, 1, 1, 2])).toBeCloseTo(1.5, 12);
  });
});

describe('a strength curve', () => {
  const strengths = [0, 0.5, 1, 1.5];
  const parabola = (least: number) => strengths.map((s) => (s - least) ** 2);

  it('counts users once, however many texts they have, and knows the change against strength 1', () => {
    const texts = [
      { user: 'a', nll: parabola(0.5) },
      ...[1, 2, 3].map(() => ({ user: 'b', nll: parabola(0.9) })),
    ];
    const { curve, best } = strengthCurve(strengths, texts);
    expect(best.value).toBeCloseTo(0.7, 10);
    expect(best.low).toBeGreaterThanOrEqual(0.5 - 1e-9);
    expect(best.high).toBeLessThanOrEqual(0.9 + 1e-9);
    expect(best.isAtEnd).toBe(false);
    expect(curve[2]!.change).toEqual({ value: 0, low: 0, high: 0 });
    expect(curve[0]!.nll.value).toBeCloseTo((0.25 + 0.81) / 2, 12);
    expect(curve[0]!.change.value).toBeCloseTo((0.25 - 0.25 + 0.81 - 0.01) / 2, 12);
  });

  it('says where the least loss may lie beyond what was tried', () => {
    expect(strengthCurve(strengths, [{ user: 'a', nll: parabola(4) }]).best).toMatchObject({
      value: 1.5,
      isAtEnd: true,
    });
  });
});
