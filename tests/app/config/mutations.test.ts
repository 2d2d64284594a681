/** @file Damaged recipes: every mutant is taken, or refused with a typed error. */
import { describe, expect, it } from 'vitest';
import { mutationReport } from '../../support/mutations.ts';
import { recipeTargets } from '../../support/recipe-mutations.ts';

/** scripts/mutation.ts tries thousands. */
const MUTANTS = 300;

describe('no mutant breaks', () => {
  it.each(recipeTargets)('$name', async (target) => {
    const { faults, accepted, refused } = await mutationReport(target, MUTANTS);
    expect(faults).toEqual([]);
    expect(accepted).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
  });
});
