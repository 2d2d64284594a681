/** @file The memory of a run is predicted, recorded, and refused with what would fit. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../../src/base/errors.ts';
import { planObjective } from '../../../../src/method/objectives/plan.ts';
import { readManifest } from '../../../../src/method/runs/manifest.ts';
import { trainPairs } from '../../../../src/method/runs/train.ts';
import { memoryLimit, predictMemory } from '../../../../src/method/training/memory/training-memory.ts';
import type { MemoryChildOptions } from '../../../support/memory-child.ts';
import { randomPairs, tinyModel } from '../../../support/tiny-model.ts';
import { allEvents, childRun } from '../../../support/train-runs.ts';

/** What was asked of the prediction. */
const TOLERANCE = 0.2;

const home = await mkdtemp(join(tmpdir(), 'nextquill-memory-'));
const child = resolve(import.meta.dirname, '../../../support/memory-child.ts');
const lora = {
  rank: 8,
  loraAlpha: 16,
  targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
};

describe('the predicted peak of a fresh process', () => {
  it.each<[string, MemoryChildOptions]>([
    [
      'all weights, one pass',
      { objective: 'sft', batchSize: 8, gradientAccumulation: 1, tokens: [350, 40, 100] },
    ],
    [
      'adapters with dropout, two passes',
      {
        objective: 'nextquill-code',
        lora: { ...lora, dropout: 0.1 },
        batchSize: 4,
        gradientAccumulation: 2,
        tokens: [400, 60, 100],
      },
    ],
    [
      'the same, layers computed again, over 4 bits',
      {
        objective: 'nextquill-code',
        lora,
        baseBits: 4,
        recompute: true,
        batchSize: 8,
        gradientAccumulation: 1,
        tokens: [400, 60, 100],
      },
    ],
    [
      'adapters, two other histories beside the own one',
      {
        objective: 'sft',
        objectiveOptions: { contrastWeight: 0.2, contrastHistories: 2 },
        lora,
        batchSize: 4,
        gradientAccumulation: 1,
        tokens: [300, 60, 100],
        others: 2,
      },
    ],
    [
      'adapters whose moving average estimates the effects',
      {
        objective: 'perce',
        estimator: 'moving-average',
        lora,
        recompute: true,
        batchSize: 8,
        gradientAccumulation: 1,
        tokens: [400, 60, 100],
      },
    ],
  ])(
    'is right within a fifth for %s',
    async (name, options) => {
      const out = join(home, name.replaceAll(/\W/g, '-'));
      const { stdout } = await promisify(execFile)(process.execPath, [
        '--import',
        'tsx',
        child,
        out,
        JSON.stringify(options),
      ]);
      const [{ memory }, { peakMemoryBytes: peak }] = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(Math.abs(memory.total - peak) / peak, JSON.stringify({ memory, peak })).toBeLessThan(TOLERANCE);
      // Most of it is the run's own: a prediction of the process alone would be wrong.
      expect(memory.process).toBeLessThan((1 - TOLERANCE) * peak);
      // A fresh process each, on a machine that may be busy.
    },
    300_000,
  );
});

describe('a run', () => {
  it('is refused before anything is written, with settings that would fit', async () => {
    const { fresh } = await childRun({ method: 'full' });
    const out = join(home, 'refused');
    const maxMemory = 64 << 20;
    const error = await allEvents(trainPairs({ ...fresh, out, maxMemory })).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(ConfigError);
    const { code, message, hint } = error as ConfigError;
    expect(code).toBe('training/memory');
    expect(message).toMatch(
      /^memory: expected at most 64 MiB, as maxMemory says, got [\d,]+ MiB predicted: /,
    );
    expect(hint).toContain('no setting of this run would fit');
    expect(existsSync(out)).toBe(false);
  });

  it('is told what would fit', async () => {
    const model = (await childRun({ method: 'full' })).fresh.model;
    const wide = { ...model, config: { ...model.config, maxPositions: 4096 } };
    // Each of its own, or rows would be packed into one.
    const pairs = Array.from({ length: 16 }, (_, i) => ({
      withHistoryIds: new Array<number>(1500).fill(5 + i),
      withoutHistoryIds: [5],
      responseIds: new Array<number>(20).fill(7),
      responseStarts: [],
      responseEnds: [],
      historyItemsUsed: 1,
      hasHistory: true,
    }));
    const { fresh } = await childRun({ method: 'full' });
    const options = { ...fresh, model: wide, pairs, batchSize: 16, out: join(home, 'large') };
    const maxMemory = process.memoryUsage.rss() + (150 << 20);
    const error = await allEvents(trainPairs({ ...options, maxMemory })).catch((cause: unknown) => cause);
    expect((error as ConfigError).code).toBe('training/memory');
    expect((error as ConfigError).hint).toMatch(
      /Set one of: .*training\.batchSize=1 training\.gradientAccumulation=32 \([\d,]+ MiB\)/,
    );
  });

  it('records what was predicted and what there was', async () => {
    const { fresh } = await childRun({ method: 'lora' });
    const out = join(home, 'recorded');
    await allEvents(trainPairs({ ...fresh, out, maxSteps: 1 }));
    const { memory } = await readManifest(out);
    const { total, limit, ...parts } = memory!;
    expect(parts.estimator).toBe(0);
    expect(Object.values(parts).reduce((sum, bytes) => sum + bytes, 0)).toBe(total);
    expect(total).toBeLessThan(limit);
    expect(Math.abs(limit - memoryLimit()) / limit).toBeLessThan(0.5);
    // A of [4, 32] and B of [32 or 16, 4] on two layers' queries and values, with gradients and two moments.
    expect(parts.trained).toBe(16 * 2 * (4 * 32 + 32 * 4 + 4 * 32 + 16 * 4));
  });
});

it('says what of a run lies on a graphics card, and nothing of it on the processor', async () => {
  const model = await tinyModel();
  const shape = { batchSize: 2, gradientAccumulation: 1, epochs: 1, maxSteps: 2, seed: 0 };
  const options = { objective: planObjective('nextquill'), lora, seed: 0 };
  const of = (device: 'cpu' | 'webgpu') =>
    predictMemory({ ...options, model: { ...model, device } }, randomPairs(4), shape);
  const { onCard, activations, graph, mappedWeights, estimator, evaluation } = of('webgpu');
  expect(onCard).toBe(activations + graph + mappedWeights + estimator + evaluation);
  expect(onCard).toBeGreaterThan(0);
  expect(of('cpu').onCard).toBe(0);
});
