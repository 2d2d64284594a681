/** @file Twelve and fifty steps of training against PyTorch, transformers and PEFT (tests/golden/make/training_trajectory.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadAdapter } from '../../../src/engine/lora/adapter-folder.ts';
import type { ObjectiveName } from '../../../src/method/objectives/objectives.ts';
import { tinyModel } from '../../support/tiny-model.ts';
import { largestGap, type TrajectoryGolden, trainTrajectory } from '../../support/trajectory.ts';

interface Golden extends TrajectoryGolden {
  readonly adapter: string;
  readonly runs: {
    readonly method: 'full' | 'lora';
    readonly objective: ObjectiveName;
    readonly losses: number[];
    readonly gradientNorms: number[];
    /** In the short golden. */
    readonly checksums?: Record<string, { sum: number; sumOfSquares: number }>;
  }[];
}

/** The golden's own runs, padded and unpadded, differ by up to 2e-6 in a loss and in a parameter. */
const LOSS_TOLERANCE = 1e-5;
/** Relative: norms are about 10, and unlike losses they sum the errors of every gradient. */
const NORM_TOLERANCE = 1e-4;
/** Of sums over some thousand numbers, relative to 1 + |sum|. */
const CHECKSUM_TOLERANCE = 1e-5;

/** Of losses over fifty steps, in which differences of rounding grow. */
const LONG_TOLERANCE = 1e-3;

const read = (name: string) => JSON.parse(readFileSync(`tests/golden/${name}.json`, 'utf8')) as Golden;
const golden = read('training-trajectory');
const long = read('training-trajectory-long');
const model = await tinyModel();

async function trained(method: 'full' | 'lora', objective: ObjectiveName, { shift = 0, of = golden } = {}) {
  const adapter = method === 'lora' ? await loadAdapter(of.adapter, model) : undefined;
  return trainTrajectory(of, { model, objective, adapter, shift });
}

const largestRelative = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((value, i) => Math.abs(value / b[i]! - 1)));

describe.each(golden.runs)('$method training by $objective', ({ method, objective, ...expected }) => {
  it('has the losses, gradient norms and final tensors of PyTorch', async () => {
    const { losses, norms, tensors } = await trained(method, objective);
    expect(losses).toHaveLength(expected.losses.length);
    expect(largestGap(losses, expected.losses)).toBeLessThan(LOSS_TOLERANCE);
    expect(largestRelative(norms, expected.gradientNorms)).toBeLessThan(NORM_TOLERANCE);
    expect(Object.keys(tensors).sort()).toEqual(Object.keys(expected.checksums!).sort());
    for (const [name, { sum, sumOfSquares }] of Object.entries(expected.checksums!)) {
      const { data } = tensors[name]!;
      const total = data.reduce((a, b) => a + b, 0);
      const squares = data.reduce((a, b) => a + b * b, 0);
      expect(Math.abs(total - sum) / (1 + Math.abs(sum)), name).toBeLessThan(CHECKSUM_TOLERANCE);
      expect(Math.abs(squares - sumOfSquares) / (1 + sumOfSquares), name).toBeLessThan(CHECKSUM_TOLERANCE);
    }
  });
});

describe.each(long.runs)(
  'fifty steps of $method training by $objective',
  ({ method, objective, losses: expected }) => {
    it('have the losses of PyTorch', async () => {
      const { losses } = await trained(method, objective, { of: long });
      expect(losses).toHaveLength(50);
      expect(largestGap(losses, expected)).toBeLessThan(LONG_TOLERANCE);
    });
  },
);

it('does not have the losses of PyTorch when labels are shifted by one', async () => {
  const { losses } = await trained('lora', 'nextquill-code', { shift: 1 });
  const { losses: expected } = golden.runs.find(
    (run) => run.method === 'lora' && run.objective === 'nextquill-code',
  )!;
  expect(largestGap(losses, expected)).toBeGreaterThan(100 * LOSS_TOLERANCE);
});
