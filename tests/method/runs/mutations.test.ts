/** @file Damaged run folders: every mutant is read, or refused with a typed error. */
import { describe, expect, it } from 'vitest';
import { mutationReport } from '../../support/mutations.ts';
import { runTargets } from '../../support/run-mutations.ts';

/** scripts/mutation.ts tries thousands. */
const MUTANTS = 300;

describe('no mutant breaks', () => {
  it.each(runTargets)('$name', async (target) => {
    const { faults, accepted, refused } = await mutationReport(target, MUTANTS);
    expect(faults).toEqual([]);
    expect(accepted + refused).toBe(MUTANTS);
    expect(accepted).toBeGreaterThan(0);
  });
});
