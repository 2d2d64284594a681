/** @file AdamW with clipping and schedules against PyTorch's trajectory (tests/golden/make/adamw.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/base/random.ts';
import { createAdamW } from '../../../src/engine/optim/adamw.ts';
import { flatParameters, viewsOf } from '../../../src/engine/optim/flat-parameters.ts';

interface GoldenCase {
  readonly name: string;
  readonly weightDecay: Record<string, number>;
  readonly start: Record<string, number[]>;
  readonly steps: {
    readonly learningRate: number;
    readonly gradients: Record<string, number[]>;
    readonly gradientNorm: number;
    readonly parameters: Record<string, number[]>;
  }[];
}
const golden = JSON.parse(readFileSync('tests/golden/adamw.json', 'utf8'));

/** f32 rounding over ten updates of weights near 1. */
const TOLERANCE = 1e-6;

/** Ours decays matrices and leaves vectors alone, as transformers does; the golden's other case decays both. */
const cases = (golden.cases as GoldenCase[]).filter(
  ({ weightDecay }) => weightDecay.norm === 0 || weightDecay.weight === weightDecay.norm,
);

describe.each(cases)('AdamW: $name', ({ weightDecay, start, steps }) => {
  it('follows the trajectory of torch.optim.AdamW with clip_grad_norm_', async () => {
    const everything = weightDecay.norm !== 0;
    const shapes = Object.entries(golden.shapes as Record<string, number[]>).map(([name, shape]) => ({
      name,
      // A vector written as a matrix of one row is decayed.
      shape: everything && shape.length === 1 ? [1, ...shape] : shape,
    }));
    const parameters = flatParameters(shapes);
    const weights = viewsOf(parameters, parameters.weights);
    const gradients = viewsOf(parameters, parameters.gradients);
    for (const name of Object.keys(weights)) weights[name]!.data.set(start[name]!.flat());
    await using optimizer = await createAdamW({ weightDecay: weightDecay.weight!, threads: 1 });
    for (const [i, step] of steps.entries()) {
      for (const name of Object.keys(gradients)) gradients[name]!.data.set(step.gradients[name]!.flat());
      const norm = await optimizer.gradientNorm(parameters);
      expect(norm).toBeCloseTo(step.gradientNorm, 5);
      await optimizer.update(parameters, i + 1, step.learningRate, norm);
      for (const name of Object.keys(weights)) {
        const worst = Math.max(
          ...step.parameters[name]!.flat().map((v, j) => Math.abs(v - weights[name]!.data[j]!)),
        );
        expect(worst, `${name} after step ${i + 1}`).toBeLessThan(TOLERANCE);
      }
    }
  });
});

it('the golden has a case of each kind', () => expect(cases.length).toBeGreaterThanOrEqual(2));

it('the gradient norm of a million numbers keeps six digits', async () => {
  // One long f32 sum over half a million squares was off by 2e-5.
  const parameters = flatParameters([{ name: 'x', shape: [1001, 1000] }]);
  const random = randomStream(1, 'norm');
  for (let i = 0; i < parameters.gradients.length; i++) parameters.gradients[i] = random.next();
  const exact = Math.sqrt(parameters.gradients.reduce((sum, g) => sum + g * g, 0));
  await using optimizer = await createAdamW({ threads: 1 });
  expect(Math.abs((await optimizer.gradientNorm(parameters)) / exact - 1)).toBeLessThan(1e-6);
});
