/** @file Every objective's loss and gradients against the reference code's (tests/golden/make/objectives.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { vjp } from '../../../src/engine/autodiff/vjp.ts';
import { input } from '../../../src/engine/ops/operators.ts';
import type { Value } from '../../../src/engine/ops/value.ts';
import { evaluate } from '../../../src/engine/runtime/evaluate.ts';
import type { HostTensor } from '../../../src/engine/runtime/session.ts';
import { tokenEffects } from '../../../src/method/effects/effects.ts';
import { groupFeeds, groupInputs } from '../../../src/method/objectives/groups.ts';
import { objectiveLoss } from '../../../src/method/objectives/loss.ts';
import { type ObjectiveChoice, objectiveNames } from '../../../src/method/objectives/objectives.ts';
import { planObjective } from '../../../src/method/objectives/plan.ts';

interface GoldenExample {
  zWithHistory: number[][];
  zWithoutHistory: number[][];
  targets: number[];
  effects: { probabilityDifference: number[]; logRatio: number[]; divergence: number[] };
}
interface GoldenCase {
  name: string;
  examples: GoldenExample[];
  objectives: Record<
    string,
    {
      loss: number;
      float32Difference: number;
      gradWithHistory: (number[][] | null)[];
      gradWithoutHistory: (number[][] | null)[];
    }
  >;
}
const cases: GoldenCase[] = JSON.parse(readFileSync('tests/golden/objectives.json', 'utf8')).cases;

/** The golden is f64, we compute in f32. Where torch's own f32 is further off than this (nextquill-js with gradients
 * through tiny divergences), its distance is the bound. */
const TOLERANCE = 1e-6;

const matrix = (rows: number[][]): HostTensor => ({
  data: Float32Array.from(rows.flat()),
  shape: [rows.length, rows[0]!.length],
});

function setUp({ examples }: GoldenCase, hasHistory = examples.map(() => true)) {
  const width = examples[0]!.zWithHistory[0]!.length;
  const logits = (name: string) => input(name, 'f32', ['S', width]);
  const targets = examples.flatMap((e) => e.targets);
  const exampleOf = examples.flatMap((e, i) => e.targets.map(() => i));
  return {
    withHistory: logits('withHistory'),
    withoutHistory: logits('withoutHistory'),
    targets: input('targets', 'i64', ['S']),
    groups: groupInputs(),
    feeds: {
      withHistory: matrix(examples.flatMap((e) => e.zWithHistory)),
      withoutHistory: matrix(examples.flatMap((e) => e.zWithoutHistory)),
      targets: { data: BigInt64Array.from(targets, BigInt), shape: [targets.length] },
      ...groupFeeds(exampleOf, hasHistory, examples.length),
    } as Record<string, HostTensor>,
  };
}

async function lossAndGradients(goldenName: string, golden: GoldenCase, hasHistory?: boolean[]) {
  const { feeds, ...inputs } = setUp(golden, hasHistory);
  const weightGradient = goldenName === 'nextquill-js-gradient';
  const plan = weightGradient
    ? planObjective('nextquill-js', { weightGradient })
    : planObjective(goldenName as ObjectiveChoice);
  const { loss } = objectiveLoss(plan, inputs);
  const { passes } = plan;
  const flowsIntoBaseline =
    passes === 'withoutHistory' || golden.objectives[goldenName]!.gradWithoutHistory[0] !== null;
  const variables: Record<string, Value> = {};
  if (passes !== 'withoutHistory') variables.gradWithHistory = inputs.withHistory;
  if (flowsIntoBaseline) variables.gradWithoutHistory = inputs.withoutHistory;
  const gradients = vjp(loss, Object.values(variables));
  const outputs = { loss, ...Object.fromEntries(Object.keys(variables).map((v, i) => [v, gradients[i]!])) };
  const used = passes === 'pair' ? [] : [passes === 'withHistory' ? 'withoutHistory' : 'withHistory'];
  return evaluate(outputs, Object.fromEntries(Object.entries(feeds).filter(([key]) => !used.includes(key))));
}

describe.each(cases)('$name', (golden) => {
  it.each(Object.keys(golden.objectives))('%s has the loss and gradients of the reference', async (name) => {
    const expected = golden.objectives[name]!;
    const results = await lossAndGradients(name, golden);
    const tolerance = Math.max(TOLERANCE, expected.float32Difference);
    expect(Math.abs((results.loss!.data[0] as number) - expected.loss)).toBeLessThan(tolerance);
    for (const side of ['gradWithHistory', 'gradWithoutHistory'] as const) {
      if (results[side] === undefined) {
        expect(expected[side].every((g) => g === null)).toBe(true);
        continue;
      }
      const wanted = expected[side].flatMap((g) => g!).flat();
      const worst = Math.max(...wanted.map((v, i) => Math.abs(v - (results[side]!.data[i] as number))));
      expect(worst).toBeLessThan(tolerance);
    }
  });

  it('effects equal the reference, change sign when the prompts are swapped, and the divergence does not', async () => {
    const { feeds, withHistory, withoutHistory, targets } = setUp(golden);
    const straight = tokenEffects({ withHistory, withoutHistory, targets });
    const swapped = tokenEffects({ withHistory: withoutHistory, withoutHistory: withHistory, targets });
    const pick = ({ probability, logRatio, divergence }: typeof straight) => ({
      probability,
      logRatio,
      divergence,
    });
    const only = {
      withHistory: feeds.withHistory!,
      withoutHistory: feeds.withoutHistory!,
      targets: feeds.targets!,
    };
    const a = await evaluate(pick(straight), only);
    const b = await evaluate(pick(swapped), only);
    const expected = golden.examples.map((e) => e.effects);
    const close = (got: HostTensor, want: number[]) =>
      Math.max(...want.map((v, i) => Math.abs(v - (got.data[i] as number)) / (1 + Math.abs(v))));
    expect(
      close(
        a.probability!,
        expected.flatMap((e) => e.probabilityDifference),
      ),
    ).toBeLessThan(TOLERANCE);
    expect(
      close(
        a.logRatio!,
        expected.flatMap((e) => e.logRatio),
      ),
    ).toBeLessThan(TOLERANCE);
    expect(
      close(
        a.divergence!,
        expected.flatMap((e) => e.divergence),
      ),
    ).toBeLessThan(TOLERANCE);
    expect([...b.probability!.data]).toEqual([...a.probability!.data].map((v) => 0 - Number(v)));
    expect([...b.logRatio!.data]).toEqual([...a.logRatio!.data].map((v) => 0 - Number(v)));
    expect([...b.divergence!.data]).toEqual([...a.divergence!.data]);
  });

  it.each(objectiveNames.filter((name) => planObjective(name).passes === 'pair'))(
    '%s is plain cross-entropy for examples without history',
    async (name) => {
      const resolved = planObjective(name).name;
      // Without history both passes are one.
      const same = {
        ...golden,
        examples: golden.examples.map((e) => ({ ...e, zWithoutHistory: e.zWithHistory })),
      };
      const results = await lossAndGradients(
        resolved,
        same,
        same.examples.map(() => false),
      );
      expect(Math.abs((results.loss!.data[0] as number) - golden.objectives.sft!.loss)).toBeLessThan(
        TOLERANCE,
      );
    },
  );
});

// A bug: 0/0 made the loss NaN in the first batch that held an example without a preference token.
it('an example whose weights are all 0 is trained like plain cross-entropy, and its loss is a number', async () => {
  const { feeds, withHistory, withoutHistory, targets, groups } = setUp(cases[0]!);
  const inputs = { withHistory, withoutHistory, targets, groups };
  // No probability rises by more than 1: no token is above the threshold.
  const noneAbove = { effectThreshold: 1, lowWeight: 0 };
  const weighted = objectiveLoss(planObjective('nextquill-data-side', noneAbove), inputs).loss;
  const plain = objectiveLoss(planObjective('sft'), inputs).loss;
  const results = await evaluate(
    {
      weighted,
      plain,
      gradient: vjp(weighted, [withHistory])[0]!,
      plainGradient: vjp(plain, [withHistory])[0]!,
    },
    feeds,
  );
  expect(results.weighted).toEqual(results.plain);
  expect(results.gradient).toEqual(results.plainGradient);
});

it('an unknown objective is refused with the nearest name', () => {
  expect(() => planObjective('nextquil' as 'nextquill')).toThrowError(
    expect.objectContaining({ code: 'objective/unknown', hint: 'Did you mean nextquill?' }),
  );
});
