/** @file Damaged files of examples and of kept scores: read, refused with a typed error, or computed again. */
import { describe, expect, it } from 'vitest';
import { dataTargets } from '../../support/data-mutations.ts';
import { mutationReport } from '../../support/mutations.ts';

/** scripts/mutation.ts tries thousands. */
const MUTANTS = 300;

describe('no mutant breaks', () => {
  it.each(dataTargets)('$name', async (target) => {
    const { faults, accepted, refused } = await mutationReport(target, MUTANTS);
    expect(faults).toEqual([]);
    expect(accepted).toBeGreaterThan(0);
    // A line of scores that is damaged is none of ours; it never ends an audit.
    expect(refused > 0).toBe(target.name === 'examples');
  });
});
