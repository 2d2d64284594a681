/** @file Every option's loss and gradients against plain PyTorch (tests/golden/make/objective_options.py), and options that mean nothing. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { vjp } from '../../../src/engine/autodiff/vjp.ts';
import { input } from '../../../src/engine/ops/operators.ts';
import type { Value } from '../../../src/engine/ops/value.ts';
import { evaluate } from '../../../src/engine/runtime/evaluate.ts';
import type { HostTensor } from '../../../src/engine/runtime/session.ts';
import { copiedFeed, copiedInput } from '../../../src/method/objectives/copied.ts';
import {
  comparedFeed,
  comparedInput,
  groupFeeds,
  groupInputs,
} from '../../../src/method/objectives/groups.ts';
import { objectiveLoss, objectiveWeights } from '../../../src/method/objectives/loss.ts';
import type { ObjectiveOptions } from '../../../src/method/objectives/objective-options.ts';
import type { ObjectiveChoice, ObjectiveName } from '../../../src/method/objectives/objectives.ts';
import { planObjective } from '../../../src/method/objectives/plan.ts';

interface GoldenCase {
  readonly name: string;
  readonly examples: readonly {
    readonly zWithHistory: number[][];
    readonly zWithoutHistory: number[][];
    readonly zAnchor: number[][];
    readonly zOtherHistory: number[][];
    readonly targets: number[];
    readonly generic: number[];
    readonly copied: number[];
    readonly placeboMost: number[];
    readonly estimate: Record<'logProbWithHistory' | 'logProbWithoutHistory' | 'divergence', number[]>;
  }[];
  readonly losses: Readonly<Record<string, Entry>>;
}
interface Entry {
  readonly objective: ObjectiveName;
  readonly options: ObjectiveOptions;
  readonly given: readonly ('estimate' | 'scale')[];
  readonly loss: number;
  readonly gradWithHistory: (number[][] | null)[];
  readonly gradWithoutHistory: (number[][] | null)[];
}
const golden = JSON.parse(readFileSync('tests/golden/objective-options.json', 'utf8')) as {
  readonly scale: number;
  readonly cases: GoldenCase[];
};

/** The golden is f64, we compute in f32; torch's own f32 is within 5e-7 of it. */
const TOLERANCE = 1e-6;

const vector = (values: number[]): HostTensor => ({
  data: Float32Array.from(values),
  shape: [values.length],
});
const matrix = (rows: number[][]): HostTensor => ({
  data: Float32Array.from(rows.flat()),
  shape: [rows.length, rows[0]!.length],
});
const perToken = (name: string) => input(name, 'f32', ['S']);

async function lossAndGradients({ examples }: GoldenCase, entry: Entry) {
  const { objective, options, given } = entry;
  const estimator = given.includes('estimate') ? 'fixed' : 'dynamic';
  const width = examples[0]!.zWithHistory[0]!.length;
  const logits = (name: string) => input(name, 'f32', ['S', width]);
  const [withHistory, withoutHistory] = [logits('withHistory'), logits('withoutHistory')];
  const estimate = {
    logProbWithHistory: perToken('own'),
    logProbWithoutHistory: perToken('none'),
    divergence: perToken('divergence'),
  };
  const { loss } = objectiveLoss(planObjective(objective, options, estimator), {
    withHistory,
    withoutHistory,
    targets: input('targets', 'i64', ['S']),
    groups: groupInputs(),
    anchor: logits('anchor'),
    otherHistory: logits('otherHistory'),
    isCompared: comparedInput(),
    generic: perToken('generic'),
    isCopied: copiedInput(),
    placeboMost: perToken('placeboMost'),
    ...(given.includes('estimate') ? { estimate } : {}),
    ...(given.includes('scale') ? { effectScale: input('scale', 'f32', []) } : {}),
  });
  const sides = { gradWithHistory: withHistory, gradWithoutHistory: withoutHistory };
  const outputs: Record<string, Value> = { loss };
  for (const [side, variable] of Object.entries(sides)) {
    if (entry[side as keyof typeof sides].some((rows) => rows !== null))
      outputs[side] = vjp(loss, [variable])[0]!;
    else
      expect(() => vjp(loss, [variable])).toThrowError(
        expect.objectContaining({ code: 'graph/no-gradient' }),
      );
  }
  const targets = examples.flatMap((example) => example.targets);
  return evaluate(outputs, {
    withHistory: matrix(examples.flatMap((example) => example.zWithHistory)),
    withoutHistory: matrix(examples.flatMap((example) => example.zWithoutHistory)),
    otherHistory: matrix(examples.flatMap((example) => example.zOtherHistory)),
    ...comparedFeed(
      examples.flatMap((example, i) => example.targets.map(() => i)),
      examples.map(() => true),
    ),
    anchor: matrix(examples.flatMap((example) => example.zAnchor)),
    own: vector(examples.flatMap((example) => example.estimate.logProbWithHistory)),
    none: vector(examples.flatMap((example) => example.estimate.logProbWithoutHistory)),
    divergence: vector(examples.flatMap((example) => example.estimate.divergence)),
    generic: vector(examples.flatMap((example) => example.generic)),
    placeboMost: vector(examples.flatMap((example) => example.placeboMost)),
    ...copiedFeed(examples.flatMap((example) => example.copied.map(Boolean))),
    scale: { data: Float32Array.of(golden.scale), shape: [] },
    targets: { data: BigInt64Array.from(targets, BigInt), shape: [targets.length] },
    ...groupFeeds(
      examples.flatMap((example, i) => example.targets.map(() => i)),
      examples.map(() => true),
      examples.length,
    ),
  });
}

describe.each(golden.cases)('$name', (one) => {
  it.each(Object.keys(one.losses))('%s: loss and both gradients are those of PyTorch', async (label) => {
    const entry = one.losses[label]!;
    const results = await lossAndGradients(one, entry);
    expect(Math.abs((results.loss!.data[0] as number) - entry.loss)).toBeLessThan(TOLERANCE);
    for (const side of ['gradWithHistory', 'gradWithoutHistory'] as const) {
      if (results[side] === undefined) continue;
      const { data } = results[side];
      const wanted = entry[side].flatMap((rows) => rows!).flat();
      expect(data).toHaveLength(wanted.length);
      expect(Math.max(...wanted.map((value, i) => Math.abs(value - (data[i] as number))))).toBeLessThan(
        TOLERANCE,
      );
    }
  });
});

describe('options', () => {
  const check = (objective: ObjectiveChoice, options: ObjectiveOptions) => () =>
    planObjective(objective, options);

  it.each([
    ['sft', { softWeights: true }, 'softWeights'],
    ['nextquill-model-side', { plainWeight: 0.5 }, 'plainWeight'],
    ['sft', { weightsFrom: 'userSpecific' }, 'weightsFrom'],
    ['nextquill-js', { weightsFrom: 'userSpecific' }, 'weightsFrom'],
    ['nextquill-code', { weightsFrom: 'userSpecific', plainWeight: 1 }, 'weightsFrom'],
    ['perce', { stopGradient: true }, 'stopGradient'],
    ['nextquill-data-side', { effectWarmup: 0.1 }, 'effectWarmup'],
    // These were once taken, recorded in the manifest, and did nothing.
    ['sft', { effectWeight: 0.5 }, 'effectWeight'],
    ['perce', { effectThreshold: 0.1 }, 'effectThreshold'],
    ['nextquill-js', { highWeight: 2 }, 'highWeight'],
    ['nextquill-paper', { lowWeight: 0.2, softWeights: true }, 'lowWeight'],
    ['nextquill-code', { highWeight: 0.8, plainWeight: 1 }, 'highWeight'],
    ['nextquill-code', { weightGradient: true }, 'weightGradient'],
    ['nextquill-js', { weightGradient: true, softWeights: true }, 'weightGradient'],
    ['nextquill-code', { softSlope: 3 }, 'softSlope'],
    ['perce', { softCentre: 0 }, 'softCentre'],
    ['nextquill-code', { softWeights: true, plainWeight: 1 }, 'softWeights'],
    ['nextquill-code', { others: 4 }, 'others'],
    ['perce', { plausibility: 0.1 }, 'plausibility'],
    ['nextquill-code', { plausibility: 1.1 }, 'plausibility'],
    ['perce', { differenceAt: 'preferenceTokens' }, 'differenceAt'],
    ['nextquill-code', { differenceAt: 'some' as 'all' }, 'differenceAt'],
    ['nextquill-code', { differenceThreshold: 0.2 }, 'differenceThreshold'],
    ['sft-no-history', { calibrationWeight: 1 }, 'calibrationWeight'],
    ['sft', { strengthSpread: 0.5 }, 'strengthSpread'],
    ['sft', { copyDiscount: 1 }, 'copyDiscount'],
    ['sft', { targetKnee: 2 }, 'targetKnee'],
    ['perce', { differenceFrom: 'otherHistory' }, 'differenceFrom'],
    ['sft-no-history', { targetWeight: 1 }, 'targetWeight'],
    ['perce', { copyDiscount: 1, plainWeight: 1 }, 'copyDiscount'],
    ['perce', { effectStart: 0.5 }, 'effectStart'],
    ['sft', { preferenceBeta: 0.2 }, 'preferenceBeta'],
    ['mipo', { plainWeight: 0.5 }, 'plainWeight'],
    ['mipo', { preferenceBeta: -1 }, 'preferenceBeta'],
    ['nextquill-code', { plainWeight: 1.5 }, 'plainWeight'],
    ['nextquill-code', { anchorWeight: -1 }, 'anchorWeight'],
    ['nextquill-code', { softSlope: Number.NaN }, 'softSlope'],
    ['nextquill-code', { others: 1.5 }, 'others'],
    ['nextquill-code', { highWeight: 0, lowWeight: 0 }, 'highWeight'],
    ['nextquill-code', { weightsFrom: 'all' as 'total' }, 'weightsFrom'],
    ['nextquill-code', { stopGradient: 1 as unknown as boolean }, 'stopGradient'],
    // A misspelt name was once recorded nowhere and did nothing.
    ['nextquill-code', { plainWeigth: 0.5 } as ObjectiveOptions, 'plainWeigth'],
  ] as const)('%s with %o is refused by the name of the option', (objective, options, named) => {
    expect(check(objective, options)).toThrowError(
      expect.objectContaining({ code: 'objective/option', message: expect.stringContaining(named) }),
    );
  });

  it('that mean something are taken', () => {
    expect(
      check('nextquill-paper', { softWeights: true, effectWarmup: 0.5, stopGradient: true }),
    ).not.toThrow();
    expect(check('perce', { weightsFrom: 'userSpecific', others: 4 })).not.toThrow();
    expect(check('sft', { anchorWeight: 1 })).not.toThrow();
    expect(check('nextquill-js', { weightGradient: true })).not.toThrow();
    expect(check('cft', { differenceAt: 'preferenceTokens', weightsFrom: 'userSpecific' })).not.toThrow();
    expect(
      check('sft', { calibrationWeight: 1, strengthSpread: 0.5, effectStart: 0.5, stopGradient: true }),
    ).not.toThrow();
    expect(check('perce', { copyDiscount: 1 })).not.toThrow();
    expect(check('cft', { copyDiscount: 1, differenceAt: 'preferenceTokens' })).not.toThrow();
    expect(check('sft', { plausibility: 0, differenceAt: 'all' })).not.toThrow();
    expect(check('nextquill-paper', { plainWeight: 1, highWeight: 0.8 })).not.toThrow();
    expect(check('sft', { softWeights: false, plainWeight: 0, weightsFrom: 'total' })).not.toThrow();
  });

  it('that a name brings along give way to given ones, and are not asked what they are for', () => {
    expect(planObjective('nextquill').options.calibrationWeight).toBe(0.3);
    expect(planObjective('nextquill', { calibrationWeight: 0.25 }).options.calibrationWeight).toBe(0.25);
    expect(planObjective('nextquill', { calibrationWeight: undefined }).options.calibrationWeight).toBe(0.3);
  });

  it.each([
    [
      'the effects of others’ histories where weights are made of C',
      { weightsFrom: 'userSpecific' },
      'objective/no-others',
    ],
    ['which tokens are copied where copies are discounted', { copyDiscount: 1 }, 'objective/no-copied'],
  ] as const)('ask for %s', (_, options, code) => {
    const pair = {
      withHistory: input('h', 'f32', ['S', 5]),
      withoutHistory: input('n', 'f32', ['S', 5]),
      targets: input('targets', 'i64', ['S']),
    };
    expect(() => objectiveWeights(planObjective('perce', options), pair, groupInputs())).toThrowError(
      expect.objectContaining({ code }),
    );
  });
});
