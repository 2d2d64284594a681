/** @file The contrast of histories: losses, gradients and a training against PyTorch's (tests/golden/make/contrast.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { vjp } from '../../../src/engine/autodiff/vjp.ts';
import { loadAdapter } from '../../../src/engine/lora/adapter-folder.ts';
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
import { tinyModel } from '../../support/tiny-model.ts';
import { largestGap, type TrajectoryGolden, trainTrajectory } from '../../support/trajectory.ts';

type Rows = readonly (readonly number[])[];
interface GoldenExample {
  readonly isCompared: boolean;
  readonly zWithHistory: Rows;
  readonly zOtherHistories: readonly Rows[];
  readonly targets: readonly number[];
  readonly gradWithHistory: Rows;
  readonly gradOtherHistories: readonly Rows[];
}
interface GoldenCase {
  readonly name: string;
  readonly options: ObjectiveOptions;
  readonly loss: number;
  readonly examples: readonly GoldenExample[];
}
interface Golden {
  readonly cases: readonly GoldenCase[];
  readonly training: TrajectoryGolden & {
    readonly adapter: string;
    readonly options: ObjectiveOptions;
    readonly runs: readonly {
      readonly method: 'full' | 'lora';
      readonly losses: number[];
      readonly gradientNorms: number[];
    }[];
  };
}
const { cases, training } = JSON.parse(readFileSync('tests/golden/contrast.json', 'utf8')) as Golden;

/** The golden is f64, we compute in f32: relative to the numbers, which reach the hundreds at a small temperature. */
const TOLERANCE = 5e-6;
/** As of the other trajectories against PyTorch. */
const LOSS_TOLERANCE = 1e-5;
const NORM_TOLERANCE = 1e-4;

const matrix = (rows: Rows): HostTensor => ({
  data: Float32Array.from(rows.flat()),
  shape: [rows.length, rows[0]!.length],
});

/** Loss, contrast and the gradient of each pass, by logits whose numbers may be moved. */
async function lossOf(
  { options, examples }: Pick<GoldenCase, 'options' | 'examples'>,
  move: (name: string, logits: HostTensor) => void = () => {},
) {
  const plan = planObjective('sft', options);
  const width = examples[0]!.zWithHistory[0]!.length;
  const count = examples[0]!.zOtherHistories.length;
  const own = input('own', 'f32', ['S', width]);
  const others = Array.from({ length: count }, (_, v) => input(`other${v}`, 'f32', ['S', width]));
  const { loss, parts } = objectiveLoss(plan, {
    withHistory: own,
    otherHistory: others[0]!,
    furtherHistories: others.slice(1),
    targets: input('targets', 'i64', ['S']),
    groups: groupInputs(),
    isCompared: comparedInput(),
  });
  const gradients = vjp(loss, [own, ...others]);
  const targets = examples.flatMap((example) => example.targets);
  const exampleOf = examples.flatMap((example, i) => example.targets.map(() => i));
  const logits: Record<string, HostTensor> = {
    own: matrix(examples.flatMap((example) => example.zWithHistory)),
    ...Object.fromEntries(
      others.map((_, v) => [`other${v}`, matrix(examples.flatMap((each) => each.zOtherHistories[v]!))]),
    ),
  };
  for (const [name, each] of Object.entries(logits)) move(name, each);
  const results = await evaluate(
    {
      loss,
      contrast: parts.contrast!,
      ...Object.fromEntries(
        gradients.map((gradient, i) => [`of.${i === 0 ? 'own' : `other${i - 1}`}`, gradient!]),
      ),
    },
    {
      ...logits,
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
    },
  );
  const number = (name: string) => results[name]!.data[0] as number;
  return { loss: number('loss'), contrast: number('contrast'), results };
}

const caseOf = (name: string) => cases.find((each) => each.name.startsWith(name))!;

describe('the contrast of histories', () => {
  it.each(cases.map((golden) => [golden.name, golden] as const))(
    '%s: as PyTorch has it',
    async (_, golden) => {
      const { loss, results } = await lossOf(golden);
      const apart = (got: number, wanted: number) => Math.abs(got - wanted) / (1 + Math.abs(wanted));
      expect(apart(loss, golden.loss)).toBeLessThan(TOLERANCE);
      const { examples } = golden;
      const sides = [
        ['own', examples.flatMap((each) => each.gradWithHistory)] as const,
        ...examples[0]!.zOtherHistories.map(
          (__, v) => [`other${v}`, examples.flatMap((each) => each.gradOtherHistories[v]!)] as const,
        ),
      ];
      for (const [side, wanted] of sides) {
        const { data } = results[`of.${side}`]!;
        expect(data).toHaveLength(wanted.flat().length);
        const gaps = wanted.flat().map((value, i) => apart(data[i] as number, value));
        expect(Math.max(...gaps), side).toBeLessThan(TOLERANCE);
      }
    },
  );

  it('has the gradients of central differences in every pass', async () => {
    const { options, examples } = caseOf('three other histories');
    const { results } = await lossOf({ options, examples });
    const step = 1e-2;
    const at = async (name: string, place: number, by: number) =>
      (
        await lossOf({ options, examples }, (each, { data }) => {
          if (each === name) (data as Float32Array)[place]! += by;
        })
      ).loss;
    for (const name of ['own', 'other0', 'other2']) {
      // Where the gradient is largest.
      const { data } = results[`of.${name}`]!;
      const sizes = Array.from(data as Float32Array, Math.abs);
      const place = sizes.indexOf(Math.max(...sizes));
      const slope = ((await at(name, place, step)) - (await at(name, place, -step))) / (2 * step);
      expect(slope, name).toBeCloseTo(data[place] as number, 3);
    }
  });

  it('is ln (k + 1) where all histories do alike, and 0 where the own one does far more', async () => {
    expect((await lossOf(caseOf('all histories alike'))).contrast).toBeCloseTo(Math.log(4), 6);
    expect((await lossOf(caseOf('far on the right side'))).contrast).toBe(0);
  });
});

describe.each(training.runs)('$method training by the contrast', ({ method, ...expected }) => {
  it('has the losses and gradient norms of PyTorch', async () => {
    const model = await tinyModel();
    const adapter = method === 'lora' ? await loadAdapter(training.adapter, model) : undefined;
    const { options: objectiveOptions } = training;
    const { losses, norms } = await trainTrajectory(training, {
      ...{ model, objective: 'sft', objectiveOptions, adapter },
    });
    expect(losses).toHaveLength(expected.losses.length);
    expect(largestGap(losses, expected.losses)).toBeLessThan(LOSS_TOLERANCE);
    const ratios = norms.map((norm, i) => Math.abs(norm / expected.gradientNorms[i]! - 1));
    expect(Math.max(...ratios)).toBeLessThan(NORM_TOLERANCE);
  });
});
