/** @file The preference between two histories: loss and both gradients against PyTorch's (tests/golden/make/preference.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { vjp } from '../../../src/engine/autodiff/vjp.ts';
import { input } from '../../../src/engine/ops/operators.ts';
import { evaluate } from '../../../src/engine/runtime/evaluate.ts';
import type { HostTensor } from '../../../src/engine/runtime/session.ts';
import {
  comparedFeed,
  comparedInput,
  groupFeeds,
  groupInputs,
} from '../../../src/method/objectives/groups.ts';
import { objectiveLoss } from '../../../src/method/objectives/loss.ts';
import type { ObjectiveOptions } from '../../../src/method/objectives/objective-options.ts';
import { planObjective } from '../../../src/method/objectives/plan.ts';

interface GoldenExample {
  readonly isCompared: boolean;
  readonly zWithHistory: readonly (readonly number[])[];
  readonly zOtherHistory: readonly (readonly number[])[];
  readonly targets: readonly number[];
  readonly startMargin: readonly number[];
  readonly gradWithHistory: readonly (readonly number[])[];
  readonly gradOtherHistory: readonly (readonly number[])[] | null;
}
interface GoldenCase {
  readonly name: string;
  readonly options: ObjectiveOptions;
  readonly loss: number;
  readonly examples: readonly GoldenExample[];
}
const { cases } = JSON.parse(readFileSync('tests/golden/preference.json', 'utf8')) as { cases: GoldenCase[] };

/** The golden is f64, we compute in f32: relative to the numbers, which reach the hundreds where β is large. */
const TOLERANCE = 2e-6;

const matrix = (rows: readonly (readonly number[])[]): HostTensor => ({
  data: Float32Array.from(rows.flat()),
  shape: [rows.length, rows[0]!.length],
});

async function lossAndGradients({ options, examples }: GoldenCase) {
  const plan = planObjective('mipo', options);
  const width = examples[0]!.zWithHistory[0]!.length;
  const logits = (name: string) => input(name, 'f32', ['S', width]);
  const [withHistory, otherHistory] = [logits('withHistory'), logits('otherHistory')];
  const { loss, parts } = objectiveLoss(plan, {
    withHistory,
    otherHistory,
    targets: input('targets', 'i64', ['S']),
    groups: groupInputs(),
    isCompared: comparedInput(),
    ...(plan.needs.startMargin && { startMargin: input('startMargin', 'f32', ['S']) }),
  });
  const [gradWithHistory, gradOtherHistory] = vjp(loss, [withHistory, otherHistory]);
  const targets = examples.flatMap((example) => example.targets);
  const exampleOf = examples.flatMap((example, i) => example.targets.map(() => i));
  const margins = examples.flatMap((example) => example.startMargin);
  return evaluate(
    {
      loss,
      preference: parts.preference!,
      gradWithHistory: gradWithHistory!,
      gradOtherHistory: gradOtherHistory!,
    },
    {
      withHistory: matrix(examples.flatMap((example) => example.zWithHistory)),
      otherHistory: matrix(examples.flatMap((example) => example.zOtherHistory)),
      targets: { data: BigInt64Array.from(targets, BigInt), shape: [targets.length] },
      ...groupFeeds(
        exampleOf,
        examples.map(() => true),
        examples.length,
      ),
      ...comparedFeed(
        exampleOf,
        examples.map(({ isCompared }) => isCompared),
      ),
      ...(plan.needs.startMargin && {
        startMargin: { data: Float32Array.from(margins), shape: [margins.length] },
      }),
    },
  );
}

describe('mipo', () => {
  it.each(cases.map((golden) => [golden.name, golden] as const))(
    '%s: as PyTorch has it',
    async (_, golden) => {
      const results = await lossAndGradients(golden);
      const apart = (got: number, wanted: number) => Math.abs(got - wanted) / (1 + Math.abs(wanted));
      expect(apart(results.loss!.data[0] as number, golden.loss)).toBeLessThan(TOLERANCE);
      const sides = [
        ['gradWithHistory', golden.examples.flatMap((each) => each.gradWithHistory)],
        [
          'gradOtherHistory',
          golden.examples.flatMap(
            (each) => each.gradOtherHistory ?? each.zOtherHistory.map((row) => row.map(() => 0)),
          ),
        ],
      ] as const;
      for (const [side, wanted] of sides) {
        const { data } = results[side]!;
        expect(data).toHaveLength(wanted.flat().length);
        expect(Math.max(...wanted.flat().map((value, i) => apart(data[i] as number, value)))).toBeLessThan(
          TOLERANCE,
        );
      }
    },
  );

  it('begins at ln 2, with the gradient of half of β', async () => {
    const start = cases.find(({ name }) => name.startsWith('at the start'))!;
    const { preference } = await lossAndGradients(start);
    expect(preference!.data[0]).toBeCloseTo(Math.LN2, 6);
  });
});
