/** @file A few hundred damaged files of each kind: read or refused with a typed error, in good time and little memory. */
import { describe, expect, it } from 'vitest';
import { mutationReport } from '../../support/mutations.ts';
import { weightsTargets } from '../../support/weights-mutations.ts';

const MUTANTS = 200;

/** Far above what any of these small files needs, bytes. */
const MOST_BYTES = 1e9;

describe.each(weightsTargets)('damage to $name', (target) => {
  it('is read or refused, and breaks nothing', { timeout: 60_000 }, async () => {
    const peak = () => process.resourceUsage().maxRSS * 1024;
    const before = peak();
    const { accepted, refused, faults } = await mutationReport(target, MUTANTS);
    expect(faults).toEqual([]);
    expect(accepted + refused).toBe(MUTANTS);
    expect(accepted).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
    expect(peak() - before).toBeLessThan(MOST_BYTES);
  });
});
