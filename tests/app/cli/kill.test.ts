/** @file Commands that are killed at any moment leave a whole result or none; scripts/kill-commands.ts does it for all. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { killReport } from '../../support/kill-commands.ts';

it('a simulation that is killed leaves a whole file or none', async () => {
  const home = await mkdtemp(join(tmpdir(), 'nextquill-kill-'));
  const words = (out: string) => ['simulate', '--users', '200', '--out', join(out, 'users.jsonl')];
  const { kills, whole, absent, faults } = await killReport({ name: 'simulate', words }, home, 2, 1);
  expect(faults).toEqual([]);
  expect(whole + absent).toBe(2);
  expect(kills).toBeGreaterThan(0);
});
