/** @file The calibration loss: what its two strengths amount to, and that it vanishes where the history changes nothing. */
import { describe, expect, it } from 'vitest';
import { add, input, neg, selectedLogProbability, sub } from '../../../src/engine/ops/operators.ts';
import { evaluate } from '../../../src/engine/runtime/evaluate.ts';
import { calibrationLoss } from '../../../src/method/objectives/calibration.ts';

const width = 4;
const logits = (name: string) => input(name, 'f32', ['S', width]);
const pair = {
  withHistory: logits('h'),
  withoutHistory: logits('n'),
  targets: input('targets', 'i64', ['S']),
};
const zWithHistory = [0.3, -1.2, 0.8, 2.1];
const zWithoutHistory = [0.1, 0.4, -0.5, 1.2];

async function extraLoss(strengthSpread: number, without = zWithoutHistory): Promise<number> {
  const calibration = calibrationLoss(pair, { strengthSpread, stopGradient: false });
  const plain = neg(selectedLogProbability(pair.withHistory, pair.targets));
  const { extra } = await evaluate(
    { extra: sub(add(calibration, 0), plain) },
    {
      h: { data: Float32Array.from(zWithHistory), shape: [1, width] },
      n: { data: Float32Array.from(without), shape: [1, width] },
      targets: { data: BigInt64Array.of(2n), shape: [1] },
    },
  );
  return extra!.data[0] as number;
}

describe('the calibration loss', () => {
  it('exceeds the plain loss by half the squared spread times the variance of the effect', async () => {
    const odds = zWithHistory.map(Math.exp);
    const total = odds.reduce((a, b) => a + b);
    const mean = (of: (v: number) => number) =>
      odds.reduce((sum, each, v) => sum + (each / total) * of(v), 0);
    const effect = (v: number) => zWithHistory[v]! - zWithoutHistory[v]!;
    const variance = mean((v) => effect(v) ** 2) - mean(effect) ** 2;
    const spread = 0.2;
    // The next term of the series is of fourth order in the spread.
    expect(await extraLoss(spread)).toBeCloseTo((spread ** 2 / 2) * variance, 3);
  });

  it('is the plain loss where the history changes nothing', async () => {
    expect(await extraLoss(0.9, zWithHistory)).toBe(0);
  });
});
