/** @file Damaged files of a tokenizer are read, or refused with a typed error, in bounded time. More mutants: scripts/mutation.ts. */
import { expect, test } from 'vitest';
import { mutationReport } from '../../support/mutations.ts';
import { tokenizerTargets } from '../../support/tokenizer-mutations.ts';

test.each(tokenizerTargets.map((target) => [target.name, target] as const))('%s', async (_, target) => {
  const { accepted, refused, faults } = await mutationReport(target, 200);
  expect(faults).toEqual([]);
  expect(Math.min(accepted, refused)).toBeGreaterThan(10); // both ways are tried
});
