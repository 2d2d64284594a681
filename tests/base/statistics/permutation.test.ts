/** @file Paired permutation tests against scipy's. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ConfigError, DataError } from '../../../src/base/errors.ts';
import { randomStream } from '../../../src/base/random.ts';
import type { ExampleValue } from '../../../src/base/statistics/by-user.ts';
import { type Alternative, pValues } from '../../../src/base/statistics/p-value.ts';
import { pairedPermutationByUser } from '../../../src/base/statistics/permutation.ts';

interface Case {
  readonly name: string;
  readonly alternative: Alternative;
  readonly pValue: number;
  readonly exact: boolean;
}
interface ExactCase extends Case {
  readonly system: ExampleValue[];
  readonly baseline: ExampleValue[];
  readonly permutations: number;
}
interface SampledCase extends Case {
  readonly observed: number;
  readonly nullValues: number[];
}
const { permutations: cases } = JSON.parse(
  readFileSync(new URL('../../golden/statistics-scipy.json', import.meta.url), 'utf8'),
) as { permutations: (ExactCase | SampledCase)[] };

/** Ratios of counts. */
const EXACT = 13;

/** One example for each user, whose difference has the given mean. */
function systems(users: number, shift: number, seed: number) {
  const stream = randomStream(seed, 'test/permutation');
  const rows = (value: () => number): ExampleValue[] =>
    Array.from({ length: users }, (_, u) => ({ example: `e${u}`, user: `u${u}`, value: value() }));
  return { baseline: rows(() => stream.normal()), system: rows(() => stream.normal() + shift) };
}

describe('the paired permutation test', () => {
  it.each(cases.filter((each) => each.exact) as ExactCase[])(
    'over all sign patterns equals scipy’s: $name',
    ({ system, baseline, alternative, pValue, permutations }) => {
      const test = pairedPermutationByUser(system, baseline, { alternative });
      expect(test.pValue).toBeCloseTo(pValue, EXACT);
      expect(test).toMatchObject({ exact: true, permutations });
    },
  );

  it.each(cases.filter((each) => !each.exact) as SampledCase[])(
    'over a sample counts as scipy does: $name',
    ({ observed, nullValues, alternative, pValue }) => {
      expect(pValues([observed], nullValues, { alternative })[0]).toBeCloseTo(pValue, EXACT);
    },
  );

  it('comes near the exact p-value with a sample, and never gives 0', () => {
    const { system, baseline } = systems(12, 0.5, 2);
    const exact = pairedPermutationByUser(system, baseline);
    const sampled = pairedPermutationByUser(system, baseline, { permutations: 4000 });
    expect([exact.exact, sampled.exact]).toEqual([true, false]);
    // Three standard errors of a share of 4000, doubled for two sides.
    expect(Math.abs(exact.pValue - sampled.pValue)).toBeLessThan(0.05);
    const far = systems(40, 50, 3);
    expect(pairedPermutationByUser(far.system, far.baseline, { permutations: 99 }).pValue).toBe(0.02);
  });

  it('does not change when the systems are swapped, and repeats for a seed', () => {
    const { system, baseline } = systems(20, 0.4, 5);
    const forth = pairedPermutationByUser(system, baseline, { seed: 1 });
    expect(pairedPermutationByUser(system, baseline, { seed: 1 })).toEqual(forth);
    const few = systems(9, 0.4, 6);
    expect(pairedPermutationByUser(few.baseline, few.system).pValue).toBeCloseTo(
      pairedPermutationByUser(few.system, few.baseline).pValue,
      EXACT,
    );
  });

  it('cannot find anything with one user, nor between equal systems', () => {
    const { system, baseline } = systems(1, 3, 7);
    expect(pairedPermutationByUser(system, baseline).pValue).toBe(1);
    expect(pairedPermutationByUser(system, system).pValue).toBe(1);
  });

  it('refuses systems that were scored on different examples, and no permutations', () => {
    const { system, baseline } = systems(4, 0, 8);
    expect(() => pairedPermutationByUser(system, baseline.slice(1))).toThrow(DataError);
    expect(() => pairedPermutationByUser(system, baseline, { permutations: 0 })).toThrow(ConfigError);
  });
});
