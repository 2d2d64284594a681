/** @file The bound of the divergence: never above the divergence of the whole predictions, and equal to it where all tokens are known. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { constant, integers } from '../../../src/engine/ops/operators.ts';
import { evaluate } from '../../../src/engine/runtime/evaluate.ts';
import { divergenceAtLeast, type KnownTokens } from '../../../src/method/effects/divergence-bound.ts';
import { divergenceEffect } from '../../../src/method/effects/effects.ts';

/** Twice Jensen–Shannon by the textbook, f64. */
function exact(p: readonly number[], q: readonly number[]): number {
  const side = (x: number, m: number) => (x === 0 ? 0 : x * Math.log(x / m));
  return p.reduce((sum, x, i) => sum + side(x, (x + q[i]!) / 2) + side(q[i]!, (x + q[i]!) / 2), 0);
}

const normalised = (weights: readonly number[]) => {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
};

/** The k likeliest tokens of a prediction. */
const likeliest = (p: readonly number[], k: number): KnownTokens =>
  new Map(
    p
      .map((value, id) => [id, Math.log(value)] as const)
      .sort(([, a], [, b]) => b - a)
      .slice(0, k),
  );

/** Predictions of two passes, from flat ones to those that are sure of one token, with impossible tokens among them. */
const predictions = fc.integer({ min: 2, max: 40 }).chain((size) => {
  const weight = fc.oneof(fc.double({ min: -12, max: 6, noNaN: true }).map(Math.exp), fc.constant(0));
  const some = fc
    .array(weight, { minLength: size, maxLength: size })
    .filter((weights) => weights.some((each) => each > 0));
  return fc.record({
    own: some.map(normalised),
    none: some.map(normalised),
    k: fc.integer({ min: 0, max: size }),
  });
});

describe('the divergence of merged predictions', () => {
  it('is never above that of the whole ones, and is theirs where every token is known', () => {
    let above = 0;
    fc.assert(
      fc.property(predictions, ({ own, none, k }) => {
        const whole = exact(own, none);
        const bound = divergenceAtLeast(likeliest(own, k), likeliest(none, k));
        expect(bound).toBeGreaterThanOrEqual(0);
        expect(bound).toBeLessThanOrEqual(whole + 1e-12);
        if (bound > 1e-3) above++;
        const { length } = own;
        expect(divergenceAtLeast(likeliest(own, length), likeliest(none, length))).toBeCloseTo(whole, 12);
      }),
      { numRuns: 2000, seed: 1 },
    );
    expect(above).toBeGreaterThan(100);
  });

  it('grows with the tokens that are known, and is 0 for lists with none in common', () => {
    const own = normalised([8, 4, 2, 1, 1, 0.5]);
    const none = normalised([1, 6, 2, 3, 0.1, 2]);
    const bounds = [0, 1, 2, 3, 4, 5, 6].map((k) => divergenceAtLeast(likeliest(own, k), likeliest(none, k)));
    expect(bounds).toEqual([...bounds].sort((a, b) => a - b));
    expect(divergenceAtLeast(new Map([[1, Math.log(0.9)]]), new Map([[2, Math.log(0.9)]]))).toBe(0);
  });

  it('is the divergence effect of the graphs where all is known: the same direction, the same factor', async () => {
    const own = [2, -1, 0.5, 3, -4];
    const none = [1, 1, -2, 0, 2.5];
    const logits = (values: number[]) => constant(Float32Array.from(values), [1, 5]);
    const { found } = await evaluate(
      {
        found: divergenceEffect({
          withHistory: logits(own),
          withoutHistory: logits(none),
          targets: integers(BigInt64Array.of(0n)),
        }),
      },
      {},
    );
    const known = (values: number[]) =>
      likeliest(normalised(values.map((value) => Math.exp(value))), values.length);
    expect(divergenceAtLeast(known(own), known(none))).toBeCloseTo(Number(found!.data[0]), 6);
  });

  it('of numbers that add up to more than 1 is not a number', () => {
    const tooMuch = new Map([
      [1, Math.log(0.8)],
      [2, Math.log(0.7)],
    ]);
    expect(divergenceAtLeast(tooMuch, tooMuch)).toBeNaN();
    // bfloat16 may add up to a little more.
    const rounded = new Map([[1, Math.log(1.0005)]]);
    expect(divergenceAtLeast(rounded, rounded)).toBe(0);
  });
});
