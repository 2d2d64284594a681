/** @file `nextquill evaluate --generate`: texts that a model writes, scored beside its likelihoods. */
import { writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Estimate } from '../../../../src/base/statistics/estimate.ts';
import { simulate } from '../../../../src/method/simulation/simulate.ts';
import { runCli } from '../../../support/run-cli.ts';

const cwd = await mkdtemp(join(tmpdir(), 'nextquill-evaluate-generate-'));
const rows = simulate({ users: 4, seed: 31, historyItems: 2 });
writeFileSync(join(cwd, 'users.jsonl'), `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`);
const words = [
  'evaluate',
  '--model',
  'embedded',
  '--data',
  'users.jsonl',
  '--others',
  '1',
  '--json',
  '--quiet',
];

describe('evaluate --generate', () => {
  it('adds the metrics of so many written texts', async () => {
    const { code, stdout } = await runCli([...words, '--generate', '2', '--max-new-tokens', '6'], { cwd });
    expect(code).toBe(0);
    const { generated, historyEffect } = JSON.parse(stdout) as {
      generated: {
        texts: number;
        empty: number;
        rouge1: Estimate;
        copied: Estimate;
        bleu: Estimate;
        authors: { identified: Estimate; candidates: number; texts: number };
      };
      historyEffect: { userSpecific: Estimate };
    };
    expect(generated.texts).toBe(2);
    expect(generated.empty).toBe(0);
    expect(generated.rouge1.value).toBeGreaterThan(0);
    expect(generated.rouge1.value).toBeLessThanOrEqual(1);
    expect(generated.copied.value).toBeGreaterThanOrEqual(0);
    expect(generated.authors).toMatchObject({ candidates: 2, texts: 2 });
    // The embedded model writes as the histories of simulated users say.
    expect(generated.authors.identified.value).toBeGreaterThanOrEqual(0.5);
    expect(historyEffect.userSpecific.value).toBeGreaterThan(0);
  });

  it('is needed for its other flag', async () => {
    const { code, stderr } = await runCli([...words, '--max-new-tokens', '6'], { cwd });
    expect(code).toBe(2);
    expect(stderr).toContain('--generate');
  });
});
